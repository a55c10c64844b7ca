"""Adaptive sampling: look for faces in few frames, and closer where these do not tell enough.

The thesis's dynamic processing (section 3.1.3) looks at every k-th frame and, where two of them
disagree, at all between. Here k adapts, and a disagreement is halved until it is understood.
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
what is looked at does not depend on the machine."""


class Agree(Protocol):
    """Whether the frames between two frames of one shot need no look."""

    def __call__(self, before: FrameFaces, after: FrameFaces, gap: int) -> bool:
        """`gap` is the number of frames from one to the other, 2 or more."""
        ...


@dataclass(frozen=True, slots=True)
class SamplingOptions:
    """How far apart frames are looked at: `shortest` to `longest` frames at first, and never more
    than `longest_seconds`.

    Raises UsageError for numbers that make no sense.
    """

    shortest: int = 4
    longest: int = 12
    longest_seconds: float = 0.5

    def __post_init__(self) -> None:
        if not 1 <= self.shortest <= self.longest:
            raise UsageError(
                f"sampling every {self.shortest} to {self.longest} frames makes no sense; "
                "the first must be 1 or more and at most the second"
            )
        if not self.longest_seconds > 0:
            raise UsageError(f"longest_seconds must be more than 0, not {self.longest_seconds}")

    def bounds(self, rate: Fraction | float | None) -> tuple[int, int]:
        """The least and the most frames from one look to the next at this frame rate."""
        longest = self.longest
        if rate is not None:
            longest = max(1, min(longest, int(self.longest_seconds * rate)))
        return min(self.shortest, longest), longest


@dataclass(frozen=True, slots=True, eq=False)
class Sampled(Generic[Item]):
    """One frame after sampling; faces is None where nobody looked."""

    item: Item
    new_shot: bool
    faces: FrameFaces | None


def sample(
    frames: Iterable[tuple[Item, bool]],
    look: Callable[[Item], FrameFaces],
    options: SamplingOptions | None = None,
    *,
    rate: Fraction | float | None = None,
    agree: Agree | None = None,
    workers: int = 2,
) -> Iterator[Sampled[Item]]:
    """Every frame in order, with its faces where it was looked at.

    `frames` are (frame, whether it starts a new shot) in order. Looked at are the first and the
    last frame of each shot and frames between them, `options.bounds(rate)` apart; where two of
    them do not agree, the frame in the middle too, until they do or lie side by side. The interval
    grows while all agrees and shrinks where it does not.

    `look` is called from `workers` threads, at most once a frame; which frames it is called for
    does not depend on them. At most `STRETCHES_AT_ONCE` x longest frames are held at a time.
    """
    shortest, longest = (options or SamplingOptions()).bounds(rate)
    pool = ThreadPoolExecutor(workers, thread_name_prefix="faceveil")
    try:
        sampler: _Sampler[Item] = _Sampler(
            lambda item: pool.submit(look, item), agree or Agreement()
        )
        yield from sampler.run(frames, shortest, longest)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


@dataclass(slots=True, eq=False)
class _Stretch(Generic[Item]):
    """The frames after one that is looked at, up to and including the next; all of one shot.

    The first frame of a shot is a stretch of its own.
    """

    items: list[Item]
    starts_shot: bool = False
    looks: dict[int, Future[FrameFaces]] = field(default_factory=dict)

    def sampled(self) -> Iterator[Sampled[Item]]:
        for index, item in enumerate(self.items):
            look = self.looks.get(index)
            yield Sampled(item, self.starts_shot, look.result() if look else None)


class _Sampler(Generic[Item]):
    def __init__(self, look: Callable[[Item], Future[FrameFaces]], agree: Agree) -> None:
        self._look = look
        self._agree = agree
        self._interval = 1
        self._left = FrameFaces(0, 0)

    def run(
        self, frames: Iterable[tuple[Item, bool]], shortest: int, longest: int
    ) -> Iterator[Sampled[Item]]:
        self._interval = shortest
        waiting: deque[_Stretch[Item]] = deque()
        for stretch in self._stretches(frames):
            self._look_at(stretch, len(stretch.items) - 1)
            waiting.append(stretch)
            if len(waiting) == STRETCHES_AT_ONCE:
                oldest = waiting.popleft()
                if self._understand(oldest):
                    self._interval = min(longest, self._interval + (self._interval + 1) // 2)
                else:
                    self._interval = max(shortest, self._interval // 2)
                yield from oldest.sampled()
        for stretch in waiting:
            self._understand(stretch)
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

    def _look_at(self, stretch: _Stretch[Item], index: int) -> None:
        stretch.looks[index] = self._look(stretch.items[index])

    def _understand(self, stretch: _Stretch[Item]) -> bool:
        """Look at more frames until their neighbours agree; whether they did at once."""
        end = len(stretch.items) - 1
        doubtful = [] if stretch.starts_shot else [(-1, end)]
        at_once = True
        while doubtful := [pair for pair in doubtful if not self._settled(stretch, *pair)]:
            at_once = False
            halves = [(low, (low + high) // 2, high) for low, high in doubtful]
            for _, middle, _ in halves:
                self._look_at(stretch, middle)
            doubtful = [
                pair for low, middle, high in halves for pair in ((low, middle), (middle, high))
            ]
        self._left = stretch.looks[end].result()
        return at_once

    def _settled(self, stretch: _Stretch[Item], low: int, high: int) -> bool:
        if high - low == 1:
            return True
        before = self._left if low < 0 else stretch.looks[low].result()
        return self._agree(before, stretch.looks[high].result(), high - low)
