"""Small pictures from stored samples are those that RGB frames would give."""

from fractions import Fraction

import av
import cv2
import numpy as np
import pytest

from faceveil.media.frames import Planes
from faceveil.media.open import open_source
from faceveil.media.reduced import grey, thumbnail

WIDTH, HEIGHT = 192, 108


def picture():
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    return np.stack([x * 255 / WIDTH, y * 255 / HEIGHT, 255 - x * 200 / WIDTH], -1).astype(np.uint8)


class Still:
    width, height, number = WIDTH, HEIGHT, 0

    def __init__(self, samples, peak):
        self._planes = Planes((samples,), peak)

    def planes(self):
        return self._planes


@pytest.mark.parametrize("pixel_format", ["yuv420p", "yuv444p", "yuv420p10le"])
@pytest.mark.parametrize("turn", [0, 90])
def test_of_a_video_they_are_those_of_its_rgb(tmp_path, pixel_format, turn):
    path = tmp_path / "clip.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=Fraction(25))
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, pixel_format
        frame = av.VideoFrame.from_ndarray(picture(), "rgb24").reformat(format=pixel_format)
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    frame = next(iter(open_source(path)))
    rgb = frame.rgb()
    small = cv2.resize(rgb, (48, 27), interpolation=cv2.INTER_AREA)
    assert np.abs(thumbnail(frame).astype(int) - small).max() <= 4
    brightness = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)[::2, ::2]
    mine = grey(frame, 2)
    assert mine.shape == (HEIGHT // 2, WIDTH // 2) and mine.dtype == np.uint8
    assert np.corrcoef(mine.ravel(), brightness.ravel())[0, 1] > 0.99


@pytest.mark.parametrize(
    ("samples", "peak"),
    [
        (picture(), 255),
        (np.dstack([picture(), np.full((HEIGHT, WIDTH), 128, np.uint8)]), 255),
        (picture().astype(np.uint16) * 257, 65535),
    ],
)
def test_of_colour_pictures_of_every_depth(samples, peak):
    frame = Still(samples, peak)
    small = cv2.resize(picture(), (48, 27), interpolation=cv2.INTER_AREA)
    assert np.abs(thumbnail(frame).astype(int) - small).max() <= 1
    brightness = cv2.resize(
        cv2.cvtColor(picture(), cv2.COLOR_RGB2GRAY),
        (WIDTH // 2, HEIGHT // 2),
        interpolation=cv2.INTER_AREA,
    )
    assert np.abs(grey(frame, 2).astype(int) - brightness).max() <= 2


@pytest.mark.parametrize("channels", [0, 1, 2])
def test_of_grey_pictures_with_and_without_alpha(channels):
    luma = picture()[..., 0]
    samples = luma if channels == 0 else np.dstack([luma] * channels)
    frame = Still(samples, 255)
    small = cv2.resize(luma, (48, 27), interpolation=cv2.INTER_AREA)
    assert (thumbnail(frame) == small[..., None]).all()
    assert (grey(frame, 1) == luma).all()
