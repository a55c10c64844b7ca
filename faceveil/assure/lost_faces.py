"""Faces that were lost or appeared in mid-picture: the frames behind, before and between them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from faceveil.assure.risk_rows import Bools, Hazard, Indices, RiskWeights, Rows
from faceveil.boxes import centres, sizes
from faceveil.faces import Floats, Provenance

_AT_THE_EDGE = 0.15
"""A face is at the edge of the picture when it is nearer to it than this share of its size."""
_REACH = 0.1
"""Face sizes that a lost face may move in a frame."""
_SAME_SIZE = 2.0
"""Largest ratio of the sizes of two boxes that may be one face."""
_ROUNDING = 1e-9
"""Where a pulse has stopped, so much of it may be left."""


@dataclass(frozen=True, slots=True, eq=False)
class _Ends:
    """Ends of veiled sequences in mid-picture, on one side: where a face was lost or appeared.

    `frames` [m] are the frames just outside, `boxes` [m, 4] the outermost boxes, `shots` [m].
    `weights` [m] say how surely a face was seen up to there, and that it did not leave the picture.
    """

    frames: Indices
    boxes: Floats
    shots: Indices
    weights: NDArray[np.float64]


def open_ends(rows: Rows, weights: RiskWeights, *, forward: bool) -> _Ends:
    """The ends (or, not `forward`, the starts) of veiled sequences at which a face may go on.

    Left out are those at a cut, where another sequence covers the place, and where a person set
    the end. A clear face does not vanish: it weighs more than one that faded, and more than
    something that was detected a few times and is probably no face.
    """
    outermost = (rows.last if forward else rows.first)[rows.is_veiled]
    clear = rows.clear_at_end if forward else rows.clear_at_start
    certainty = weights.faint + (1 - weights.faint) * clear[rows.is_veiled]
    frames = rows.frames[outermost].astype(np.int64) + (1 if forward else -1)
    shots = rows.shot_of(rows.frames[outermost])
    inside = (frames >= rows.shot_starts[shots]) & (frames < rows.shot_stops[shots])
    boxes = rows.boxes[outermost]
    margin = _AT_THE_EDGE * sizes(boxes)
    whole = (boxes[:, 0] > margin) & (boxes[:, 2] < rows.width - margin)
    whole &= (boxes[:, 1] > margin) & (boxes[:, 3] < rows.height - margin)
    certainty = certainty * np.where(whole, 1.0, weights.edge)
    inside &= rows.provenance[outermost] != Provenance.MANUAL
    inside &= certainty > 0
    frames, boxes, shots = frames[inside], boxes[inside], shots[inside]
    alone = ~rows.cover(frames, boxes)
    return _Ends(frames[alone], boxes[alone], shots[alone], certainty[inside][alone])


def lost_and_found(rows: Rows, weights: RiskWeights) -> tuple[Hazard, Hazard, Hazard]:
    """Frames behind ends, before starts, and in holes between an end and a start."""
    ends, starts = (open_ends(rows, weights, forward=forward) for forward in (True, False))
    decay = np.exp(-1 / (weights.end_seconds * rows.rate))
    stops = rows.shot_stops[ends.shots]
    behind = decaying(ends.frames, stops, decay, rows.frame_count, ends.weights)
    mirrored = rows.frame_count - 1 - starts.frames
    stops = rows.frame_count - rows.shot_starts[starts.shots]
    ahead = decaying(mirrored, stops, decay, rows.frame_count, starts.weights)[::-1]
    holes = _holes(ends, starts, round(weights.hole_seconds * rows.rate), rows.frame_count)
    return weights.end * behind, weights.begin * ahead, weights.hole * holes


def decaying(
    firsts: Indices,
    stops: Indices,
    decay: float,
    frame_count: int,
    heights: NDArray[np.float64] | float = 1.0,
) -> Hazard:
    """Sum over pulses of these heights that fall by `decay` a frame from the first, then stop."""
    from scipy.signal import lfilter  # slow to import

    heights = np.broadcast_to(heights, firsts.shape)
    change = np.bincount(firsts, heights, frame_count + 1)
    change -= np.bincount(stops, heights * decay ** (stops - firsts), frame_count + 1)
    pulses = lfilter([1.0], [1.0, -decay], change)[:frame_count]
    return np.where(pulses > _ROUNDING, pulses, 0.0)


def _holes(ends: _Ends, starts: _Ends, longest: int, frame_count: int) -> Hazard:
    """How many faces may be missing: each end is paired with the next start that may be its."""
    order = np.argsort(starts.frames, kind="stable")
    frames, boxes, shots = starts.frames[order], starts.boxes[order], starts.shots[order]
    heights = starts.weights[order]
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
        both = np.sqrt(ends.weights[waiting[same]] * heights[found[same]])
        np.add.at(change, ends.frames[waiting[same]], both)
        np.add.at(change, frames[found[same]] + 1, -both)
        waiting = waiting[~same]
        candidate[waiting] += 1
    return np.maximum(np.cumsum(change)[:frame_count], 0)


def _may_be_one(lost: Floats, found: Floats, gap: Indices) -> Bools:
    """bool [m]: whether a face could go from one box [m, 4] to another in so many frames [m]."""
    lost_size, found_size = sizes(lost), sizes(found)
    way = centres(found) - centres(lost)
    reach = (1 + _REACH * gap) * np.maximum(lost_size, found_size)
    ratio = np.maximum(lost_size, found_size) / np.minimum(lost_size, found_size)
    return np.asarray((np.hypot(way[:, 0], way[:, 1]) <= reach) & (ratio <= _SAME_SIZE))
