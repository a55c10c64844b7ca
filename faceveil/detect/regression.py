"""Boxes moved by a network's regression, made square, and cut out of the picture."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from faceveil.faces import Floats


def refine(boxes: Floats, regression: Floats) -> Floats:
    """Move each edge by `regression` [n, 4], given in widths and heights of its box."""
    sides = boxes[:, 2:] - boxes[:, :2]
    moved: Floats = boxes + regression * np.concatenate([sides, sides], axis=1)
    return moved


def squares(boxes: Floats) -> Floats:
    """The smallest squares around the same centres."""
    centre = (boxes[:, :2] + boxes[:, 2:]) / 2
    half = (boxes[:, 2:] - boxes[:, :2]).max(axis=1, keepdims=True) / 2
    return np.concatenate([centre - half, centre + half], axis=1)


def crop_matrices(boxes: Floats, size: int) -> Floats:
    """Affine maps float32 [n, 2, 3] from crops of size x size pixels to the boxes, edge to edge."""
    matrices: NDArray[Any] = np.zeros((len(boxes), 2, 3), np.float32)
    matrices[:, 0, 0] = (boxes[:, 2] - boxes[:, 0]) / size
    matrices[:, 1, 1] = (boxes[:, 3] - boxes[:, 1]) / size
    matrices[:, :, 2] = boxes[:, :2]
    return matrices
