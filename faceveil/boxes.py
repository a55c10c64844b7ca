"""Geometry of boxes: centres, sides, areas, overlaps, suppression, curves.

Boxes are `x1, y1, x2, y2` in pixels of the upright frame: edges, not pixel numbers, so that a box
over one pixel is 1 wide.
"""

from __future__ import annotations

from typing import Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from faceveil.faces import Floats

SMALLEST_SIDE = 1e-3
SMALLEST_AREA = np.float32(SMALLEST_SIDE**2)
Measure = Literal["union", "minimum"]
Indices = NDArray[np.intp]
Real = TypeVar("Real", bound=np.floating)
_BLOCK = 32
"""How many boxes are compared with all others at once."""


def centres(boxes: NDArray[Real]) -> NDArray[Real]:
    """Return the centres of boxes.

    Parameters
    ----------
    boxes : ndarray [..., 4]
        Boxes in pixels, of any floating-point type.

    Returns
    -------
    ndarray [..., 2]
        x and y in pixels, of the same type.
    """
    middle: NDArray[Real] = np.multiply(boxes[..., :2] + boxes[..., 2:], 0.5)
    return middle


def centre_along(boxes: Floats, axis: int) -> Floats:
    """One coordinate of the centres, [...]: 0 for x, 1 for y.

    NumPy is slow along an axis of length two, which matters where every face of a frame meets
    every open sequence.
    """
    return np.asarray((boxes[..., axis] + boxes[..., axis + 2]) * np.float32(0.5))


def sides(boxes: NDArray[Real]) -> NDArray[Real]:
    """Return the widths and heights of boxes.

    Parameters
    ----------
    boxes : ndarray [..., 4]
        Boxes in pixels, of any floating-point type.

    Returns
    -------
    ndarray [..., 2]
        Width and height in pixels, never zero, of the same type.
    """
    lengths: NDArray[Real] = np.maximum(boxes[..., 2:] - boxes[..., :2], SMALLEST_SIDE)
    return lengths


def sizes(boxes: Floats) -> Floats:
    """Sides float32 [...] of the squares as large as boxes [..., 4], never zero."""
    return np.sqrt(np.maximum(areas(boxes), SMALLEST_AREA))


def from_centres(centre: NDArray[np.floating], side: NDArray[np.floating]) -> Floats:
    """Boxes float32 [..., 4] from their centres [..., 2] and their width and height [..., 2]."""
    half = side * 0.5
    return np.concatenate([centre - half, centre + half], axis=-1).astype(np.float32, copy=False)


def grown(boxes: NDArray[Real], share: float) -> NDArray[Real]:
    """Boxes [..., 4] moved outwards by a share of their width and height on each side."""
    step = share * sides(boxes)
    larger: NDArray[Real] = np.concatenate([boxes[..., :2] - step, boxes[..., 2:] + step], axis=-1)
    return larger


def to_curves(boxes: Floats) -> Floats:
    """Return boxes as four quantities that change evenly: centre and logarithm of the sides.

    A face that comes nearer grows by a factor a frame, not by a number of pixels, and no curve
    through logarithms can turn a box inside out.

    Parameters
    ----------
    boxes : ndarray of float32 [n, 4]
        Boxes in pixels.

    Returns
    -------
    ndarray of float32 [n, 4]
        x and y of the centre, natural logarithms of width and height.
    """
    return np.concatenate([centres(boxes), np.log(sides(boxes))], axis=-1)


def from_curves(curves: NDArray[np.floating]) -> Floats:
    """The inverse of `to_curves`."""
    return from_centres(curves[..., :2], np.exp(curves[..., 2:]))


def areas(boxes: Floats) -> Floats:
    """Areas float32 [...] of boxes [..., 4]; 0 for a box turned inside out."""
    # One side after the other, not with `sides`: NumPy is slow along an axis of length two.
    width = np.maximum(boxes[..., 2] - boxes[..., 0], np.float32(0))
    height = np.maximum(boxes[..., 3] - boxes[..., 1], np.float32(0))
    return np.asarray(width * height, np.float32)


def intersections(a: Floats, b: Floats) -> Floats:
    """Areas float32 [...] that boxes [..., 4] share, broadcast."""
    width = np.minimum(a[..., 2], b[..., 2]) - np.maximum(a[..., 0], b[..., 0])
    height = np.minimum(a[..., 3], b[..., 3]) - np.maximum(a[..., 1], b[..., 1])
    return np.asarray(np.maximum(width, 0) * np.maximum(height, 0), np.float32)


def iou(a: Floats, b: Floats) -> Floats:
    """Intersection over union of boxes [..., 4], broadcast."""
    shared = intersections(a, b)
    whole = np.maximum(areas(a) + areas(b) - shared, SMALLEST_AREA)
    return np.asarray(shared / whole, np.float32)


def share_of_smaller(a: Floats, b: Floats) -> Floats:
    """Intersection over the smaller area of boxes [..., 4], broadcast; 1 for a box in another."""
    smaller = np.maximum(np.minimum(areas(a), areas(b)), SMALLEST_AREA)
    return np.asarray(intersections(a, b) / smaller, np.float32)


def overlaps(boxes: Floats, others: Floats, measure: Measure = "union") -> Floats:
    """Return how much each box overlaps each of the others.

    Parameters
    ----------
    boxes : ndarray of float32 [n, 4]
    others : ndarray of float32 [m, 4]
    measure : {"union", "minimum"}
        "union" divides the shared area by the area of both together (IoU), "minimum" by the area
        of the smaller box, so that a box inside another counts as 1.

    Returns
    -------
    ndarray of float32 [n, m]
        From 0 to 1.
    """
    a, b = boxes[:, None], others[None]
    return iou(a, b) if measure == "union" else share_of_smaller(a, b)


def suppress(
    boxes: Floats, scores: Floats, threshold: float, measure: Measure = "union"
) -> Indices:
    """Greedy non-maximum suppression: drop boxes that overlap a better one.

    Parameters
    ----------
    boxes : ndarray of float32 [n, 4]
    scores : ndarray of float32 [n]
    threshold : float
        A box is dropped when it overlaps a kept box of higher score by more than this.
    measure : {"union", "minimum"}
        See `overlaps`.

    Returns
    -------
    ndarray of intp [k]
        Indices of the boxes kept, best score first. Equal scores keep their order, so that the
        result does not depend on the machine.
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
    """Boxes [n, 4] cut off at the edges of a picture of that size in pixels."""
    limit = np.array([width, height, width, height], np.float32)
    cut: Floats = np.clip(boxes, 0, limit)
    return cut
