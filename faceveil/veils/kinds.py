"""Veils of a frame that shows objects of several kinds: each kind has the style that suits it.

Faces have the style that was chosen. Other objects have corners, such as licence plates: they have
a rectangle instead of an ellipse, and no room for hair.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from faceveil.faces import Floats, Kind
from faceveil.media.frames import Planes
from faceveil.veils.plan import PlannedBoxes
from faceveil.veils.region import Geometry, contains, core, must_cover
from faceveil.veils.render import veil_frame, veil_opacity
from faceveil.veils.styles import VeilStyle

_KEEP_THEIR_NAME = ("square", "pixelate", "solid")


def style_of(kind: Kind, style: VeilStyle) -> VeilStyle:
    """Return the style of a kind where faces have `style`."""
    if kind == Kind.FACE:
        return style
    name = style.name if style.name in _KEEP_THEIR_NAME else "square"
    return replace(style, name=name, head=0.0)


def by_style(
    kinds: NDArray[np.uint8], style: VeilStyle
) -> Iterator[tuple[NDArray[np.intp], VeilStyle]]:
    """Yield the rows of each style; all rows at once where all are faces."""
    faces = np.flatnonzero(kinds == Kind.FACE)
    if len(faces) or not len(kinds):
        yield faces, style
    if len(faces) < len(kinds):
        yield np.flatnonzero(kinds != Kind.FACE), style_of(Kind.OTHER, style)


def veil_planned(
    planes: Planes, planned: PlannedBoxes, style: VeilStyle, *, luma_only: bool = False
) -> bool:
    """Veil the planned boxes of a frame, in place, all planes or luma alone (see `veil_frame`).

    Returns whether any sample was written.
    """
    changed = False
    for rows, own in by_style(planned.kinds, style):
        others = np.delete(planned.boxes, rows, axis=0)
        kept = np.concatenate([planned.kept, others]) if len(others) else planned.kept
        boxes, seeds = planned.boxes[rows], planned.seeds[rows]
        changed |= veil_frame(planes, boxes, seeds, own, kept, luma_only=luma_only)
    return changed


def planned_opacity(
    planned: PlannedBoxes, style: VeilStyle, width: int, height: int
) -> NDArray[np.uint8]:
    """Return how opaque the veils of a frame are, uint8 [height, width], as `veil_opacity`."""
    parts = [
        veil_opacity(planned.boxes[rows], own, width, height)
        for rows, own in by_style(planned.kinds, style)
    ]
    opacity: NDArray[np.uint8] = np.maximum.reduce(parts)
    return opacity


def required_of(boxes: Floats, kinds: NDArray[np.uint8], style: VeilStyle) -> Geometry:
    """Return the part of boxes [n, 4] that their veils must contain, float64 [n, 4]."""
    required = np.zeros((len(boxes), 4), np.float64)
    for rows, own in by_style(kinds, style):
        required[rows] = must_cover(boxes[rows], own)
    return required


def contained(
    boxes: Floats, kinds: NDArray[np.uint8], rectangles: Geometry, style: VeilStyle
) -> NDArray[np.bool_]:
    """Return bool [n]: whether the core of the veil of each box [n, 4] contains a rectangle."""
    inside = np.zeros(len(boxes), np.bool_)
    for rows, own in by_style(kinds, style):
        inside[rows] = contains(core(boxes[rows], own), rectangles[rows], own)
    return inside
