"""A clip as a source of frames, and an analyzer that answers what was once found in it, so that
the whole pipeline runs as ever, only without its networks.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from time import process_time

import numpy as np
from numpy.typing import NDArray

from benchmarks.quality.detections import Detections
from faceveil.detect.align import aligned
from faceveil.detect.analyzer import Unrecognised
from faceveil.detect.pyramid import Pyramid
from faceveil.faces import Floats, FrameFaces, Image
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


class Remembered:
    """Detects and recognises, each apart, what was once found in these pictures.

    A face is known again by its crop, so recognising finds the feature that was computed of it.
    """

    def __init__(self, pictures: Sequence[Image], detections: Detections) -> None:
        self._detections = detections  # they live as long as this, so that their id is theirs
        self._faces = dict(zip(map(id, pictures), detections.frames, strict=True))
        self._rows: dict[int, tuple[NDArray[np.intp], Image]] = {}
        self._features: dict[bytes, Floats] = {}
        self._pictures = pictures
        # a frame without faces does not say how long a feature is
        self._feature_size = max(faces.features.shape[1] for faces in detections.frames)

    def prepare(self) -> None:
        """Cut out the faces of all pictures, so that detecting takes no time later."""
        for picture in self._pictures:
            self.detect(picture)

    def __call__(self, picture: Image) -> FrameFaces:
        return self._faces[id(picture)]

    def detect(self, picture: Image) -> Unrecognised:
        faces = self._faces[id(picture)]
        if id(picture) not in self._rows:
            rows = np.flatnonzero(faces.accepted)
            crops = aligned(Pyramid(picture), faces.landmarks[rows])
            self._rows[id(picture)] = rows, crops
            for crop, row in zip(crops, rows, strict=True):
                self._features[crop.tobytes()] = faces.features[row]
        unknown = replace(
            faces, features=np.zeros((len(faces.boxes), self._feature_size), np.float32)
        )
        return Unrecognised(unknown, *self._rows[id(picture)])

    def recognise(self, crops: Image) -> Floats:
        features = [self._features[crop.tobytes()] for crop in crops]
        return np.array(features, np.float32).reshape(-1, self._feature_size)


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
        self._remembered: dict[int, Remembered] = {}

    def __iter__(self) -> Iterator[HeldFrame]:
        return (HeldFrame(number, picture) for number, picture in enumerate(self.pictures))

    def digest(self) -> str:
        return "sha256:0"

    def remembered(self, detections: Detections) -> Remembered:
        """An analyzer for these very pictures."""
        if id(detections) not in self._remembered:
            self._remembered[id(detections)] = Remembered(self.pictures, detections)
        return self._remembered[id(detections)]

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
