"""Ways of hiding a face that the attack audit compares: ours, and controls that must fail."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from math import ceil, floor

import cv2
import numpy as np

from faceveil.faces import Floats, Image
from faceveil.media.frames import Planes
from faceveil.veils.region import Geometry, core
from faceveil.veils.render import veil_frame
from faceveil.veils.styles import STYLE_NAMES, VeilStyle

Hide = Callable[[Image, Floats, int], None]
GAUSSIAN, BOX = (51, 51), (50, 50)
"""Kernels in pixels, on faces 91 pixels high."""
_CELLS, _NOISE = 8, 0.06 * 255


@dataclass(frozen=True, slots=True)
class Way:
    """A way to hide a face. `hide` changes a picture RGB in place, given box [4] and seed.

    `part` is what of the picture is hidden, for a box [4]: the rectangle float64 [4], or the one
    around its ellipse (`is_round`). `must_hide`: whether the audit's target holds for it.
    """

    name: str
    hide: Hide
    part: Callable[[Floats], Geometry]
    is_round: bool
    must_hide: bool = False


def all_ways() -> list[Way]:
    square = partial(_core, style=VeilStyle("square"))
    return [
        *(
            Way(
                name,
                partial(_veil, style=VeilStyle(name)),
                partial(_core, style=VeilStyle(name)),
                VeilStyle(name).is_round,
                must_hide=name != "upper",
            )
            for name in STYLE_NAMES
        ),
        Way("8x8 cell means and fixed noise", _cell_means, square, is_round=False),
        Way("Gaussian blur", _gaussian, square, is_round=False),
        Way("the thesis's box blur", _thesis, _circle, is_round=True),
        Way("no veil", _nothing, square, is_round=False),
    ]


def _core(box: Floats, style: VeilStyle) -> Geometry:
    (rectangle,) = core(box[None], style)
    return np.asarray(rectangle)


def _veil(picture: Image, box: Floats, seed: int, style: VeilStyle) -> None:
    veil_frame(Planes((picture,), 255), box[None], np.array([seed], np.int64), style)


def _nothing(picture: Image, box: Floats, seed: int) -> None:
    pass


def _whole_samples(rectangle: Geometry, picture: Image) -> tuple[slice, slice]:
    x1, y1, x2, y2 = rectangle.tolist()
    height, width = picture.shape[:2]
    return (
        slice(max(floor(y1), 0), min(ceil(y2), height)),
        slice(max(floor(x1), 0), min(ceil(x2), width)),
    )


def _gaussian(picture: Image, box: Floats, seed: int) -> None:
    """The usual way of other tools: the rectangle is blurred."""
    part = _whole_samples(_core(box, VeilStyle("square")), picture)
    picture[part] = cv2.GaussianBlur(picture, GAUSSIAN, 0)[part]


def _circle(box: Floats) -> Geometry:
    """Square around the thesis's circle: as wide as the longer side of the face box."""
    middle = (box[:2] + box[2:]).astype(np.float64) / 2
    radius = float((box[2:] - box[:2]).max()) / 2
    return np.concatenate([middle - radius, middle + radius])


def _thesis(picture: Image, box: Floats, seed: int) -> None:
    """The thesis's round blur: the frame is blurred, and shown in a circle around the face."""
    x1, y1, x2, y2 = _circle(box).tolist()
    mask = np.zeros(picture.shape[:2], np.uint8)
    cv2.circle(mask, (round((x1 + x2) / 2), round((y1 + y2) / 2)), round((x2 - x1) / 2), 255, -1)
    inside = mask > 0
    picture[inside] = cv2.blur(picture, BOX)[inside]


def _cell_means(picture: Image, box: Floats, seed: int) -> None:
    """What our square veil was before this audit: 8 x 8 means, noise fixed per sequence, smooth."""
    x1, y1, x2, y2 = _core(box, VeilStyle("square")).tolist()
    cell = np.array([x2 - x1, y2 - y1]) / _CELLS
    # Means over exactly the cells' area: the box may begin between two pixels.
    fine = 8
    sample = cell / fine
    start = np.array([x1, y1]) + sample / 2 - 0.5
    place = np.array([[sample[0], 0, start[0]], [0, sample[1], start[1]]])
    samples = cv2.warpAffine(
        picture,
        place,
        (_CELLS * fine, _CELLS * fine),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    means = cv2.resize(samples.astype(np.float32), (_CELLS, _CELLS), interpolation=cv2.INTER_AREA)
    random = np.random.default_rng(seed)
    noise = random.standard_normal((_CELLS, _CELLS, 1)) + random.standard_normal(means.shape) / 2
    cells = (means + _NOISE * noise).clip(0, 255).astype(np.float32)
    rows, columns = _whole_samples(np.array([x1, y1, x2, y2]), picture)
    back = np.array(
        [[1 / cell[0], 0, (0.5 - x1) / cell[0] - 0.5], [0, 1 / cell[1], (0.5 - y1) / cell[1] - 0.5]]
    )
    shown = cv2.warpAffine(
        cells,
        back,
        picture.shape[1::-1],
        flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    picture[rows, columns] = shown.clip(0, 255)[rows, columns].round().astype(np.uint8)
