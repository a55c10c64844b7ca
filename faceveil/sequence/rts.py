"""Filling and smoothing in one pass: the Rauch-Tung-Striebel smoother.

A face moves and grows at a speed that changes at random, and each detected box is its place and
size with an error. The smoother computes the most likely path over all frames, with or without a
box, from everything before and after: what the learned sequence models of the thesis (3.1.12, 4.8)
were meant to do. Its forward and backward passes are the two substitutions of a banded Cholesky
factorisation, which is how it is solved here: the same path, without a loop over frames.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from faceveil.boxes import from_curves, to_curves
from faceveil.faces import FaceSequence, Provenance
from faceveil.sequence.widen import widen

Doubles = NDArray[np.float64]

RTS = "rts"
WINDOWS_PER_MEMORY = 4.0
"""A window of n frames stands for a memory of n / 4: as smooth as a Gaussian of that window."""
DOUBT = {Provenance.LOW_SCORE: 4.0, Provenance.INTERPOLATED: 4.0}
"""How much larger the variance of such a box is than that of a detected one."""


def fill_and_smooth(sequence: FaceSequence, window: int = 9) -> FaceSequence:
    """Fill and smooth a sequence, so that it has a box on every frame from first to last.

    Parameters
    ----------
    sequence : FaceSequence
    window : int
        How smooth, in frames, odd: as for the filters of `smooth`.

    Returns
    -------
    FaceSequence
        Boxes still contain every detected box (`widen`); new ones have score 0 and provenance
        INTERPOLATED.

    Notes
    -----
    Rauch, Tung and Striebel, 1965. The centre and the logarithms of the sides follow a
    constant-velocity model each.
    """
    known = to_curves(sequence.boxes).astype(np.float64)
    missing = np.setdiff1d(
        np.arange(sequence.first, sequence.last + 1, dtype=np.int32), sequence.frames
    )
    certainty = np.zeros(sequence.last - sequence.first + 1)
    doubt = [DOUBT.get(Provenance(kind), 1.0) for kind in sequence.provenance.tolist()]
    certainty[sequence.frames - sequence.first] = 1 / np.array(doubt)
    curves = np.zeros((len(certainty), 4))
    curves[sequence.frames - sequence.first] = known
    smoothed = most_likely_path(curves, certainty, window / WINDOWS_PER_MEMORY)
    # A speed must not carry a face far through a long gap: it stays near its known boxes.
    low, high = known.min(axis=0), known.max(axis=0)
    smoothed = np.clip(smoothed, 2 * low - high, 2 * high - low)
    filled = sequence.with_boxes(
        missing,
        from_curves(smoothed[missing - sequence.first]),
        Provenance.INTERPOLATED,
    )
    return replace(filled, boxes=widen(from_curves(smoothed), filled, window))


def most_likely_path(observed: Doubles, certainty: Doubles, memory: float) -> Doubles:
    """The path float64 [n, k] of k independent quantities under the constant-velocity model.

    observed: float64 [n, k], of which only rows with certainty above 0 count. certainty: float64
    [n], one over the variance of an observation. memory: frames, the fourth root of the variance
    of an observation of certainty 1 over that of the change of speed in a frame.

    With state (place, speed), transition F and noise covariance Q, the path minimises the sum of
    certainty * (place - observed)^2 and of (x[t + 1] - F x[t])' Q^-1 (x[t + 1] - F x[t]), whose
    normal equations have three diagonals above the main one.
    """
    from scipy.linalg import solveh_banded

    count = len(observed)
    if count < 2:
        return observed.copy()
    transition = np.array([[1.0, 1.0], [0.0, 1.0]])
    precision = np.array([[12.0, -6.0], [-6.0, 4.0]]) * memory**4  # of white acceleration
    step = precision @ transition
    here = transition.T @ step
    diagonal = np.zeros((count, 2, 2))
    diagonal[:-1] += here
    diagonal[1:] += precision
    diagonal[:, 0, 0] += certainty
    diagonal[:, 1, 1] += 1e-9  # a single observation says nothing about speed: at rest
    bands = np.zeros((4, 2 * count))
    bands[3, 0::2], bands[3, 1::2] = diagonal[:, 0, 0], diagonal[:, 1, 1]
    bands[2, 1::2] = diagonal[:, 0, 1]
    # x[t + 1] with x[t]: -Q^-1 F, rows of the later state, columns of the earlier one.
    bands[2, 2::2] = -step[0, 1]
    bands[1, 2::2] = -step[0, 0]
    bands[1, 3::2] = -step[1, 1]
    bands[0, 3::2] = -step[1, 0]
    right = np.zeros((2 * count, observed.shape[1]))
    right[0::2] = certainty[:, None] * observed
    path: Doubles = solveh_banded(bands, right, check_finite=False)[0::2]
    return path
