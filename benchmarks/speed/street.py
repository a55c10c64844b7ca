"""A 1080p clip of several people walking, with sound, made from ../shared/data.

Four seconds, three shots: two people come nearer, three people come nearer, and four scenes side
by side (both of these, a classroom of four, a singer on a stage).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import av
import cv2
import numpy as np

from faceveil.faces import Image
from testkit import SHARED_DATA
from testkit.clips import write_video

WIDTH, HEIGHT = 1920, 1080
SHOT = 34
TWO = "intel/face-demographics-walking.gif"
THREE = "intel/face-demographics-walking-and-pause.gif"
CLASSROOM = "intel/classroom.gif"
STAGE, STAGE_START = "hamilton/short_hamilton_clip.mp4", 90


def pictures(name: str, start: int = 0) -> Iterator[Image]:
    """The frames of one shot of a clip, in its own size."""
    with av.open(str(SHARED_DATA / name)) as container:
        for frame in islice(container.decode(video=0), start, start + SHOT):
            yield frame.to_ndarray(format="rgb24")


def enlarged(picture: Image, width: int, height: int) -> Image:
    return np.asarray(cv2.resize(picture, (width, height), interpolation=cv2.INTER_CUBIC), np.uint8)


@dataclass(frozen=True)
class Street:
    """The frames of the clip as `clips.write_video` takes them; made anew each time."""

    width: int = WIDTH
    height: int = HEIGHT
    frame_count: int = 3 * SHOT

    def __len__(self) -> int:
        return self.frame_count

    def __iter__(self) -> Iterator[Image]:
        for name in (TWO, THREE):
            for picture in pictures(name):
                yield enlarged(picture, WIDTH, HEIGHT)
        scenes = (pictures(TWO), pictures(THREE), pictures(CLASSROOM), pictures(STAGE, STAGE_START))
        for four in zip(*scenes, strict=True):
            tiles = [enlarged(picture, WIDTH // 2, HEIGHT // 2) for picture in four]
            yield np.vstack([np.hstack(tiles[:2]), np.hstack(tiles[2:])])


def write_street(path: Path, repeat: int = 1) -> None:
    """Write the clip, played so many times in a row."""
    write_video(Street(), path, repeat=repeat)
