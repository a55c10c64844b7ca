"""Boxes that move smoothly and cover no less."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from faceveil.boxes import from_curves, to_curves
from faceveil.errors import UsageError
from faceveil.faces import FaceSequence
from faceveil.sequence.widen import widen

Doubles = NDArray[np.float64]


def _moving_average(curve: Doubles, window: int) -> Doubles:
    from scipy.ndimage import uniform_filter1d

    smoothed: Doubles = uniform_filter1d(curve, window, axis=0, mode="reflect")
    return smoothed


def _gaussian(curve: Doubles, window: int) -> Doubles:
    """The window holds two standard deviations to each side."""
    from scipy.ndimage import gaussian_filter1d

    smoothed: Doubles = gaussian_filter1d(
        curve, window / 4, axis=0, mode="reflect", radius=window // 2
    )
    return smoothed


def _savitzky_golay(curve: Doubles, window: int) -> Doubles:
    from scipy.signal import savgol_filter

    smoothed: Doubles = savgol_filter(curve, window, polyorder=2, axis=0, mode="mirror")
    return smoothed


SMOOTHERS: dict[str, Callable[[Doubles, int], Doubles]] = {
    "moving_average": _moving_average,
    "gaussian": _gaussian,
    "savitzky_golay": _savitzky_golay,
}


def smooth(sequence: FaceSequence, method: str = "gaussian", window: int = 9) -> FaceSequence:
    """Smooth the boxes of a sequence so that they still contain every detected box.

    Parameters
    ----------
    sequence : FaceSequence
        Without gaps: frames are taken to be one apart.
    method : str
        A key of SMOOTHERS.
    window : int
        Length of the filter in frames, odd.

    Raises
    ------
    UsageError
        For an unknown method.

    Notes
    -----
    Centre and logarithms of the sides are filtered with a symmetric window, reflected at both ends,
    so that boxes neither lag nor lead. Where a side then cuts into a DETECTED or LOW_SCORE box it
    is moved out again, together with the frames around it, so that the veil does not flicker.
    """
    if method not in SMOOTHERS:
        raise UsageError(f"no smoothing is called {method!r}; use one of {', '.join(SMOOTHERS)}")
    curves = to_curves(sequence.boxes).astype(np.float64)
    boxes = from_curves(SMOOTHERS[method](curves, window))
    return replace(sequence, boxes=widen(boxes, sequence, window))
