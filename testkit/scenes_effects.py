"""What goes wrong with pictures: blur, darkness, noise, compression. For `Altered`."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from cv2.typing import MatLike
from numpy.typing import NDArray

from faceveil.faces import Image

Effect = Callable[[Image, np.random.Generator], Image]


def motion_blur(length: float, degrees: float = 0) -> Effect:
    """As if the camera moved in a straight line: `length` is a share of the frame's height."""

    def effect(picture: Image, random: np.random.Generator) -> Image:
        size = max(3, round(length * len(picture))) | 1
        kernel: MatLike = np.zeros((size, size), np.float32)
        kernel[size // 2] = 1
        turn = cv2.getRotationMatrix2D((size / 2 - 0.5, size / 2 - 0.5), degrees, 1)
        kernel = cv2.warpAffine(kernel, turn, (size, size))
        blurred = cv2.filter2D(picture, -1, kernel / kernel.sum())
        return blurred.astype(np.uint8, copy=False)

    return effect


def darkness(gain: float, noise: float = 0) -> Effect:
    """`gain` is the share of the light that is left; `noise` in grey levels, as sensors add."""

    def effect(picture: Image, random: np.random.Generator) -> Image:
        return _noisy(picture * np.float32(gain), noise, random)

    return effect


def grain(noise: float) -> Effect:
    """Noise of that standard deviation in grey levels."""

    def effect(picture: Image, random: np.random.Generator) -> Image:
        return _noisy(picture.astype(np.float32), noise, random)

    return effect


def compression(quality: int) -> Effect:
    """JPEG of that quality, 1 to 100: blocks, and colours that run."""

    def effect(picture: Image, random: np.random.Generator) -> Image:
        coded = cv2.imencode(".jpg", picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
        decoded = cv2.imdecode(coded, cv2.IMREAD_COLOR)
        assert decoded is not None
        return np.ascontiguousarray(decoded[..., ::-1], np.uint8)

    return effect


def low_resolution(factor: float) -> Effect:
    """Made smaller by `factor` and enlarged again, as upscaled archive footage is."""

    def effect(picture: Image, random: np.random.Generator) -> Image:
        small = cv2.resize(picture, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
        large = cv2.resize(small, picture.shape[1::-1], interpolation=cv2.INTER_CUBIC)
        return large.astype(np.uint8, copy=False)

    return effect


def _noisy(picture: NDArray[np.float32], noise: float, random: np.random.Generator) -> Image:
    if noise:
        picture = picture + random.normal(0, noise, picture.shape).astype(np.float32)
    noisy: Image = np.rint(picture).clip(0, 255).astype(np.uint8)
    return noisy
