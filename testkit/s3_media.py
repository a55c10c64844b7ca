"""Numbered pictures for the tests of frames in S3."""

from __future__ import annotations

import io
import time
from collections.abc import Callable

import numpy as np
from PIL import Image as Picture

from faceveil.aws.s3 import S3Location
from faceveil.faces import Image

WIDTH, HEIGHT = 160, 96
EDIT = np.s_[20:44, 24:56]


def picture(number: int, width: int = WIDTH, height: int = HEIGHT) -> Image:
    """RGB uint8 that no two numbers share."""
    y, x = np.mgrid[:height, :width]
    samples = np.stack([(x + 3 * number) % 200, (2 * y + number) % 200, (x + y) % 200], -1)
    samples = samples.astype(np.uint8)
    samples[0, 0] = (number % 256, number // 256, 7)
    return samples


def number_of(samples: Image) -> int:
    """The number that `picture` wrote."""
    return int(samples[0, 0, 0]) + 256 * int(samples[0, 0, 1])


def encoded(number: int, suffix: str = ".png", **size: int) -> bytes:
    """The picture of a number as a file of this kind."""
    stream = io.BytesIO()
    kind = "PNG" if suffix.lower() == ".png" else "JPEG"
    Picture.fromarray(picture(number, **size)).save(stream, kind)
    return stream.getvalue()


def put_frames(
    location: S3Location, count: int, pattern: str = "img{:07d}.png", start: int = 1
) -> dict[str, bytes]:
    """Write frames 0 to count - 1. Returns their contents by name."""
    contents = {}
    for number in range(count):
        name = pattern.format(start + number)
        contents[name] = encoded(number, name[name.rfind(".") :])
        location.write(name, contents[name])
    return contents


def written(location: S3Location) -> dict[str, bytes]:
    """All objects of a place, by name."""
    return {
        item.name: location.read(item.name)
        for page in location.pages(recursive=True)
        for item in page
    }


def wait_until(condition: Callable[[], bool], seconds: float = 10) -> bool:
    """Whether the condition was met within this time."""
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)
    return condition()
