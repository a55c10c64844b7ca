"""How far a sequence goes on without detections: as far as its detections have earned.

Following by pixels holds on to a vase as firmly as to a face. What tells them apart is the
detector: a face is detected in most frames and sometimes clearly, anything else in some frames
and hardly ever clearly. What the detector accepted stays veiled in any case ("coverage").
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from faceveil.faces import LOW_SCORE, FaceSequence, Floats, Provenance

FRAMES_EACH = 10
"""Frames that a clear detection earns: as many as the extension adds."""
CLEAR_SCORE = 0.75
"""Hardly any box on something else reaches this score; nine in ten boxes on faces do."""
STEEPNESS = 3
LEAST_EARNED = 0.65
"""In clear detections; less earns nothing."""
LOW_SCORE_SHARE = 0.5
"""A box with a low score counts as half a detection."""
NEAREST = 64
"""The boxes nearest to an end that count there."""
STEADY_SCORE, STEADY_GAP = 0.3, 3
"""Low scores from this on, at most so many frames apart, are a face that is still there."""


def reach(
    sequence: FaceSequence, analysed_until: NDArray[np.int64] | None = None
) -> tuple[int, int]:
    """Return the first and the last frame up to which a sequence may be followed.

    Parameters
    ----------
    sequence : FaceSequence
        Before anything was added to its detections.
    analysed_until : ndarray of int64 [frames], optional
        The number of analysed frames up to each frame; by default all were analysed.

    Returns
    -------
    first, last : int
        They include every accepted box. Boxes with a low score may lie beyond.

    Notes
    -----
    The boxes from any one to another earn together. Each has a weight, 1 for a clear one and nearly
    0 at the lowest score. They earn the weight of the clearest, multiplied by one more than the
    weights of the others, and by the density: the share of analysed frames between them in which
    there is a box. So ten unclear detections earn less than two clear ones: on a vase they are
    equally unclear in each frame and say no more than the first. A further detection never shortens
    the reach of the others.
    """
    seen = sequence.provenance <= Provenance.LOW_SCORE
    frames, scores = sequence.frames[seen].astype(np.int64), sequence.scores[seen]
    accepted = sequence.provenance[seen] == Provenance.DETECTED
    time = frames if analysed_until is None else analysed_until[frames].astype(np.int64)
    ahead, back = slice(-NEAREST, None), slice(NEAREST - 1, None, -1)
    if len(frames) <= NEAREST:
        back = slice(None, None, -1)
    last = _reach(frames[ahead], time[ahead], scores[ahead], accepted[ahead])
    first = -_reach(-frames[back], -time[back], scores[back], accepted[back])
    return first, last


def within(sequence: FaceSequence, first: int, last: int) -> FaceSequence:
    """Return the boxes of a sequence from frame `first` to frame `last`."""
    low, high = np.searchsorted(sequence.frames, [first, last + 1])
    if high - low == len(sequence):
        return sequence
    return replace(
        sequence,
        frames=sequence.frames[low:high],
        boxes=sequence.boxes[low:high],
        scores=sequence.scores[low:high],
        provenance=sequence.provenance[low:high],
    )


def _reach(
    frames: NDArray[np.int64],
    time: NDArray[np.int64],
    scores: Floats,
    accepted: NDArray[np.bool_],
) -> int:
    """The last frame that the boxes have earned, in the direction in which their frames rise."""
    earned = frames + _earned(time, scores, np.where(accepted, 1.0, LOW_SCORE_SHARE))
    steady = (scores >= np.float32(STEADY_SCORE)) & (
        np.diff(frames, prepend=frames[0]) <= STEADY_GAP
    )
    end = int(frames[0])
    for row in range(len(frames)):
        held = frames[row] <= end or (steady[row] and frames[row - 1] <= end)
        if accepted[row] or held:
            end = max(end, int(earned[row]))
    return end


def _earned(
    time: NDArray[np.int64], scores: Floats, shares: NDArray[np.float64]
) -> NDArray[np.int64]:
    """Frames int64 [n] that each box earns with as many of those before it as earn most."""
    weights = np.clip((scores - LOW_SCORE) / (CLEAR_SCORE - LOW_SCORE), 0, 1) ** STEEPNESS * shares
    weight, count = (np.concatenate([[0.0], np.cumsum(part)]) for part in (weights, shares))
    last, first = np.tril_indices(len(time))
    clearest = np.zeros((len(time), len(time)))
    clearest[last, first] = weights[first]
    clearest = np.maximum.accumulate(clearest[:, ::-1], axis=1)[:, ::-1][last, first]
    others = weight[last + 1] - weight[first] - clearest
    density = (count[last + 1] - count[first]) / (time[last] - time[first] + 1)
    clear = clearest * (1 + others) * np.minimum(density, 1)
    best = np.zeros(len(time))
    np.maximum.at(best, last, np.where(clear >= LEAST_EARNED, clear, 0))
    return np.floor(best * FRAMES_EACH).astype(np.int64)
