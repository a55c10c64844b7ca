"""Numbered pictures for the tests of frames in S3."""

import io
import time

import numpy as np
from PIL import Image

WIDTH, HEIGHT = 160, 96
EDIT = np.s_[20:44, 24:56]


def picture(number, width=WIDTH, height=HEIGHT):
    """RGB uint8 that no two numbers share."""
    y, x = np.mgrid[:height, :width]
    samples = np.stack([(x + 3 * number) % 200, (2 * y + number) % 200, (x + y) % 200], -1)
    samples = samples.astype(np.uint8)
    samples[0, 0] = (number % 256, number // 256, 7)
    return samples


def number_of(samples):
    """The number that `picture` wrote."""
    return int(samples[0, 0, 0]) + 256 * int(samples[0, 0, 1])


def encoded(number, suffix=".png", **size):
    stream = io.BytesIO()
    kind = "PNG" if suffix.lower() == ".png" else "JPEG"
    Image.fromarray(picture(number, **size)).save(stream, kind)
    return stream.getvalue()


def put_frames(location, count, pattern="img{:07d}.png", start=1):
    """Frames 0 to count - 1 in S3; their contents by name."""
    contents = {}
    for number in range(count):
        name = pattern.format(start + number)
        contents[name] = encoded(number, name[name.rfind(".") :])
        location.write(name, contents[name])
    return contents


def written(location):
    """Everything that lies in a place, by name."""
    return {
        item.name: location.read(item.name)
        for page in location.pages(recursive=True)
        for item in page
    }


def wait_until(condition, seconds=10):
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)
    return condition()
