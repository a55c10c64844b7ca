"""A selection limited in time: it holds within ranges of frames, everyone is veiled outside.

A facial sequence that crosses the border of a range is split there, so that the part outside is
veiled from exactly that frame on and the part inside keeps its decision.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from faceveil.decisions import Decision
from faceveil.faces import DetectionLog, FaceSequence, Ints
from faceveil.frame_range import FrameRange

if TYPE_CHECKING:
    from faceveil.analysis import Analysis


def limit(analysis: Analysis, times: Sequence[FrameRange]) -> Analysis:
    """The analysis with everyone veiled outside the ranges; without ranges, as it is."""
    if not times:
        return analysis
    split = split_at(analysis.sequences, analysis.detections, times)
    decisions = [
        analysis.decisions[parent] if inside else _outside(analysis.decisions[parent])
        for parent, inside in zip(split.parent.tolist(), split.within.tolist(), strict=True)
    ]
    return replace(
        analysis,
        sequences=split.sequences,
        identities=analysis.identities[split.parent],
        decisions=decisions,
        detections=split.detections,
    )


def _outside(decision: Decision) -> Decision:
    """A decision to veil stays, with its reason; a decision to keep does not hold here, unless a
    person made it."""
    if decision.veil or decision.by is not None:
        return decision
    return Decision(True, "outside the times of the selection, where everyone is veiled")


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """Sequences cut at the borders of ranges, as columns.

    parent int32 [n]: which of the sequences before each is a part of; within bool [n]: whether it
    lies inside the ranges; detections: the log with the new sequence numbers.
    """

    sequences: list[FaceSequence]
    parent: Ints
    within: NDArray[np.bool_]
    detections: DetectionLog


def split_at(
    sequences: Sequence[FaceSequence], detections: DetectionLog, times: Sequence[FrameRange]
) -> Split:
    """Cut each sequence [n] where it crosses a border; the others stay as they are.

    Parts follow each other in order of time, in the place of the sequence they come from. A
    detection goes to the part that holds its frame, or to none (-1, which is always veiled) where
    that part lies on the other side of a border.
    """
    borders = np.array(sorted({b for item in times for b in (item.first, item.end)}), np.int64)
    parts: list[FaceSequence] = []
    parent: list[int] = []
    first_part = np.zeros(len(sequences) + 1, np.int64)
    for index, sequence in enumerate(sequences):
        pieces = _pieces(sequence, borders)
        parts += pieces
        parent += [index] * len(pieces)
        first_part[index + 1] = len(parts)
    starts = np.array([part.first for part in parts], np.int64)
    inside = within(starts, times)
    part_of = _part_of(detections, starts, first_part)
    taken = np.flatnonzero(part_of >= 0)
    other_side = inside[part_of[taken]] != within(detections.frames[taken], times)
    part_of[taken[other_side]] = -1
    return Split(parts, np.array(parent, np.int32), inside, replace(detections, sequence=part_of))


def within(frames: NDArray[np.integer], times: Sequence[FrameRange]) -> NDArray[np.bool_]:
    """Return bool [n]: which frames lie in any of the ranges."""
    inside = np.zeros(len(frames), np.bool_)
    for item in times:
        inside |= (frames >= item.first) & (frames < item.end)
    return inside


def _pieces(sequence: FaceSequence, borders: NDArray[np.int64]) -> list[FaceSequence]:
    cuts = np.unique(np.searchsorted(sequence.frames, borders))
    cuts = cuts[(cuts > 0) & (cuts < len(sequence))]
    if not len(cuts):
        return [sequence]
    edges = [0, *cuts.tolist(), len(sequence)]
    return [_part(sequence, slice(a, b)) for a, b in pairwise(edges)]


def _part(sequence: FaceSequence, rows: slice) -> FaceSequence:
    frames = sequence.frames[rows]
    seen = (sequence.feature_frames >= frames[0]) & (sequence.feature_frames <= frames[-1])
    return replace(
        sequence,
        frames=frames,
        boxes=sequence.boxes[rows],
        scores=sequence.scores[rows],
        provenance=sequence.provenance[rows],
        feature_frames=sequence.feature_frames[seen],
        feature_quality=sequence.feature_quality[seen],
        features=sequence.features[seen],
    )


def _part_of(
    detections: DetectionLog, starts: NDArray[np.int64], first_part: NDArray[np.int64]
) -> Ints:
    """int32 [m]: for each detection the last part of its sequence that begins at or before it."""
    part_of = detections.sequence.copy()
    taken = np.flatnonzero(part_of >= 0)
    owner, frames = detections.sequence[taken], detections.frames[taken]
    first, place = first_part[owner], first_part[owner + 1] - 1
    # Parts of one sequence are few: step back over those that begin later.
    while (late := (place > first) & (starts[place] > frames)).any():
        place[late] -= 1
    part_of[taken] = place
    return part_of
