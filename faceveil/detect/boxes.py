"""Geometry of boxes: overlap, non-maximum suppression, regression, squares.

Boxes are float32 [n, 4] as x1, y1, x2, y2 in pixels: edges, so that a box of one pixel is 1 wide.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from faceveil.faces import Floats

Measure = Literal["union", "minimum"]
Indices = NDArray[np.intp]
_BLOCK = 32
"""Boxes whose overlaps with all others are computed at once."""


def areas(boxes: Floats) -> Floats:
    """Area float32 [n] in square pixels; 0 for a box turned inside out."""
    sides: Floats = np.maximum(boxes[..., 2:] - boxes[..., :2], 0)
    product: Floats = sides[..., 0] * sides[..., 1]
    return product


def overlaps(boxes: Floats, others: Floats, measure: Measure = "union") -> Floats:
    """How much each box overlaps each other one, float32 [n, m] in 0..1.

    "union" divides the shared area by that of both together (IoU); "minimum" by that of the
    smaller box, so that a box inside another counts as 1.
    """
    low = np.maximum(boxes[:, None, :2], others[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], others[None, :, 2:])
    sides = np.maximum(high - low, 0)
    shared = sides[..., 0] * sides[..., 1]
    first, second = areas(boxes)[:, None], areas(others)[None]
    whole = np.minimum(first, second) if measure == "minimum" else first + second - shared
    share: Floats = np.divide(shared, whole, out=np.zeros_like(shared), where=whole > 0)
    return share


def suppress(
    boxes: Floats, scores: Floats, threshold: float, measure: Measure = "union"
) -> Indices:
    """Greedy non-maximum suppression: indices of the boxes kept, best score first.

    A box falls when it overlaps a kept one of higher score by more than `threshold`. Equal
    scores keep their order, so that the answer does not depend on the machine.
    """
    order = np.argsort(-scores, kind="stable")
    kept = [order[:0]]
    while order.size:
        best = order[:_BLOCK]
        falls = overlaps(boxes[best], boxes[order], measure) > threshold
        stands = np.ones(len(best), bool)
        for row in range(len(best)):
            if stands[row]:
                stands[row + 1 :] &= ~falls[row, row + 1 : len(best)]
        kept.append(best[stands])
        order = order[len(best) :][~falls[stands, len(best) :].any(axis=0)]
    return np.concatenate(kept)


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


def clip(boxes: Floats, width: int, height: int) -> Floats:
    """Boxes cut off at the edges of a picture."""
    limit = np.array([width, height, width, height], np.float32)
    cut: Floats = np.clip(boxes, 0, limit)
    return cut


def crop_matrices(boxes: Floats, size: int) -> Floats:
    """Affine maps float32 [n, 2, 3] from crops of size x size pixels to the boxes, edge to edge."""
    matrices: NDArray[Any] = np.zeros((len(boxes), 2, 3), np.float32)
    matrices[:, 0, 0] = (boxes[:, 2] - boxes[:, 0]) / size
    matrices[:, 1, 1] = (boxes[:, 3] - boxes[:, 1]) / size
    matrices[:, :, 2] = boxes[:, :2]
    return matrices
