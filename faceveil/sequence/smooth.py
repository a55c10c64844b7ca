"""Boxes that move without trembling, and cover no less."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d, maximum_filter1d, uniform_filter1d

from faceveil.errors import UsageError
from faceveil.faces import FaceSequence, Floats, Provenance
from faceveil.sequence.geometry import from_curves, to_curves

Doubles = NDArray[np.float64]


def _savitzky_golay(curve: Doubles, window: int) -> Doubles:
    from scipy.signal import savgol_filter  # a third of the command's start, for this filter only

    smoothed: Doubles = savgol_filter(curve, window, polyorder=2, axis=0, mode="mirror")
    return smoothed


SMOOTHERS: dict[str, Callable[[Doubles, int], Doubles]] = {
    "moving_average": lambda curve, window: uniform_filter1d(curve, window, axis=0, mode="reflect"),
    # The window holds two standard deviations to each side.
    "gaussian": lambda curve, window: gaussian_filter1d(
        curve, window / 4, axis=0, mode="reflect", radius=window // 2
    ),
    "savitzky_golay": _savitzky_golay,
}


def smooth(sequence: FaceSequence, method: str = "gaussian", window: int = 9) -> FaceSequence:
    """The sequence with smoothed boxes that still hold every box that was seen.

    Centre and logarithm of size are filtered with a symmetric window (odd, in frames; reflected
    at both ends), so that boxes neither lag nor lead. Where a side then cuts into a DETECTED or
    LOW_SCORE box it is moved out again, together with the frames around it, so that the veil
    does not flicker. Fill the gaps first: frames are taken to be one apart. method: a key of
    SMOOTHERS; UsageError otherwise.
    """
    if method not in SMOOTHERS:
        raise UsageError(f"no smoothing is called {method!r}; use one of {', '.join(SMOOTHERS)}")
    curves = to_curves(sequence.boxes).astype(np.float64)
    boxes = from_curves(SMOOTHERS[method](curves, window))
    return replace(sequence, boxes=_widen(boxes, sequence, window))


def _widen(boxes: Floats, sequence: FaceSequence, window: int) -> Floats:
    """Boxes moved outwards until they hold the boxes seen.

    The largest deficit in the window around each frame, averaged over the same window, is
    never less than the deficit of the frame itself.
    """
    seen = (sequence.provenance == Provenance.DETECTED) | (
        sequence.provenance == Provenance.LOW_SCORE
    )
    outwards = np.array([-1, -1, 1, 1], np.float32)
    deficit = np.where(seen[:, None], np.maximum((sequence.boxes - boxes) * outwards, 0), 0)
    steady = uniform_filter1d(maximum_filter1d(deficit, window, axis=0), window, axis=0)
    wide = boxes + outwards * steady
    held = np.where(
        outwards < 0, np.minimum(wide, sequence.boxes), np.maximum(wide, sequence.boxes)
    )
    return np.where(seen[:, None], held, wide).astype(np.float32)
