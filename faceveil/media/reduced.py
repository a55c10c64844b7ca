"""Small pictures of a frame, straight from its stored samples: only they are converted to RGB."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from faceveil.faces import THUMBNAIL_HEIGHT, THUMBNAIL_WIDTH, Image
from faceveil.luma import luma
from faceveil.media.frames import ColourCoding, Frame, Planes


def thumbnail(frame: Frame) -> Image:
    """The upright frame as RGB uint8 [27, 48, 3], for the shot transitions."""
    planes = frame.planes()
    size = THUMBNAIL_WIDTH, THUMBNAIL_HEIGHT
    small = [_shrunk(plane, size) / np.float32(planes.peak) for plane in planes.planes]
    if len(small) == 3:
        return _rounded(_decode(np.stack(small, axis=-1), planes))
    picture = np.atleast_3d(small[0])
    colours = picture[..., :3] if picture.shape[2] > 2 else picture[..., :1].repeat(3, axis=2)
    return _rounded(colours)


def grey(frame: Frame, factor: int) -> Image:
    """The brightness of the upright frame, uint8 [height // factor, width // factor]."""
    planes = frame.planes()
    size = max(1, frame.width // factor), max(1, frame.height // factor)
    first = planes.planes[0]
    small = _shrunk(first, size) if factor > 1 else np.ascontiguousarray(first)
    if small.ndim == 3:
        small = luma(small) if small.shape[2] > 2 else small[..., 0]
    return small if small.dtype == np.uint8 else _rounded(small / np.float32(planes.peak))


def _shrunk(samples: NDArray[Any], size: tuple[int, int]) -> NDArray[Any]:
    """Each new sample the mean of those it stands for."""
    return cv2.resize(np.ascontiguousarray(samples), size, interpolation=cv2.INTER_AREA)


def _decode(samples: NDArray[np.float32], planes: Planes) -> NDArray[np.float32]:
    """Y'CbCr [h, w, 3] of 0 to 1 as R'G'B'."""
    coding: ColourCoding = planes.coding
    step = np.float32((planes.peak + 1) / 256 / planes.peak)
    middle = 128 * step
    black, luma, chroma = (0.0, 1.0, 1.0) if coding.full_range else (16.0, 219.0, 224.0)
    scale = np.float32(1.0) if coding.full_range else step
    y = (samples[..., 0] - black * step) / (luma * scale)
    cb, cr = ((samples[..., plane] - middle) / (chroma * scale) for plane in (1, 2))
    red = y + (2 - 2 * coding.red) * cr
    blue = y + (2 - 2 * coding.blue) * cb
    green = (y - coding.red * red - coding.blue * blue) / (1 - coding.red - coding.blue)
    return np.stack([red, green, blue], axis=-1)


def _rounded(picture: NDArray[Any]) -> Image:
    return np.asarray(np.clip(np.rint(picture * np.float32(255)), 0, 255), np.uint8)
