"""Live runs for tests: a source that follows a script, and a sink that keeps what left."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from itertools import pairwise
from typing import Any

import av
import numpy as np

from faceveil.faces import Image
from faceveil.live.options import LiveOptions
from faceveil.live.run import LiveRun
from faceveil.live.sinks import Format, LiveSink
from faceveil.live.sources import Item, Picture, Sound
from testkit.marked_faces import RATE, bare_pixels, marked_analyzer, picture, tone, two_people

LONGEST = 180.0
"""Seconds after which a test that waits gives up: machines are busy."""


class Script:
    """A source that yields items and pauses, at their own pace: a number is seconds to wait."""

    name = "a script"
    rate = float(RATE)

    def __init__(self, steps: Iterable[Item | float], has_sound: bool = False) -> None:
        self._steps = steps
        self._stopping = threading.Event()
        self.has_sound = has_sound
        self.lost: Callable[[], None] = lambda: None

    def close(self) -> None:
        self._stopping.set()

    def __iter__(self) -> Iterator[Item]:
        for step in self._steps:
            if isinstance(step, float):
                self._stopping.wait(step)
            elif not self._stopping.is_set():
                yield step


def frames(
    first: int, count: int, stamp: float, size: tuple[int, int] = (320, 180)
) -> Iterator[Picture]:
    """Pictures of two people, frame after frame, from a time stamp on."""
    for index in range(count):
        number = first + index
        image = picture(two_people(number), number, *size)
        frame = av.VideoFrame.from_ndarray(image, "rgb24").reformat(format="yuv420p")
        frame.pts, frame.time_base = number, Fraction(1, RATE)
        yield Picture(frame, stamp + index / RATE)


def sounds(first: int, count: int, stamp: float) -> Iterator[Item | float]:
    """Sound alone, at its own pace."""
    for index in range(count):
        yield Sound(tone(first + index), stamp + index / RATE)
        yield 1 / RATE


class Kept:
    """A sink that keeps every picture that left, and when it left."""

    name = "what left"
    reopen = False

    def __init__(self) -> None:
        self.images: list[Image] = []
        self.seconds: list[float] = []
        self.left: list[float] = []
        self.heard: list[float] = []
        self.format: Format | None = None

    def open(self, format: Format) -> None:
        self.format = format

    def picture(self, frame: av.VideoFrame, seconds: float) -> None:
        self.images.append(np.asarray(frame.to_ndarray(format="rgb24"), np.uint8))
        self.seconds.append(seconds)
        self.left.append(time.monotonic())

    def sound(self, frame: av.AudioFrame, seconds: float) -> None:
        self.heard.append(seconds)

    def close(self) -> None:
        pass

    @property
    def bare(self) -> int:
        """How many pixels of faces left."""
        return sum(map(bare_pixels, self.images))

    @property
    def blank(self) -> list[bool]:
        """Which pictures are black."""
        return [bool(image.max() < 24) for image in self.images]

    @property
    def shown(self) -> int:
        """How many different pictures left that are not black."""
        seen = [image for image, blank in zip(self.images, self.blank, strict=True) if not blank]
        changes = [not np.array_equal(one, two) for one, two in pairwise(seen)]
        return sum(changes) + bool(seen)


def endless() -> Iterator[Picture]:
    """Pictures for as long as any test runs."""
    return frames(0, 100_000, 0.0)


@contextmanager
def running(
    steps: Iterable[Item | float],
    build: Callable[[], Any] = marked_analyzer,
    has_sound: bool = False,
    **options: Any,
) -> Iterator[tuple[LiveRun, Kept, threading.Thread]]:
    """A run of a script, what left it, and its thread, for the length of a block."""
    sink = Kept()
    run = LiveRun(Script(steps, has_sound), sink, build, LiveOptions(workers=1, **options))
    with _in_thread(run) as thread:
        yield run, sink, thread


@contextmanager
def running_to(
    sink: LiveSink, steps: Iterable[Item | float] | None, run: LiveRun | None = None, **options: Any
) -> Iterator[LiveRun]:
    """A run of a script into any sink, or one that was made already, for the length of a block."""
    run = run or LiveRun(
        Script(steps or ()), sink, marked_analyzer, LiveOptions(workers=1, **options)
    )
    with _in_thread(run):
        yield run


@contextmanager
def _in_thread(run: LiveRun) -> Iterator[threading.Thread]:
    """A run in a thread, ended with the block; its error, where there is one, is raised."""
    errors: list[Exception] = []

    def work() -> None:
        try:
            run.run()
        except Exception as error:
            errors.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield thread
    finally:
        run.stop()
        thread.join(LONGEST)
    if errors:
        raise errors[0]


def until(holds: Callable[[], bool], what: str) -> None:
    """Wait until something holds."""
    end = time.monotonic() + LONGEST
    while not holds():
        if time.monotonic() > end:
            raise AssertionError(f"never happened: {what}")
        time.sleep(0.02)
