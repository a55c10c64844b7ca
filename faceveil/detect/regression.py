"""Boxes moved by a network's regression, made square, and cut out of the picture."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from faceveil.boxes import centres, from_centres, sides
from faceveil.faces import Floats


def refine(boxes: Floats, regression: Floats) -> Floats:
    """Return boxes with each edge moved by `regression` [n, 4], in sides of its box."""
    moved: Floats = boxes + regression * np.tile(sides(boxes), 2)
    return moved


def squares(boxes: Floats) -> Floats:
    """Return the smallest squares around boxes [n, 4] with the same centres."""
    return from_centres(centres(boxes), sides(boxes).max(axis=1, keepdims=True))


def crop_matrices(boxes: Floats, size: int) -> Floats:
    """Return affine maps float32 [n, 2, 3] from crops of size x size pixels to boxes [n, 4]."""
    matrices: NDArray[Any] = np.zeros((len(boxes), 2, 3), np.float32)
    matrices[:, [0, 1], [0, 1]] = sides(boxes) / size
    matrices[:, :, 2] = boxes[:, :2]
    return matrices
