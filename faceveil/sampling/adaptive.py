"""Adaptive sampling: detect faces in few frames, and in more where those do not agree.

The thesis's dynamic processing (section 3.1.3) analyses every k-th frame and, where two of them
disagree, all frames between. Here k adapts, and the stretch between two frames that disagree is
halved until its parts agree.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Generic, Protocol, TypeVar

from faceveil.errors import UsageError
from faceveil.faces import FrameFaces
from faceveil.sampling.agreement import Agreement

Item = TypeVar("Item")

STRETCHES_AT_ONCE = 2
"""How many stretches hold their frames in memory. A constant, not the number of workers, so that
the choice of frames does not depend on the machine."""


class Agree(Protocol):
    """Decides whether the frames between two frames of one shot need not be analysed."""

    def __call__(self, before: FrameFaces, after: FrameFaces, gap: int) -> bool:
        """Return whether they agree; `gap` is the distance between them in frames, 2 or more."""
        ...


@dataclass(frozen=True, slots=True)
class SamplingOptions:
    """How far apart the frames are that are analysed first.

    Attributes
    ----------
    shortest, longest : int
        Bounds of the distance in frames; it adapts between them.
    longest_seconds : float
        The longest distance in seconds, whatever the frame rate.

    Raises
    ------
    UsageError
        For values out of range.
    """

    shortest: int = 4
    longest: int = 12
    longest_seconds: float = 0.5

    def __post_init__(self) -> None:
        if not 1 <= self.shortest <= self.longest:
            raise UsageError(
                f"cannot sample every {self.shortest} to {self.longest} frames: the first number "
                "must be 1 or more and at most the second"
            )
        if not self.longest_seconds > 0:
            raise UsageError(f"longest_seconds must be more than 0, not {self.longest_seconds}")

    def bounds(self, rate: Fraction | float | None) -> tuple[int, int]:
        """Return the shortest and longest distance in frames at this frame rate (frames/s)."""
        longest = self.longest
        if rate is not None:
            longest = max(1, min(longest, int(self.longest_seconds * rate)))
        return min(self.shortest, longest), longest


@dataclass(frozen=True, slots=True, eq=False)
class SampledFrame(Generic[Item]):
    """One frame after sampling; `faces` is None where it was not analysed."""

    item: Item
    new_shot: bool
    faces: FrameFaces | None


def sample(
    frames: Iterable[tuple[Item, bool]],
    detect: Callable[[Item], FrameFaces],
    options: SamplingOptions | None = None,
    *,
    rate: Fraction | float | None = None,
    agree: Agree | None = None,
    workers: int = 2,
) -> Iterator[SampledFrame[Item]]:
    """Yield every frame in order, with its faces where it was analysed.

    Parameters
    ----------
    frames : iterable of (frame, bool)
        Frames in order, each with whether it starts a new shot.
    detect : callable
        Returns the faces of a frame. It is called from `workers` threads, at most once a frame, for
        frames that do not depend on their number.
    options : SamplingOptions, optional
    rate : Fraction or float, optional
        Frames per second; None where unknown.
    agree : Agree, optional
        By default `Agreement`.
    workers : int
        Number of threads.

    Notes
    -----
    Analysed are the first and the last frame of each shot and frames between them,
    `options.bounds(rate)` apart. Where two of them do not agree, the frame halfway between is
    analysed too, until they agree or are adjacent. The distance grows while frames agree and
    shrinks where they do not. At most `STRETCHES_AT_ONCE` x longest frames are held at a time.
    """
    shortest, longest = (options or SamplingOptions()).bounds(rate)
    pool = ThreadPoolExecutor(workers, thread_name_prefix="faceveil")
    try:
        sampler: _Sampler[Item] = _Sampler(
            lambda item: pool.submit(detect, item), agree or Agreement()
        )
        yield from sampler.run(frames, shortest, longest)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


@dataclass(slots=True, eq=False)
class _Stretch(Generic[Item]):
    """The frames after an analysed one up to and including the next, all of one shot.

    The first frame of a shot is a stretch of its own.
    """

    items: list[Item]
    starts_shot: bool = False
    faces: dict[int, Future[FrameFaces]] = field(default_factory=dict)

    def sampled(self) -> Iterator[SampledFrame[Item]]:
        for index, item in enumerate(self.items):
            faces = self.faces.get(index)
            yield SampledFrame(item, self.starts_shot, faces.result() if faces else None)


class _Sampler(Generic[Item]):
    def __init__(self, detect: Callable[[Item], Future[FrameFaces]], agree: Agree) -> None:
        self._detect = detect
        self._agree = agree
        self._interval = 1
        self._left = FrameFaces(0, 0)

    def run(
        self, frames: Iterable[tuple[Item, bool]], shortest: int, longest: int
    ) -> Iterator[SampledFrame[Item]]:
        self._interval = shortest
        waiting: deque[_Stretch[Item]] = deque()
        for stretch in self._stretches(frames):
            self._analyse(stretch, len(stretch.items) - 1)
            waiting.append(stretch)
            if len(waiting) == STRETCHES_AT_ONCE:
                oldest = waiting.popleft()
                if self._resolve(oldest):
                    self._interval = min(longest, self._interval + (self._interval + 1) // 2)
                else:
                    self._interval = max(shortest, self._interval // 2)
                yield from oldest.sampled()
        for stretch in waiting:
            self._resolve(stretch)
            yield from stretch.sampled()

    def _stretches(self, frames: Iterable[tuple[Item, bool]]) -> Iterator[_Stretch[Item]]:
        items: list[Item] = []
        first = True
        for item, new_shot in frames:
            if new_shot or first:
                if items:
                    yield _Stretch(items)
                yield _Stretch([item], starts_shot=True)
                items, first = [], False
                continue
            items.append(item)
            if len(items) >= self._interval:
                yield _Stretch(items)
                items = []
        if items:
            yield _Stretch(items)

    def _analyse(self, stretch: _Stretch[Item], index: int) -> None:
        stretch.faces[index] = self._detect(stretch.items[index])

    def _resolve(self, stretch: _Stretch[Item]) -> bool:
        """Analyse more frames until neighbours agree; returns whether they did at once."""
        end = len(stretch.items) - 1
        doubtful = [] if stretch.starts_shot else [(-1, end)]
        at_once = True
        while doubtful := [pair for pair in doubtful if not self._settled(stretch, *pair)]:
            at_once = False
            halves = [(low, (low + high) // 2, high) for low, high in doubtful]
            for _, middle, _ in halves:
                self._analyse(stretch, middle)
            doubtful = [
                pair for low, middle, high in halves for pair in ((low, middle), (middle, high))
            ]
        self._left = stretch.faces[end].result()
        return at_once

    def _settled(self, stretch: _Stretch[Item], low: int, high: int) -> bool:
        if high - low == 1:
            return True
        before = self._left if low < 0 else stretch.faces[low].result()
        return self._agree(before, stretch.faces[high].result(), high - low)
