"""The clips of the quality benchmark: synthetic conditions, and real clips with checked labels,
as they are and made harder (smaller, darker, noisier, blurred, rolled, cut by the frame).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import av
import numpy as np

from faceveil.evaluation.truth_formats import read_truth
from faceveil.faces import Image
from testkit import PROJECT, SHARED_DATA
from testkit.scenes import CONDITIONS
from testkit.scenes_effects import compression, darkness, grain, motion_blur
from testkit.scenes_footage import Altered, Excerpt, Footage, rolled, scaled, window
from testkit.truth import Truth

LABELS = PROJECT / "labels"
FILES = {
    "hamilton": "hamilton/short_hamilton_clip.mp4",
    "walking": "intel/face-demographics-walking.gif",
    "walking_and_pause": "intel/face-demographics-walking-and-pause.gif",
    "classroom": "intel/classroom.gif",
    "head_pose": "intel/head-pose-face-detection-male.gif",
    "single_face": "pyfeat/single_face.mp4",
    "face_noface": "pyfeat/face_noface.mov",
}


@dataclass(frozen=True, eq=False)
class Labelled:
    """A real clip with its labels, as footage; all its frames are held in memory."""

    path: Path
    truth: Truth

    @property
    def width(self) -> int:
        return self.truth.width

    @property
    def height(self) -> int:
        return self.truth.height

    @property
    def frame_count(self) -> int:
        return self.truth.frame_count

    def __len__(self) -> int:
        return self.frame_count

    def __iter__(self) -> Iterator[Image]:
        return (self.frame(number) for number in range(self.frame_count))

    @cached_property
    def _pictures(self) -> list[Image]:
        with av.open(str(self.path)) as container:
            pictures = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
        if len(pictures) != self.frame_count:
            raise ValueError(f"{self.path} has {len(pictures)} frames, its labels are of another")
        return pictures

    def frame(self, number: int) -> Image:
        return self._pictures[number].copy()


def labelled(name: str) -> Labelled:
    """The real clip of labels/NAME.json."""
    return Labelled(SHARED_DATA / FILES[name], read_truth(LABELS / f"{name}.json"))


def _edges(footage: Footage) -> Footage:
    """A window of two thirds of the frame that sways over it, so that faces leave and return."""
    width, height = footage.width * 2 // 3, footage.height * 2 // 3
    time = np.arange(footage.frame_count)
    sway = np.stack([np.sin(time / 9), np.cos(time / 14)], axis=1) / 2 + 0.5
    return window(footage, width, height, sway * (footage.width - width, footage.height - height))


HARDER: dict[str, Callable[[Footage], Footage]] = {
    "at 60 % of the size": lambda clip: scaled(clip, 0.6),
    "at 40 % of the size": lambda clip: scaled(clip, 0.4),
    "30 % of the light": lambda clip: Altered(clip, darkness(0.3, 2)),
    "noise 30": lambda clip: Altered(clip, grain(30)),
    "motion blur 4 %": lambda clip: Altered(clip, motion_blur(0.04)),
    "JPEG quality 8": lambda clip: Altered(clip, compression(8)),
    "rolled 30 degrees": lambda clip: rolled(clip, np.full(clip.frame_count, 30.0)),
    "rolled 90 degrees": lambda clip: rolled(clip, np.full(clip.frame_count, 90.0)),
    "cut by the frame": _edges,
}
"""What is done to the real clips of `MADE_HARDER`."""
MADE_HARDER = {
    "hamilton": lambda: Excerpt(labelled("hamilton"), 180, 60),
    "walking_and_pause": lambda: labelled("walking_and_pause"),
    "classroom": lambda: labelled("classroom"),
}

SYNTHETIC, REAL, REAL_HARDER = "synthetic", "real", "real, made harder"


@dataclass(frozen=True, eq=False)
class Condition:
    """A clip, and under what it is counted: synthetic ones by their scene, real ones by name."""

    group: str
    condition: str
    clip: str
    footage: Footage


def clips() -> Iterator[Condition]:
    """Everything the benchmark measures; only the synthetic clips where there is no real data."""
    for name, make in CONDITIONS.items():
        yield Condition(SYNTHETIC, name, name, make(0))
    if not SHARED_DATA.is_dir():
        return
    for name in FILES:
        yield Condition(REAL, name, name, labelled(name))
    for change, alter in HARDER.items():
        for name, make in MADE_HARDER.items():
            yield Condition(REAL_HARDER, change, f"{name}, {change}", alter(make()))
