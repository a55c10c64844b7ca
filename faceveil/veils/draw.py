"""Boxes drawn into a frame instead of veils, to check detections and decisions."""

from __future__ import annotations

from collections.abc import Iterator
from math import ceil, floor

import cv2
import numpy as np
from numpy.typing import NDArray

from faceveil.faces import Floats, Ints, Provenance
from faceveil.media.frames import Planes

KEPT = (40, 120, 255)
VEILED = (235, 50, 40)
_WHITE = (255, 255, 255)
_GUESSED = (Provenance.INTERPOLATED, Provenance.EXTENDED, Provenance.TRACKED)
_DASH = 4
"""Length of a dash, in line widths."""


def draw_boxes(
    planes: Planes,
    boxes: Floats,
    veiled: NDArray[np.bool_],
    provenance: NDArray[np.uint8],
    identities: Ints,
) -> bool:
    """Draw boxes into the stored samples of a frame, in place: kept in blue, veiled in red.

    Parameters
    ----------
    planes : Planes
        The samples of the frame.
    boxes : ndarray of float32 [n, 4]
        Pixels of the upright frame.
    veiled : ndarray of bool [n]
    provenance : ndarray of uint8 [n]
        Boxes that were neither detected nor drawn by a person are dashed.
    identities : ndarray of int32 [n]
        The number written on each box.

    Returns
    -------
    bool
        Whether there was anything to draw.
    """
    height, width = planes.planes[0].shape[:2]
    line = max(2, round(min(height, width) / 300))
    guessed = np.isin(provenance, _GUESSED)
    for box, veil, dashed, identity in zip(boxes, veiled, guessed, identities, strict=True):
        colour = VEILED if veil else KEPT
        for edge in _edges(box.tolist(), line, dashed=bool(dashed)):
            _fill(planes, edge, colour)
        _label(planes, str(identity), box.tolist(), line, colour)
    return len(boxes) > 0


Rectangle = tuple[float, float, float, float]


def _edges(box: list[float], line: int, *, dashed: bool) -> Iterator[Rectangle]:
    """The four edges of a box, outside it, as filled rectangles x1, y1, x2, y2."""
    x1, y1, x2, y2 = box
    dash = _DASH * line if dashed else max(x2 - x1, y2 - y1) + 2 * line
    for start in np.arange(x1 - line, x2 + line, 2 * dash).tolist():
        stop = min(start + dash, x2 + line)
        yield start, y1 - line, stop, y1
        yield start, y2, stop, y2 + line
    for start in np.arange(y1 - line, y2 + line, 2 * dash).tolist():
        stop = min(start + dash, y2 + line)
        yield x1 - line, start, x1, stop
        yield x2, start, x2 + line, stop


def _fill(
    planes: Planes,
    rectangle: Rectangle,
    rgb: tuple[int, int, int],
    mask: NDArray[np.bool_] | None = None,
) -> None:
    """Colour a rectangle of the frame, or those of its pixels in `mask` [h, w]."""
    x1, y1, x2, y2 = rectangle
    colours = planes.colour(rgb)
    for plane, colour, (across, down) in zip(
        planes.planes, colours, planes.subsampling, strict=True
    ):
        left, top = max(floor(x1 / across), 0), max(floor(y1 / down), 0)
        right, bottom = max(ceil(x2 / across), 0), max(ceil(y2 / down), 0)
        part = plane[top:bottom, left:right]
        if mask is None:
            part[...] = colour
        else:
            rows = np.arange(top, top + part.shape[0]) * down - floor(y1)
            columns = np.arange(left, left + part.shape[1]) * across - floor(x1)
            inside = (rows < mask.shape[0])[:, None] & (columns < mask.shape[1])
            rows = np.clip(rows, 0, mask.shape[0] - 1)
            columns = np.clip(columns, 0, mask.shape[1] - 1)
            part[mask[np.ix_(rows, columns)] & inside] = colour


def _label(
    planes: Planes, text: str, box: list[float], line: int, rgb: tuple[int, int, int]
) -> None:
    """White text on the colour of the box, on its upper edge, inside the frame."""
    font, scale, stroke = cv2.FONT_HERSHEY_SIMPLEX, 0.25 * line, max(1, line // 2)
    (width, height), _ = cv2.getTextSize(text, font, scale, stroke)
    canvas = np.zeros((height + 4 * line, width + 4 * line), np.uint8)
    cv2.putText(canvas, text, (2 * line, height + 2 * line), font, scale, 255, stroke)
    left, top = max(floor(box[0]) - line, 0), max(floor(box[1]) - canvas.shape[0], 0)
    rectangle = (left, top, left + canvas.shape[1], top + canvas.shape[0])
    _fill(planes, rectangle, rgb)
    _fill(planes, rectangle, _WHITE, canvas > 0)
