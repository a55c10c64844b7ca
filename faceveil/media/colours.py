"""Samples of a file's own colours as RGB and back, so that what is not veiled stays as it was."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage
from PIL import ImageCms

CONVERTED = ("CMYK", "LAB")
"""Pillow's names of the colours that are veiled as RGB and stored again as they were."""


def to_rgb(samples: NDArray[np.uint8], mode: str) -> NDArray[np.uint8]:
    """RGB [H, W, 3] of CMYK [H, W, 4] or CIE L*a*b* [H, W, 3] samples as Pillow has them."""
    picture = PillowImage.fromarray(samples, mode)
    if mode == "LAB":
        converted = ImageCms.applyTransform(picture, _transform("LAB", "RGB"))
        assert converted is not None
        return np.array(converted)
    return np.array(picture.convert("RGB"))


def with_changes(
    samples: NDArray[np.uint8], mode: str, rgb: NDArray[np.uint8]
) -> NDArray[np.uint8]:
    """The samples with the pixels whose RGB is another now; the others stay as they are."""
    changed = (to_rgb(samples, mode) != rgb).any(axis=-1)
    result = samples.copy()
    if changed.any():
        pixels = PillowImage.fromarray(np.ascontiguousarray(rgb[changed][None]))
        if mode == "LAB":
            converted = ImageCms.applyTransform(pixels, _transform("RGB", "LAB"))
            assert converted is not None
            pixels = converted
        else:
            pixels = pixels.convert(mode)
        result[changed] = np.asarray(pixels)[0]
    return result


@cache
def _transform(before: str, after: str) -> ImageCms.ImageCmsTransform:
    profiles = {"RGB": ImageCms.createProfile("sRGB"), "LAB": ImageCms.createProfile("LAB")}
    return ImageCms.buildTransform(profiles[before], profiles[after], before, after)
