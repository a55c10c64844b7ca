"""Geometry of boxes: sides, areas, overlaps, suppression, curves.

Boxes are `x1, y1, x2, y2` in pixels: edges, so that a box of one pixel is 1 wide.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from faceveil.faces import Floats

SMALLEST_SIDE = 1e-3
SMALLEST_AREA = np.float32(SMALLEST_SIDE**2)
Measure = Literal["union", "minimum"]
Indices = NDArray[np.intp]
_BLOCK = 32
"""Boxes whose overlaps with all others are computed at once."""


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
    """Areas float32 [...] of boxes [..., 4]; 0 for a box turned inside out."""
    # Side by side rather than by `sides`: NumPy is slow along an axis of two.
    width = np.maximum(boxes[..., 2] - boxes[..., 0], np.float32(0))
    height = np.maximum(boxes[..., 3] - boxes[..., 1], np.float32(0))
    return np.asarray(width * height, np.float32)


def intersections(a: Floats, b: Floats) -> Floats:
    """Areas float32 [...] that boxes [..., 4] share, broadcast against each other."""
    width = np.minimum(a[..., 2], b[..., 2]) - np.maximum(a[..., 0], b[..., 0])
    height = np.minimum(a[..., 3], b[..., 3]) - np.maximum(a[..., 1], b[..., 1])
    return np.asarray(np.maximum(width, 0) * np.maximum(height, 0), np.float32)


def iou(a: Floats, b: Floats) -> Floats:
    """Intersection over union of boxes [..., 4], broadcast against each other."""
    shared = intersections(a, b)
    whole = np.maximum(areas(a) + areas(b) - shared, SMALLEST_AREA)
    return np.asarray(shared / whole, np.float32)


def overlaps(boxes: Floats, others: Floats, measure: Measure = "union") -> Floats:
    """How much each box overlaps each other one, float32 [n, m] in 0..1.

    "union" divides the shared area by that of both together (IoU); "minimum" by that of the
    smaller box, so that a box inside another counts as 1.
    """
    a, b = boxes[:, None], others[None]
    if measure == "union":
        return iou(a, b)
    smaller = np.maximum(np.minimum(areas(a), areas(b)), SMALLEST_AREA)
    return np.asarray(intersections(a, b) / smaller, np.float32)


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


def clip(boxes: Floats, width: int, height: int) -> Floats:
    """Boxes cut off at the edges of a picture."""
    limit = np.array([width, height, width, height], np.float32)
    cut: Floats = np.clip(boxes, 0, limit)
    return cut
