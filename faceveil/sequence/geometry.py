"""Boxes as centre and size, and back."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from faceveil.faces import Floats

SMALLEST_SIDE = 1e-3


def centres(boxes: Floats) -> Floats:
    """Centres float32 [..., 2] of boxes [..., 4]."""
    middle: Floats = np.multiply(boxes[..., :2] + boxes[..., 2:], 0.5, dtype=np.float32)
    return middle


def sides(boxes: Floats) -> Floats:
    """Width and height float32 [..., 2] of boxes [..., 4], never zero."""
    lengths: Floats = np.maximum(boxes[..., 2:] - boxes[..., :2], np.float32(SMALLEST_SIDE))
    return lengths


def from_centres(centre: NDArray[np.floating], side: NDArray[np.floating]) -> Floats:
    """Boxes float32 [..., 4] from their centres [..., 2] and width and height [..., 2]."""
    half = side * 0.5
    return np.concatenate([centre - half, centre + half], axis=-1).astype(np.float32, copy=False)


def to_curves(boxes: Floats) -> Floats:
    """Boxes [n, 4] as what moves evenly: centre and logarithm of width and height, [n, 4].

    A face coming nearer grows by a factor a frame, not by a number of pixels; and no curve
    through logarithms can turn a box inside out.
    """
    return np.concatenate([centres(boxes), np.log(sides(boxes))], axis=-1)


def from_curves(curves: NDArray[np.floating]) -> Floats:
    """The inverse of `to_curves`."""
    return from_centres(curves[..., :2], np.exp(curves[..., 2:]))


def areas(boxes: Floats) -> Floats:
    """Areas float32 [...] of boxes [..., 4], never zero."""
    # Side by side rather than by `sides`: NumPy is slow along an axis of two.
    width = np.maximum(boxes[..., 2] - boxes[..., 0], np.float32(SMALLEST_SIDE))
    height = np.maximum(boxes[..., 3] - boxes[..., 1], np.float32(SMALLEST_SIDE))
    return np.asarray(width * height, np.float32)


def iou(a: Floats, b: Floats) -> Floats:
    """Intersection over union of boxes [..., 4], broadcast against each other."""
    width = np.minimum(a[..., 2], b[..., 2]) - np.maximum(a[..., 0], b[..., 0])
    height = np.minimum(a[..., 3], b[..., 3]) - np.maximum(a[..., 1], b[..., 1])
    shared = np.maximum(width, 0) * np.maximum(height, 0)
    whole = areas(a) + areas(b) - shared
    return np.asarray(shared / whole, np.float32)
