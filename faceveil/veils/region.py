"""The area a veil covers: geometry only, in pixels of the upright frame.

A veil has an opaque core, in which nothing of the picture is left, and if it is round a soft edge
around it. The core contains the whole face box with its margin, and the head above it.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from faceveil.boxes import centres, sides
from faceveil.faces import Floats
from faceveil.veils.styles import VeilStyle

Geometry: TypeAlias = NDArray[np.float64]

SOFT_EDGE = 0.2
"""Width of the soft edge, as a share of the core's half axes."""
UPPER_PART = 0.7
"""Share of the box's height that "upper" covers; it must cover `UPPER_REQUIRED`."""
UPPER_REQUIRED = 0.6
HEAD_BESIDE, HEAD_ABOVE_AND_BELOW = 0.25, 0.15
"""What "head" adds on each side to a round veil, as shares of the box's width and height.

Round veils hold 31 of 36 labelled heads, these all of them, also tilted by 30 degrees. They do not
hold the back of a head in profile: which way a face looks is not known of its box.
"""
_SLACK = 1.02
"""An ellipse reaches beyond the corners of the box by at least this factor, for any margin."""
_TOLERANCE = 0.05
"""Pixels by which a box may stick out of a core: rounding of stored boxes."""


def core(boxes: Floats, style: VeilStyle) -> Geometry:
    """Return the opaque part of veils.

    Parameters
    ----------
    boxes : ndarray of float32 [n, 4]
        Boxes thinner than a pixel count as one pixel.
    style : VeilStyle

    Returns
    -------
    ndarray of float64 [n, 4]
        Rectangles, or the rectangles around the ellipses of a round veil; not clipped to the frame.
    """
    x1, y1, x2, y2 = np.asarray(boxes, np.float64).reshape(-1, 4).T
    width, height = np.maximum(x2 - x1, 1.0), np.maximum(y2 - y1, 1.0)
    left, right = x1 - style.margin * width, x1 + (1 + style.margin) * width
    top = y1 - style.margin * height
    if style.name == "upper":
        return np.stack([left, top, right, y1 + UPPER_PART * height], axis=1)
    top = top - style.head * height
    bottom = y1 + (1 + style.margin) * height
    if not style.is_round:
        return np.stack([left, top, right, bottom], axis=1)
    # The ellipse inscribed in the rectangle holds the box's corners when the margin is wide enough;
    # where it is not, it grows until it does.
    centre_x, centre_y = (left + right) / 2, (top + bottom) / 2
    half_x, half_y = (right - left) / 2, (bottom - top) / 2
    furthest_y = np.maximum(y1 + height - centre_y, centre_y - y1)
    corner = np.hypot(width / 2 / half_x, furthest_y / half_y)
    grow = np.maximum(1.0, corner * _SLACK)
    half_x, half_y = half_x * grow, half_y * grow
    if style.name == "head":
        half_x, half_y = half_x + HEAD_BESIDE * width, half_y + HEAD_ABOVE_AND_BELOW * height
    return np.stack(
        [centre_x - half_x, centre_y - half_y, centre_x + half_x, centre_y + half_y], axis=1
    )


def outer(cores: Geometry, style: VeilStyle) -> Geometry:
    """Return all that veils may change: rectangles float64 [n, 4] around cores and soft edges."""
    if not style.is_round:
        return cores
    edge = SOFT_EDGE / 2 * sides(cores)
    return np.concatenate([cores[:, :2] - edge, cores[:, 2:] + edge], axis=1)


def grid(cores: Geometry, style: VeilStyle) -> Geometry:
    """Return the rectangles float64 [n, 4] that the cells are laid over.

    This is all that a veil may change. For "upper" it extends down to the lower margin of the face,
    so that its cells are no finer than those of a veil over the whole face.
    """
    rectangles = outer(cores, style).copy()
    if style.name == "upper":
        height = (cores[:, 3] - cores[:, 1]) / (style.margin + UPPER_PART)
        rectangles[:, 3] = cores[:, 1] + (1 + 2 * style.margin) * height
    return rectangles


def must_cover(boxes: Floats, style: VeilStyle) -> Geometry:
    """Return the part of detected boxes [n, 4] that a core must contain: all, or the top 60 %."""
    required = np.asarray(boxes, np.float64).reshape(-1, 4).copy()
    if style.name == "upper":
        required[:, 3] = required[:, 1] + UPPER_REQUIRED * (required[:, 3] - required[:, 1])
    return required


def contains(cores: Geometry, rectangles: Geometry, style: VeilStyle) -> NDArray[np.bool_]:
    """Return bool [n]: whether each core [n, 4] contains the rectangle [n, 4] of its row."""
    if not style.is_round:
        low = rectangles[:, :2] >= cores[:, :2] - _TOLERANCE
        high = rectangles[:, 2:] <= cores[:, 2:] + _TOLERANCE
        return np.asarray((low & high).all(axis=1))
    centre, half = centres(cores), sides(cores) / 2 + _TOLERANCE
    # An ellipse is convex: it contains a rectangle when it contains its furthest corner.
    reach = np.maximum(np.abs(rectangles[:, :2] - centre), np.abs(rectangles[:, 2:] - centre))
    return np.asarray(((reach / half) ** 2).sum(axis=1) <= 1)
