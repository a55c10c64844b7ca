"""A clip as a source of frames, and an analyzer that answers what was once found in it, so that
the whole pipeline runs as ever, only without its networks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from time import process_time

from benchmarks.quality.detections import Detections
from faceveil.faces import FrameFaces, Image
from faceveil.media.frames import Planes, Problem, SourceKind
from faceveil.media.reduced import thumbnail
from faceveil.shots.transitions import TransitionDetector, mark_shots
from faceveil.shots.transnet import TransNet
from testkit.scenes_footage import Footage


@dataclass(frozen=True)
class HeldFrame:
    """A picture in memory as a frame."""

    number: int
    picture: Image

    @property
    def width(self) -> int:
        return int(self.picture.shape[1])

    @property
    def height(self) -> int:
        return int(self.picture.shape[0])

    def rgb(self) -> Image:
        return self.picture

    def planes(self) -> Planes:
        return Planes((self.picture,), 255)


class HeldSource:
    """Footage held in memory, as finding.analyse takes it."""

    kind: SourceKind = "video"
    rate: Fraction | None = Fraction(25)
    byte_count = 0

    def __init__(self, footage: Footage) -> None:
        self.path = Path("clip")
        self.width, self.height = footage.width, footage.height
        self.frame_count: int | None = footage.frame_count
        self.problems: list[Problem] = []
        self.pictures = [footage.frame(number) for number in range(footage.frame_count)]

    def __iter__(self) -> Iterator[HeldFrame]:
        return (HeldFrame(number, picture) for number, picture in enumerate(self.pictures))

    def digest(self) -> str:
        return "sha256:0"

    def remembered(self, detections: Detections) -> Callable[[Image], FrameFaces]:
        """An analyzer for these very pictures."""
        faces = dict(zip(map(id, self.pictures), detections.frames, strict=True))
        return lambda picture: faces[id(picture)]

    def shot_starts(self) -> tuple[list[bool], float]:
        """Which frames start a shot, and the processor seconds it took to see."""
        start = process_time()
        small = ((frame.number, thumbnail(frame)) for frame in self)
        starts = [starts for _, starts in mark_shots(small, TransitionDetector(TransNet()))]
        return starts, process_time() - start


class KnownShots:
    """Says again where shots start."""

    def __init__(self, starts: list[bool]) -> None:
        self._starts = iter(starts)

    def push(self, thumbnail: Image | None) -> list[bool]:
        return [next(self._starts)]

    def finish(self) -> list[bool]:
        return []
