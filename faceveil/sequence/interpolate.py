"""Boxes for the frames between two detections."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faceveil.boxes import from_curves, to_curves
from faceveil.errors import UsageError
from faceveil.faces import FaceSequence, Ints, Provenance

Doubles = NDArray[np.float64]
Curve = Callable[[Ints], Any]


def _pchip(frames: Ints, values: Doubles) -> Curve:
    from scipy.interpolate import PchipInterpolator

    return PchipInterpolator(frames, values)


def _linear(frames: Ints, values: Doubles) -> Curve:
    from scipy.interpolate import make_interp_spline

    return make_interp_spline(frames, values, k=1)


def _cubic(frames: Ints, values: Doubles) -> Curve:
    from scipy.interpolate import CubicSpline

    return CubicSpline(frames, values)


def _akima(frames: Ints, values: Doubles) -> Curve:
    from scipy.interpolate import Akima1DInterpolator

    return Akima1DInterpolator(frames, values)


def _nearest(frames: Ints, values: Doubles) -> Curve:
    from scipy.interpolate import interp1d

    return interp1d(frames, values, kind="nearest", axis=0)


INTERPOLATORS: dict[str, Callable[[Ints, Doubles], Curve]] = {
    "pchip": _pchip,
    "linear": _linear,
    "cubic": _cubic,
    "akima": _akima,
    "nearest": _nearest,
}


def interpolate(sequence: FaceSequence, method: str = "pchip") -> FaceSequence:
    """Fill the gaps of a sequence, so that it has a box on every frame from first to last.

    Parameters
    ----------
    sequence : FaceSequence
    method : str
        A key of INTERPOLATORS.

    Returns
    -------
    FaceSequence
        Known boxes stay as they are; new ones have score 0 and provenance INTERPOLATED.

    Raises
    ------
    UsageError
        For an unknown method.

    Notes
    -----
    Centre and logarithm of the sides are interpolated (thesis section 3.1.4). However long a gap
    is, it is filled: a face that is covered before and after is covered between.
    """
    if method not in INTERPOLATORS:
        raise UsageError(
            f"no interpolation is called {method!r}; use one of {', '.join(INTERPOLATORS)}"
        )
    span = np.arange(sequence.first, sequence.last + 1, dtype=np.int32)
    if len(span) == len(sequence):
        return sequence
    missing = np.setdiff1d(span, sequence.frames, assume_unique=True)
    known = to_curves(sequence.boxes).astype(np.float64)
    curve = INTERPOLATORS[method](sequence.frames, known)
    # Splines overshoot without bound in long gaps; a face stays near where and how large it was.
    low, high = known.min(axis=0), known.max(axis=0)
    filled = np.clip(curve(missing), 2 * low - high, 2 * high - low)
    return sequence.with_boxes(missing, from_curves(filled), Provenance.INTERPOLATED)
