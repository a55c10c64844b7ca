"""What makes it likely that a frame shows a face: one function for each cause, over columns.

A hazard is the expected number of such faces, as far as it can be told from an analysis: hazards
add up. All functions return float64 [frames].
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from faceveil.analysis import Analysis
from faceveil.assure.lost_faces import decaying
from faceveil.assure.risk_rows import SAME_PLACE, Hazard, RiskWeights, Rows
from faceveil.assure.verification import Verification
from faceveil.boxes import centres, share_of_smaller, sizes
from faceveil.decisions import Decision
from faceveil.faces import LOW_SCORE, Floats, Provenance
from faceveil.leftovers import Leftovers

_BLOCK = 1 << 18
"""Boxes that are compared at once."""
_LEAST_PART = 0.05
"""What a leftover with the lowest score counts among those of one place."""
_MOST_COMPARED = 100
"""Leftovers that each is compared with before and after it; a crowd may hold more."""


def undetected(rows: Rows, weights: RiskWeights) -> Hazard:
    """Boxes that were followed or computed, by the time to the nearest detection."""
    numbers = np.arange(len(rows))
    before = np.maximum.accumulate(np.where(rows.seen, numbers, -1))
    after = np.minimum.accumulate(np.where(rows.seen, numbers, len(rows))[::-1])[::-1]
    has_before = before >= rows.first[rows.sequence]
    has_after = after <= rows.last[rows.sequence]
    chosen = np.flatnonzero(~rows.seen & rows.veiled)
    nearest, moved = np.full(len(rows), np.inf), np.zeros(len(rows))
    for known, other in ((has_before, before), (has_after, after)):
        part = chosen[known[chosen]]
        distance = np.abs(rows.frames[part] - rows.frames[other[part]])
        closer = distance < nearest[part]
        part, distance = part[closer], distance[closer]
        nearest[part] = distance
        moved[part] = _moved(rows.boxes[other[part]], rows.boxes[part])
    is_between = (has_before & has_after)[chosen]
    reached = 1 - np.exp(-nearest[chosen] / (weights.undetected_seconds * rows.rate))
    far = 1 - np.exp(-moved[chosen] / weights.undetected_way)
    reached *= weights.still + (1 - weights.still) * far
    clear = np.maximum(rows.clear_at_end, rows.clear_at_start)[rows.sequence[chosen]]
    reached *= weights.faint + (1 - weights.faint) * clear
    return rows.per_frame(chosen, np.where(is_between, weights.gap, weights.lost) * reached)


def _moved(boxes: Floats, later: Floats) -> NDArray[np.float64]:
    """How far boxes [n, 4] moved or grew, in face sizes."""
    way = np.abs(later - boxes).max(axis=1)
    return np.asarray(way / np.maximum(sizes(boxes), 1), np.float64)


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
        total += weight * decaying(numbers, rows.shot_stops[shots], decay, rows.frame_count)
        mirrored = rows.frame_count - 1 - numbers
        stops = rows.frame_count - rows.shot_starts[shots]
        before = decaying(mirrored, stops, decay, rows.frame_count)[::-1]
        total += weight * before
    return total


def leftovers(seen: Leftovers, rows: Rows, weights: RiskWeights, accept_score: float) -> Hazard:
    """Detections with a low score on no sequence: the more of one place, the more surely a face.

    Looking at one of them is enough, because what is drawn there is followed. So the clearest of a
    place and time carries nearly all of the hazard.
    """
    seen = seen.select(~rows.cover(seen.frames.astype(np.int64), seen.boxes))
    span = max(accept_score - LOW_SCORE, 1e-6)
    scores = ((seen.scores - LOW_SCORE) / span).clip(0, 1).astype(np.float64)
    reach = max(1, round(weights.leftover_seconds * rows.rate))
    total, clearest = _of_one_place(seen, scores, rows.shot_of(seen.frames), reach)
    hazard = np.where(clearest, weights.leftover, weights.leftover_again)
    hazard *= 1 - np.exp(-total / weights.leftover_sum)
    return np.asarray(np.bincount(seen.frames, hazard, rows.frame_count), np.float64)


def _of_one_place(
    seen: Leftovers, scores: NDArray[np.float64], shots: NDArray[np.int64], reach: int
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """How much is seen in the place of each, so many frames before and after; is it the clearest?

    Rows that are near in time are near in the columns: each is compared with the next, with the
    next but one and so on.
    """
    parts = scores**2 + _LEAST_PART
    total, clearest = parts.copy(), np.ones(len(seen), bool)
    left = np.arange(len(seen))
    for step in range(1, _MOST_COMPARED + 1):
        left = left[left + step < len(seen)]
        left = left[seen.frames[left + step] - seen.frames[left] <= reach]
        if not left.size:
            break
        same = share_of_smaller(seen.boxes[left], seen.boxes[left + step]) >= SAME_PLACE
        same &= shots[left] == shots[left + step]
        a, b = left[same], left[same] + step
        total[a] += parts[b]
        total[b] += parts[a]
        clearest[np.where(scores[a] >= scores[b], b, a)] = False
    return total, clearest


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
