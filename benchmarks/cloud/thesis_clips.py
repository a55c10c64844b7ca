"""Clips of 1080p of the kinds that the thesis measured: several faces, one face, no face.

Real clips of ../shared/data, enlarged. One face and none are played there and back; the several
faces are the people of benchmarks/speed/street.py, in three shots.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path

import av

from benchmarks.speed.street import HEIGHT, WIDTH, enlarged, write_street
from faceveil.faces import Image
from testkit import SHARED_DATA
from testkit.clips import write_video

FRAMES_EACH_WAY = 72


@dataclass(frozen=True)
class ThereAndBack:
    """The first frames of a clip, enlarged to 1080p, forwards and then backwards."""

    path: Path
    width: int = WIDTH
    height: int = HEIGHT
    frame_count: int = 2 * FRAMES_EACH_WAY

    def __len__(self) -> int:
        return self.frame_count

    def __iter__(self) -> Iterator[Image]:
        pictures = first_pictures(self.path, FRAMES_EACH_WAY)
        for picture in (*pictures, *reversed(pictures)):
            yield enlarged(picture, WIDTH, HEIGHT)


def write_there_and_back(name: str, path: Path) -> None:
    """Write a clip of ../shared/data, played there and back."""
    write_video(ThereAndBack(SHARED_DATA / name), path)


def first_pictures(path: Path, count: int) -> list[Image]:
    """The first frames of a video, RGB uint8 [H, W, 3]."""
    with av.open(str(path)) as container:
        frames = islice(container.decode(video=0), count)
        return [frame.to_ndarray(format="rgb24") for frame in frames]


@dataclass(frozen=True)
class Start:
    """The first frames of a clip of 1080p."""

    path: Path
    frame_count: int
    width: int = WIDTH
    height: int = HEIGHT

    def __len__(self) -> int:
        return self.frame_count

    def __iter__(self) -> Iterator[Image]:
        return iter(first_pictures(self.path, self.frame_count))


CLIPS: dict[str, Callable[[Path], None]] = {
    "several moving faces": write_street,
    "one still face": partial(write_there_and_back, "pyfeat/single_face.mp4"),
    "no face": partial(write_there_and_back, "pyfeat/no_face.mp4"),
}
"""What writes the clip of each kind, in the order of the thesis's columns; 102 to 144 frames."""


def write_clip(kind: str, clip: Path, short: Path, short_frames: int) -> int:
    """Write the clip of a kind, and its first frames alone. Returns its number of frames."""
    CLIPS[kind](clip)
    write_video(Start(clip, short_frames), short)
    with av.open(str(clip)) as container:
        return container.streams.video[0].frames
