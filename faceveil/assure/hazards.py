"""What makes it likely that a frame shows a face: one function for each cause, over columns.

A hazard is the expected number of such faces, as far as it can be told from an analysis: hazards
add up. All functions return float64 [frames].
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faceveil.analysis import Analysis
from faceveil.assure.verification import Verification
from faceveil.boxes import centres, share_of_smaller, sizes
from faceveil.decisions import Decision
from faceveil.faces import LOW_SCORE, Floats, Ints, Provenance

Bools = NDArray[np.bool_]
Hazard = NDArray[np.float64]
Indices = NDArray[np.int64]

FRAMES_WITHOUT_RATE = 25
_BLOCK = 1 << 18
"""Boxes that are compared at once."""
_AT_THE_EDGE = 0.15
"""A face is at the edge of the picture when it is nearer to it than this share of its size."""
_SAME_PLACE = 0.3
"""Overlap from which the box of another sequence is on the same face."""
_REACH = 0.1
"""Face sizes that a lost face may move in a frame."""
_SAME_SIZE = 2.0
"""Largest ratio of the sizes of two boxes that may be one face."""
_ROUNDING = 1e-9
"""Where a pulse has stopped, so much of it may be left."""
SEEN = (Provenance.DETECTED, Provenance.LOW_SCORE, Provenance.MANUAL)
"""Provenances of boxes that a network or a person placed on that very frame."""


@dataclass(frozen=True, slots=True)
class RiskWeights:
    """How much each cause weighs; benchmarks/quality/risk.py chose the values.

    Attributes
    ----------
    end, begin : float
        Hazard right behind the end of a sequence in mid-picture, and right before its start.
    end_seconds : float
        Time in which that falls to a third.
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
    begin: float = 0.1
    end_seconds: float = 18.0
    hole: float = 0.4
    hole_seconds: float = 10.0
    lost: float = 0.3
    gap: float = 1.3
    undetected_seconds: float = 0.11
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
    def by_frame(self) -> Indices:
        """The rows in the order of their frames."""
        return np.argsort(self.frames, kind="stable")

    @cached_property
    def starts(self) -> Indices:
        """Where in `by_frame` each frame begins, [frames + 1]."""
        counts = np.bincount(self.frames, minlength=self.frame_count)
        return np.append(0, np.cumsum(counts))


def _joined(columns: list[NDArray[Any]], empty: NDArray[Any]) -> NDArray[Any]:
    return np.concatenate(columns) if columns else empty


def undetected(rows: Rows, weights: RiskWeights) -> Hazard:
    """Boxes that were followed or computed, by the time to the nearest detection."""
    numbers = np.arange(len(rows))
    before = np.maximum.accumulate(np.where(rows.seen, numbers, -1))
    after = np.minimum.accumulate(np.where(rows.seen, numbers, len(rows))[::-1])[::-1]
    has_before = before >= rows.first[rows.sequence]
    has_after = after <= rows.last[rows.sequence]
    chosen = np.flatnonzero(~rows.seen & rows.veiled)
    nearest = np.full(len(rows), np.inf)
    for known, other in ((has_before, before), (has_after, after)):
        part = chosen[known[chosen]]
        distance = np.abs(rows.frames[part] - rows.frames[other[part]])
        nearest[part] = np.minimum(nearest[part], distance)
    is_between = (has_before & has_after)[chosen]
    reached = 1 - np.exp(-nearest[chosen] / (weights.undetected_seconds * rows.rate))
    return rows.per_frame(chosen, np.where(is_between, weights.gap, weights.lost) * reached)


def low_scores(rows: Rows, weights: RiskWeights, accept_score: float) -> Hazard:
    """Detections below the detector's own threshold, by how far they are below it."""
    chosen = np.flatnonzero((rows.provenance == Provenance.LOW_SCORE) & rows.veiled)
    span = max(accept_score - LOW_SCORE, 1e-6)
    below = ((accept_score - rows.scores[chosen]) / span).clip(0, 1)
    return rows.per_frame(chosen, weights.low_score * below)


def motion(rows: Rows, weights: RiskWeights) -> Hazard:
    """Faces that move far from one frame to the next, as in a quick pan."""
    after = np.flatnonzero((np.diff(rows.frames) == 1) & (np.diff(rows.sequence) == 0)) + 1
    after = after[rows.veiled[after]]
    way = centres(rows.boxes[after]) - centres(rows.boxes[after - 1])
    steps = np.hypot(way[:, 0], way[:, 1]) / sizes(rows.boxes[after])
    return rows.per_frame(after, weights.motion * (steps / 0.5) ** 2)


def crossings(rows: Rows, weights: RiskWeights) -> Hazard:
    """Pairs of boxes that overlap, at least one of them veiled: one may be taken for the other."""
    total = np.zeros(rows.frame_count)
    order = rows.by_frame
    for start in range(0, len(order), _BLOCK):
        left = np.arange(start, min(start + _BLOCK, len(order)))
        step = 1
        while len(left):
            left = left[left + step < len(order)]
            a, b = order[left], order[left + step]
            together = rows.frames[a] == rows.frames[b]
            left, a, b = left[together], a[together], b[together]
            overlap = share_of_smaller(rows.boxes[a], rows.boxes[b])
            differ = rows.veiled[a] != rows.veiled[b]
            hazard = np.where(differ, weights.crossing_kept, weights.crossing) * overlap
            hazard[~rows.veiled[a] & ~rows.veiled[b]] = 0
            total += rows.per_frame(a, hazard)
            step += 1
    return total


@dataclass(frozen=True, slots=True, eq=False)
class _Ends:
    """Ends of veiled sequences in mid-picture, on one side: where a face was lost or appeared.

    `frames` [m] are the frames just outside, `boxes` [m, 4] the outermost boxes, `shots` [m].
    """

    frames: Indices
    boxes: Floats
    shots: Indices


def open_ends(rows: Rows, *, forward: bool) -> _Ends:
    """The ends (or, not `forward`, the starts) of veiled sequences at which a face may go on.

    Left out are those at a cut, at the edge of the picture, where another sequence covers the
    place, and where a person set the end.
    """
    outermost = (rows.last if forward else rows.first)[rows.is_veiled]
    frames = rows.frames[outermost].astype(np.int64) + (1 if forward else -1)
    shots = rows.shot_of(rows.frames[outermost])
    inside = (frames >= rows.shot_starts[shots]) & (frames < rows.shot_stops[shots])
    boxes = rows.boxes[outermost]
    margin = _AT_THE_EDGE * sizes(boxes)
    inside &= (boxes[:, 0] > margin) & (boxes[:, 2] < rows.width - margin)
    inside &= (boxes[:, 1] > margin) & (boxes[:, 3] < rows.height - margin)
    inside &= rows.provenance[outermost] != Provenance.MANUAL
    frames, boxes, shots = frames[inside], boxes[inside], shots[inside]
    alone = ~_taken_over(rows, frames, boxes)
    return _Ends(frames[alone], boxes[alone], shots[alone])


def _taken_over(rows: Rows, frames: Indices, boxes: Floats) -> Bools:
    """bool [m]: whether some box of these frames [m] is in the place of the boxes [m, 4]."""
    taken = np.zeros(len(frames), bool)
    start, stop = rows.starts[frames], rows.starts[frames + 1]
    step = 0
    while (open_ := np.flatnonzero((start + step < stop) & ~taken)).size:
        others = rows.boxes[rows.by_frame[start[open_] + step]]
        taken[open_] = share_of_smaller(others, boxes[open_]) >= _SAME_PLACE
        step += 1
    return taken


def lost_and_found(rows: Rows, weights: RiskWeights) -> tuple[Hazard, Hazard, Hazard]:
    """Frames behind ends, before starts, and in holes between an end and a start."""
    ends, starts = open_ends(rows, forward=True), open_ends(rows, forward=False)
    decay = np.exp(-1 / (weights.end_seconds * rows.rate))
    behind = _decaying(ends.frames, rows.shot_stops[ends.shots], decay, rows.frame_count)
    mirrored = rows.frame_count - 1 - starts.frames
    stops = rows.frame_count - rows.shot_starts[starts.shots]
    ahead = _decaying(mirrored, stops, decay, rows.frame_count)[::-1]
    holes = _holes(ends, starts, round(weights.hole_seconds * rows.rate), rows.frame_count)
    return weights.end * behind, weights.begin * ahead, weights.hole * holes


def _decaying(firsts: Indices, stops: Indices, decay: float, frame_count: int) -> Hazard:
    """Sum over pulses that are 1 on their first frame, fall by `decay` a frame, and then stop."""
    from scipy.signal import lfilter  # slow to import

    change = np.bincount(firsts, minlength=frame_count + 1).astype(np.float64)
    change -= np.bincount(stops, decay ** (stops - firsts), frame_count + 1)
    pulses = lfilter([1.0], [1.0, -decay], change)[:frame_count]
    return np.where(pulses > _ROUNDING, pulses, 0.0)


def _holes(ends: _Ends, starts: _Ends, longest: int, frame_count: int) -> Hazard:
    """How many faces may be missing: each end is paired with the next start that may be its."""
    order = np.argsort(starts.frames, kind="stable")
    frames, boxes, shots = starts.frames[order], starts.boxes[order], starts.shots[order]
    candidate = np.searchsorted(frames, ends.frames)
    waiting = np.arange(len(ends.frames))
    change = np.zeros(frame_count + 1)
    while waiting.size:
        waiting = waiting[candidate[waiting] < len(frames)]
        found = candidate[waiting]
        gap = frames[found] - ends.frames[waiting]
        near = (gap < longest) & (shots[found] == ends.shots[waiting])
        waiting, found, gap = waiting[near], found[near], gap[near]
        same = _may_be_one(ends.boxes[waiting], boxes[found], gap)
        np.add.at(change, ends.frames[waiting[same]], 1)
        np.add.at(change, frames[found[same]] + 1, -1)
        waiting = waiting[~same]
        candidate[waiting] += 1
    return np.cumsum(change)[:frame_count]


def _may_be_one(lost: Floats, found: Floats, gap: Indices) -> Bools:
    """bool [m]: whether a face could go from one box [m, 4] to another in so many frames [m]."""
    lost_size, found_size = sizes(lost), sizes(found)
    way = centres(found) - centres(lost)
    reach = (1 + _REACH * gap) * np.maximum(lost_size, found_size)
    ratio = np.maximum(lost_size, found_size) / np.minimum(lost_size, found_size)
    return np.asarray((np.hypot(way[:, 0], way[:, 1]) <= reach) & (ratio <= _SAME_SIZE))


def uncertainty(rows: Rows, decisions: Sequence[Decision], weights: RiskWeights) -> Hazard:
    """Faces whose identity is uncertain, more so in frames that show a person who is kept."""
    uncertain = np.array([item.uncertain for item in decisions], bool)
    chosen = np.flatnonzero(uncertain[rows.sequence])
    kept = np.zeros(rows.frame_count, bool)
    kept[rows.frames[~rows.veiled]] = True
    return rows.per_frame(chosen, weights.uncertain * (1.0 + kept[rows.frames[chosen]]))


def findings(verification: Verification, rows: Rows, weights: RiskWeights) -> Hazard:
    """Frames in which verification found a face or what may be one, and those around them.

    Verification looks at a sample of the frames, so what it found goes on beside it.
    """
    total = np.zeros(rows.frame_count)
    for frames, weight in (
        ([item.frame for item in verification.violations], weights.found),
        ([frame for frame, _ in verification.doubtful], weights.doubtful),
    ):
        numbers = np.array(frames, np.int64)
        numbers = numbers[numbers < rows.frame_count]
        shots = rows.shot_of(numbers)
        decay = np.exp(-1 / (weights.found_seconds * rows.rate))
        total += weight * _decaying(numbers, rows.shot_stops[shots], decay, rows.frame_count)
        mirrored = rows.frame_count - 1 - numbers
        stops = rows.frame_count - rows.shot_starts[shots]
        before = _decaying(mirrored, stops, decay, rows.frame_count)[::-1]
        total += weight * before
    return total


def unknown(analysis: Analysis, rows: Rows, weights: RiskWeights) -> Hazard:
    """Frames that could not be analysed."""
    total = np.zeros(rows.frame_count)
    total[analysis.unknown_frames] = weights.unknown
    return total


def empty_shots(rows: Rows, weights: RiskWeights) -> Hazard:
    """Frames of shots in which no face was found."""
    faces = np.bincount(rows.shot_of(rows.frames), minlength=len(rows.shot_starts))
    lengths = rows.shot_stops - rows.shot_starts
    return np.repeat(np.where(faces == 0, weights.empty, 0.0), lengths)
