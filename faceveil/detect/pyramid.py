"""A picture and its halvings (mip pyramid): small views are sampled from the nearest level.

Shrinking a 1080p picture to each of MTCNN's scales costs more than its first network. Halving it
once per octave is nearly free, and bilinear sampling from the level just above the wanted size
neither aliases nor reads more pixels than needed.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from faceveil.errors import InputError
from faceveil.faces import THUMBNAIL_HEIGHT, THUMBNAIL_WIDTH, Floats, Image

_SMALLEST_SIDE = 24
_REMAP_LIMIT = 32_000
"""OpenCV's remap takes pictures and maps of less than 2**15 pixels a side."""


class Pyramid:
    """`levels[k]` is the picture halved k times, uint8 RGB; `levels[0]` is the picture itself.

    Raises InputError unless the picture is uint8 [H, W, 3] with at least one pixel.
    """

    def __init__(self, image: Image) -> None:
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or not image.size:
            raise InputError(
                f"a picture of shape {image.shape} and type {image.dtype} cannot be analysed: "
                "give RGB uint8 [height, width, 3] with at least one pixel"
            )
        self.levels: list[Image] = [image]
        self._scales = [np.ones(2, np.float32)]
        while min(self._last) >= 2 * _SMALLEST_SIDE or max(self._last) >= _REMAP_LIMIT:
            halved = np.array([0.5 if side > 1 else 1.0 for side in self._last], np.float32)
            self._scales.append(self._scales[-1] * halved)
            self.levels.append(_halve(self.levels[-1]))

    @property
    def _last(self) -> tuple[int, int]:
        """Width and height of the smallest level."""
        height, width = self.levels[-1].shape[:2]
        return width, height

    @property
    def width(self) -> int:
        """Width of the picture in pixels."""
        return int(self.levels[0].shape[1])

    @property
    def height(self) -> int:
        """Height of the picture in pixels."""
        return int(self.levels[0].shape[0])

    @property
    def smallest_face(self) -> float:
        """Size in pixels of the smallest face to detect, where none is given.

        1/27 of the shorter side, which is 40 at 1080p, but not below 20, where MTCNN detects
        nothing, nor above 40, which a viewer of a large picture still recognises.
        """
        return min(max(min(self.width, self.height) / 27, 20.0), 40.0)

    def resized(self, width: int, height: int) -> Image:
        """Return the whole picture at another size, uint8 [height, width, 3]."""
        source = self.levels[0]
        for level in self.levels[1:]:
            if level.shape[1] < width or level.shape[0] < height:
                break
            source = level
        if source.shape[:2] == (height, width):
            return source
        return _image(cv2.resize(source, (width, height), interpolation=cv2.INTER_LINEAR))

    def thumbnail(self) -> Image:
        """Return the picture as uint8 [27, 48, 3], each pixel the mean of what it covers."""
        source = self.levels[0]
        for level in self.levels[1:]:
            if level.shape[1] < 4 * THUMBNAIL_WIDTH or level.shape[0] < 4 * THUMBNAIL_HEIGHT:
                break
            source = level
        size = (THUMBNAIL_WIDTH, THUMBNAIL_HEIGHT)
        return _image(cv2.resize(source, size, interpolation=cv2.INTER_AREA))

    def warp(self, matrices: Floats, size: int) -> Image:
        """Return crops of the picture.

        Parameters
        ----------
        matrices : ndarray of float32 [n, 2, 3]
            They map points of a crop to points of the picture, both in pixels from the top left
            corner, so that the centre of the first pixel is at (0.5, 0.5).
        size : int
            Sides of the crops in pixels.

        Returns
        -------
        ndarray of uint8 [n, size, size, 3]
            Black outside the picture.
        """
        crops = np.empty((len(matrices), size, size, 3), np.uint8)
        levels = self._levels_for(matrices)
        most = max(1, _REMAP_LIMIT // size)
        for number in np.unique(levels):
            source = self.levels[number]
            rows = np.flatnonzero(levels == number)
            for start in range(0, len(rows), most):
                chunk = rows[start : start + most]
                x, y = _sample_points(matrices[chunk], size, self._scales[number])
                cut = cv2.remap(source, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
                crops[chunk] = cut.reshape(len(chunk), size, size, 3)
        return crops

    def _levels_for(self, matrices: Floats) -> NDArray[np.intp]:
        """The level for each crop on which it shrinks by less than two."""
        shrink = np.sqrt(np.abs(np.linalg.det(matrices[:, :, :2].astype(np.float64))))
        levels = np.floor(np.log2(np.maximum(shrink, 1))).astype(np.intp)
        first = next(k for k, level in enumerate(self.levels) if max(level.shape) < _REMAP_LIMIT)
        chosen: NDArray[np.intp] = np.clip(levels, first, len(self.levels) - 1)
        return chosen


def _sample_points(matrices: Floats, size: int, scale: Floats) -> tuple[NDArray[Any], NDArray[Any]]:
    """Where each pixel of the crops is sampled on a level, two float32 [n * size, size]."""
    pixels = np.arange(size, dtype=np.float32) + np.float32(0.5)
    points = []
    for axis in (0, 1):
        along_x, along_y, offset = (matrices[:, axis] * scale[axis]).T
        starts = along_y[:, None] * pixels + offset[:, None] - np.float32(0.5)
        grid = starts[:, :, None] + along_x[:, None, None] * pixels
        points.append(grid.reshape(-1, size))
    return points[0], points[1]


def _halve(image: Image) -> Image:
    """Half the size. An odd last row or column is left out: exact halving is ten times faster."""
    height, width = (max(1, side // 2) for side in image.shape[:2])
    even = image[: 2 * height, : 2 * width]
    return _image(cv2.resize(even, (width, height), interpolation=cv2.INTER_AREA))


def _image(array: NDArray[Any]) -> Image:
    return array.astype(np.uint8, copy=False)
