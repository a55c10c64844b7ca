"""Adaptive detection reads a source once, and misses no shot although it learns of it late."""

from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from faceveil.faces import FrameFaces
from faceveil.media.frames import Planes
from faceveil.progress import QuietProgress
from faceveil.sampling.adaptive import SamplingOptions
from faceveil.sampling.detection import detect_adaptively

COUNT = 150
WIDTH, HEIGHT = 96, 54


@dataclass
class Picture:
    number: int
    picture: np.ndarray
    width: int = WIDTH
    height: int = HEIGHT

    def rgb(self):
        return self.picture

    def planes(self):
        return Planes((self.picture,), 255)


@dataclass
class Source:
    """Frames that grow brighter slowly: each has a picture of its own, and there is no cut."""

    kind: str = "video"
    rate: Fraction = Fraction(25)
    width: int = WIDTH
    height: int = HEIGHT
    frame_count: int = COUNT
    path: Path = Path("clip")
    problems: list = field(default_factory=list)
    reads: int = 0

    def __post_init__(self):
        noise = np.random.default_rng(0).integers(0, 40, (HEIGHT, WIDTH, 3))
        self.pictures = [(noise + number).astype(np.uint8) for number in range(COUNT)]

    def __iter__(self):
        self.reads += 1
        self.problems.clear()
        return (Picture(number, picture) for number, picture in enumerate(self.pictures))


class Numbered(Source):
    """A source whose frames can also be read by number, each `off` frames beside the right one."""

    off = 0

    def frames_from(self, first):
        for number in range(first, COUNT):
            yield Picture(number, self.pictures[(number + self.off) % COUNT])


class LateShots:
    """Says with a delay, as a detector of dissolves does, where shots start."""

    def __init__(self, *starts, delay=60):
        self._starts, self._delay, self._count, self._said = starts, delay, 0, 0

    def push(self, thumbnail):
        self._count += 1
        return self._until(self._count - self._delay)

    def finish(self):
        return self._until(self._count)

    def _until(self, end):
        answers = [number in self._starts for number in range(self._said, end)]
        self._said = max(self._said, end)
        return answers


def detected(source, *starts):
    """The frames in which faces were detected, those that start a shot, and all faces."""
    seen = {}

    def analyzer(picture):
        number = next(n for n, one in enumerate(source.pictures) if np.array_equal(one, picture))
        return seen.setdefault(number, FrameFaces(WIDTH, HEIGHT))

    frames = list(
        detect_adaptively(
            source,
            analyzer,
            LateShots(*starts),
            SamplingOptions(),
            2,
            QuietProgress(),
            by_pixels=True,
        )
    )
    assert [frame.item for frame in frames] == list(range(COUNT))
    for frame in frames:
        assert frame.faces is None or frame.faces.error or frame.faces is seen[frame.item]
    analysed = [frame.item for frame in frames if frame.faces is not None]
    return analysed, [frame.item for frame in frames if frame.new_shot], frames


@pytest.mark.parametrize("start", [1, 37, 40, 77, COUNT - 1])
@pytest.mark.parametrize("make", [Source, Numbered])
def test_the_last_and_the_first_frame_of_each_shot_are_analysed(make, start):
    """A face that ends or begins with a gradual transition must not be guessed."""
    analysed, starts, _ = detected(make(), start)
    assert {start - 1, start} <= set(analysed)
    assert start in starts


def test_a_source_is_read_once_where_frames_can_be_read_by_number():
    """Decoding is most of what adaptive sampling costs."""
    source = Numbered()
    analysed, _, _ = detected(source, 40, 90)
    assert source.reads == 1
    assert len(analysed) < COUNT // 3


def test_a_source_without_numbers_is_read_twice():
    source = Source()
    analysed, starts, _ = detected(source, 40)
    assert source.reads == 2
    assert starts == [0, 40]
    assert len(analysed) < COUNT // 3


def test_frames_that_a_jump_finds_wrongly_are_read_from_the_start():
    """A wrong frame would be taken for one that shows no face."""
    source = Numbered()
    source.off = 1
    source.problems.append("frame 3: damaged")
    analysed, _, frames = detected(source, 41)
    assert source.reads == 2
    assert {40, 41} <= set(analysed)
    assert not any(frame.faces.error for frame in frames if frame.faces is not None)


def test_frames_that_cannot_be_read_again_are_unknown():
    """Unknown frames are veiled whole ("fail closed"); they are never taken for empty ones."""
    source = Numbered()
    kept = list(source.pictures)

    class Once(LateShots):
        def _until(self, end):
            if end > 41:  # the file changes before it is read again
                source.pictures[30:50] = [kept[0]] * 20
            return super()._until(end)

    frames = list(
        detect_adaptively(
            source,
            lambda picture: FrameFaces(WIDTH, HEIGHT),
            Once(41),
            SamplingOptions(),
            1,
            QuietProgress(),
            by_pixels=True,
        )
    )
    unknown = [frame.item for frame in frames if frame.faces is not None and frame.faces.error]
    assert unknown
    assert set(unknown) <= set(range(30, 50))
