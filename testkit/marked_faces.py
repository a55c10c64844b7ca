"""Streams whose faces are discs of bright colours on grey: one bare pixel of a face is seen.

A detector that knows the colours takes the place of the networks, so that what is measured is the
stream alone, and every frame that leaves can be checked by its pixels. Its colour is the person.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from av.container import OutputContainer

from faceveil.faces import FrameFaces, Image, Models
from faceveil.media.open import open_source
from faceveil.sampling.detection import Analyzer

COLOURS = ((255, 0, 255), (0, 255, 0), (0, 255, 255), (255, 255, 0))
"""RGB of each person."""
SATURATED = 90
"""Difference of the largest and the smallest channel from which a pixel is of a face: encoding and
veils of grey stay far below."""
RATE = 25
MODELS = Models("marked faces", "marked faces", "sha256:marked", accept_score=0.5)


@dataclass(frozen=True)
class Disc:
    """One face: whose, its centre and radius in pixels."""

    person: int
    x: float
    y: float
    radius: float = 24


Discs = Callable[[int], Sequence[Disc]]
"""The faces of a frame, by its number."""


def two_people(number: int) -> Sequence[Disc]:
    """One who stays and sways, and one who crosses, leaves and comes back."""
    sway = 12 * np.sin(number / 9)
    crossing = 360 - (number * 4) % 520
    return (Disc(0, 90 + sway, 90, 26), Disc(1, crossing, 130, 20))


def picture(discs: Sequence[Disc], number: int, width: int = 320, height: int = 180) -> Image:
    """A frame, RGB uint8 [height, width, 3]: faces before a grey backdrop that drifts."""
    grey = (np.arange(width)[None] + np.arange(height)[:, None] // 2 + number // 3) % 128 + 64
    frame = np.repeat(grey[..., None], 3, axis=2).astype(np.uint8)
    for disc in discs:
        centre = round(disc.x * 16), round(disc.y * 16)
        cv2.circle(frame, centre, round(disc.radius * 16), COLOURS[disc.person], -1, shift=4)
    return frame


def write_marked(
    path: Path,
    frames: int,
    discs: Discs = two_people,
    size: tuple[int, int] = (320, 180),
    sound: bool = False,
    start: float = 0.0,
) -> Path:
    """Write a video of 25 frames a second; `start` is the time stamp of its first frame."""
    with av.open(str(path), "w") as output:
        video = output.add_stream("libx264", rate=RATE, width=size[0], height=size[1])
        video.pix_fmt = "yuv420p"
        video.options = {"crf": "12", "preset": "ultrafast", "g": str(RATE)}
        audio = output.add_stream("aac", rate=48000, layout="stereo") if sound else None
        for number in range(frames):
            frame = av.VideoFrame.from_ndarray(picture(discs(number), number, *size), "rgb24")
            frame.pts, frame.time_base = round(start * RATE) + number, Fraction(1, RATE)
            output.mux(video.encode(frame))
            if audio is not None:
                output.mux(audio.encode(tone(number, start)))
        output.mux(video.encode(None))
        if audio is not None:
            output.mux(audio.encode(None))
    return path


def send_marked(url: str, muxer: str, frames: int) -> None:
    """Send a stream of two people to an address in real time; the work of another process.

    It waits until someone listens there.
    """
    with _connected(url, muxer) as output:
        video = output.add_stream("libx264", rate=RATE, width=320, height=180)
        video.pix_fmt = "yuv420p"
        video.options = {"crf": "12", "preset": "ultrafast", "tune": "zerolatency", "g": str(RATE)}
        start = time.monotonic()
        for number in range(frames):
            time.sleep(max(0.0, start + number / RATE - time.monotonic()))
            frame = av.VideoFrame.from_ndarray(picture(two_people(number), number), "rgb24")
            frame.pts, frame.time_base = number, Fraction(1, RATE)
            output.mux(video.encode(frame))


def _connected(url: str, muxer: str) -> OutputContainer:
    deadline = time.monotonic() + 120
    while True:
        try:
            return av.open(url, "w", format=muxer)
        except ConnectionRefusedError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)


def tone(number: int, start: float = 0.0) -> av.AudioFrame:
    """The sound of one frame: 440 Hz, stereo."""
    count = 48000 // RATE
    times = (np.arange(count) + number * count) / 48000
    wave = 0.2 * np.sin(2 * np.pi * 440 * times).astype(np.float32)
    frame = av.AudioFrame.from_ndarray(np.stack([wave, wave]), "fltp", "stereo")
    frame.sample_rate, frame.time_base = 48000, Fraction(1, 48000)
    frame.pts = round(start * 48000) + number * count
    return frame


def marked_analyzer(
    seconds: float = 0.0, hang: Path | None = None, blind_to: int | None = None
) -> Analyzer:
    """A detector that sees the discs.

    It takes `seconds` for each picture, hangs while the file `hang` exists, and never sees the
    person `blind_to`.
    """

    def analyse(image: Image) -> FrameFaces:
        time.sleep(seconds)
        while hang is not None and hang.exists():
            time.sleep(0.05)
        return _detected(image, blind_to)

    return analyse


def _detected(image: Image, blind_to: int | None) -> FrameFaces:
    boxes, people = [], []
    for person, colour in enumerate(COLOURS):
        if person == blind_to:
            continue
        near = np.abs(image.astype(np.int16) - np.array(colour)).max(axis=2) < 110
        count, _, stats, _ = cv2.connectedComponentsWithStats(near.astype(np.uint8))
        for x, y, width, height, area in stats[1:count].tolist():
            if area >= 6:  # a face that is all but out of the picture still shows
                boxes.append((x, y, x + width, y + height))
                people.append(person)
    features = np.eye(8, dtype=np.float32)[people]
    return FrameFaces(
        width=image.shape[1],
        height=image.shape[0],
        models=MODELS,
        boxes=np.array(boxes, np.float32).reshape(-1, 4),
        scores=np.full(len(boxes), 0.95, np.float32),
        landmarks=np.zeros((len(boxes), 5, 2), np.float32),
        features=features.reshape(-1, 8),
    )


def bare_pixels(image: Image) -> int:
    """How many pixels of faces a picture shows, RGB uint8 [H, W, 3]."""
    channels = image.astype(np.int16)
    return int((channels.max(axis=2) - channels.min(axis=2) >= SATURATED).sum())


def pictures(path: Path | str) -> Iterator[Image]:
    """The frames of a video file that faceveil wrote, RGB."""
    return (frame.rgb() for frame in open_source(Path(path)))
