"""The boxes of an analysis as columns, and how much each cause of risk weighs."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faceveil.analysis import Analysis
from faceveil.boxes import share_of_smaller
from faceveil.faces import LOW_SCORE, Floats, Ints, Provenance
from faceveil.sequence.support import CLEAR_SCORE, STEEPNESS

Bools = NDArray[np.bool_]
Hazard = NDArray[np.float64]
Indices = NDArray[np.int64]

FRAMES_WITHOUT_RATE = 25
CLEAR_AFTER = 10
"""So many clear detections show that a sequence is on a face."""
SAME_PLACE = 0.3
"""Overlap from which the box of another sequence is on the same face."""
SEEN = (Provenance.DETECTED, Provenance.LOW_SCORE, Provenance.MANUAL)
"""Provenances of boxes that a network or a person placed on that very frame."""


@dataclass(frozen=True, slots=True)
class RiskWeights:
    """How much each cause weighs; benchmarks/quality/risk.py says how the values were chosen.

    Attributes
    ----------
    end, begin : float
        Hazard right behind the end of a clear face in mid-picture, and right before its start.
    end_seconds : float
        Time in which that falls to a third.
    edge : float
        Share of these at the edge of the picture, where a face mostly leaves or enters.
    faint : float
        Share of these, and of boxes without detection, where no clear face was detected.
    hole : float
        Hazard between such an end and a start that may be the same face.
    hole_seconds : float
        How long a hole is at most.
    lost : float
        Hazard of a box beyond the outermost detection of a sequence.
    gap : float
        Hazard of a box between two detections.
    undetected_seconds : float
        Time without detection in which two thirds of these are reached.
    undetected_way : float
        How far a box moved without detection, in face sizes, where two thirds are reached.
    still : float
        Share of these for a box that did not move.
    leftover, leftover_again : float
        Hazard of the clearest detection with a low score that lies on no sequence, and of the
        others in its place.
    leftover_seconds : float
        Those in one place within this time before and after count together.
    leftover_sum : float
        Squares of their scores, from 0 to 1, in which two thirds are reached.
    low_score : float
        Hazard of a box with the lowest score.
    crossing, crossing_kept : float
        Hazard of two boxes one of which covers the other, both veiled, or one of them kept.
    motion : float
        Hazard of a face that moves by half of its size in a frame.
    uncertain : float
        Hazard of a face whose identity is uncertain; twice that beside a person who is kept.
    found, doubtful : float
        Hazard of a frame in which verification found a face, or what may be one.
    found_seconds : float
        Time in which that falls to a third.
    unknown : float
        Hazard of a frame that could not be analysed.
    empty : float
        Hazard of a frame of a shot in which no face was found.
    """

    end: float = 2.0
    begin: float = 0.9
    end_seconds: float = 18.0
    edge: float = 0.02
    faint: float = 0.03
    hole: float = 0.4
    hole_seconds: float = 10.0
    lost: float = 0.25
    gap: float = 2.0
    undetected_seconds: float = 0.17
    undetected_way: float = 0.3
    still: float = 0.2
    leftover: float = 0.2
    leftover_again: float = 0.02
    leftover_seconds: float = 1.0
    leftover_sum: float = 4.5
    low_score: float = 0.07
    crossing: float = 0.001
    crossing_kept: float = 0.2
    motion: float = 0.002
    uncertain: float = 0.2
    found: float = 3.0
    doubtful: float = 0.5
    found_seconds: float = 0.5
    unknown: float = 1.0
    empty: float = 0.001


class Rows:
    """The boxes of all sequences as columns, and what the causes share.

    Attributes
    ----------
    frames : ndarray of int32 [n]
    boxes : ndarray of float32 [n, 4]
    scores : ndarray of float32 [n]
    sequence : ndarray of int32 [n]
        Rising; frames rise within each.
    seen : ndarray of bool [n]
        Whether a network or a person placed the box on that very frame.
    veiled : ndarray of bool [n]
    first, last : ndarray of int64 [sequences]
        The row of the first and of the last box of each sequence.
    """

    def __init__(self, analysis: Analysis) -> None:
        sequences = analysis.sequences
        lengths = np.array([len(item) for item in sequences], np.int64)
        self.frame_count = analysis.source.frame_count
        self.width, self.height = analysis.source.width, analysis.source.height
        rate = analysis.source.rate
        self.rate = float(Fraction(rate)) if rate else float(FRAMES_WITHOUT_RATE)
        self.frames = _joined([item.frames for item in sequences], np.zeros(0, np.int32))
        self.boxes = _joined([item.boxes for item in sequences], np.zeros((0, 4), np.float32))
        self.scores = _joined([item.scores for item in sequences], np.zeros(0, np.float32))
        provenance = _joined([item.provenance for item in sequences], np.zeros(0, np.uint8))
        self.provenance = provenance
        self.sequence = np.repeat(np.arange(len(lengths), dtype=np.int32), lengths)
        self.seen = np.isin(provenance, SEEN)
        self.is_veiled = analysis.veiled
        self.veiled = np.repeat(analysis.veiled, lengths)
        self.last = np.cumsum(lengths) - 1
        self.first = self.last - lengths + 1
        shots = np.unique(np.append(np.int32(0), analysis.shot_starts)).astype(np.int64)
        self.shot_starts = shots
        self.shot_stops = np.append(shots[1:], self.frame_count)

    def __len__(self) -> int:
        return len(self.frames)

    def shot_of(self, frames: Ints | Indices) -> Indices:
        """The shot of each frame, as an index of `shot_starts`."""
        return np.asarray(np.searchsorted(self.shot_starts, frames, side="right") - 1)

    def per_frame(self, rows: Indices, hazard: NDArray[np.floating] | float) -> Hazard:
        """The hazards of some rows, summed by frame."""
        frames = self.frames[rows]
        weights = np.broadcast_to(np.asarray(hazard, np.float64), frames.shape)
        return np.asarray(np.bincount(frames, weights, self.frame_count), np.float64)

    @cached_property
    def _seen_rows(self) -> tuple[Indices, Indices]:
        """The rows that were seen, and how many of them come before each row, [n + 1]."""
        return np.flatnonzero(self.seen), np.append(0, np.cumsum(self.seen))

    @cached_property
    def clear_at_end(self) -> NDArray[np.float64]:
        """How clear the last `CLEAR_AFTER` detections of each sequence are together, 0 to 1."""
        seen, count = self._seen_rows
        stop = count[self.last + 1]
        start = np.maximum(stop - CLEAR_AFTER, count[self.first])
        return self._clear_between(seen, start, stop)

    @cached_property
    def clear_at_start(self) -> NDArray[np.float64]:
        """How clear the first `CLEAR_AFTER` detections of each sequence are together, 0 to 1."""
        seen, count = self._seen_rows
        start = count[self.first]
        stop = np.minimum(start + CLEAR_AFTER, count[self.last + 1])
        return self._clear_between(seen, start, stop)

    def _clear_between(self, seen: Indices, start: Indices, stop: Indices) -> NDArray[np.float64]:
        clear = np.append(0.0, np.cumsum(clearness(self.scores[seen])))
        return np.asarray((clear[stop] - clear[start]) / CLEAR_AFTER, np.float64)

    @cached_property
    def by_frame(self) -> Indices:
        """The rows in the order of their frames."""
        return np.argsort(self.frames, kind="stable")

    @cached_property
    def starts(self) -> Indices:
        """Where in `by_frame` each frame begins, [frames + 1]."""
        counts = np.bincount(self.frames, minlength=self.frame_count)
        return np.append(0, np.cumsum(counts))

    def cover(self, frames: Indices, boxes: Floats) -> Bools:
        """Return which of some boxes [m, 4] on these frames [m] are in the place of a row."""
        covered = np.zeros(len(frames), bool)
        start, stop = self.starts[frames], self.starts[frames + 1]
        step = 0
        while (open_ := np.flatnonzero((start + step < stop) & ~covered)).size:
            others = self.boxes[self.by_frame[start[open_] + step]]
            covered[open_] = share_of_smaller(others, boxes[open_]) >= SAME_PLACE
            step += 1
        return covered


def clearness(scores: Floats) -> NDArray[np.float64]:
    """How surely a detection is a face, 0 to 1, as `sequence.support` weighs it."""
    return np.asarray(
        np.clip((scores - LOW_SCORE) / (CLEAR_SCORE - LOW_SCORE), 0, 1) ** STEEPNESS, np.float64
    )


def _joined(columns: list[NDArray[Any]], empty: NDArray[Any]) -> NDArray[Any]:
    return np.concatenate(columns) if columns else empty
