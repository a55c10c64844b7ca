"""Adaptive sampling: detect faces in few frames, and in more where those do not agree.

The thesis's dynamic processing (section 3.1.3) analyses every k-th frame and, where two of them
disagree, all frames between. Here k adapts, and the stretch between two frames that disagree is
divided until its parts agree.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from typing import Generic, Protocol, TypeVar

from faceveil.errors import UsageError
from faceveil.faces import FrameFaces
from faceveil.sampling.agreement import Agree, Agreement

Item = TypeVar("Item")

STRETCHES_AT_ONCE = 2
"""How many stretches hold their frames in memory. A constant, not the number of workers, so that
the choice of frames does not depend on the machine."""


Item_contra = TypeVar("Item_contra", contravariant=True)


class NextFrame(Protocol[Item_contra]):
    """Chooses which of the frames between two analysed ones of a shot to analyse next."""

    def __call__(
        self, before: FrameFaces, after: FrameFaces, frames: Sequence[Item_contra]
    ) -> int | None:
        """Return an index into `frames` but the first and the last, None where none is needed.

        `before` and `after` are the faces of the first and the last of the frames, three or more.
        """
        ...


def halving(agree: Agree) -> NextFrame[object]:
    """Return what chooses the middle of a stretch unless the frames at its ends agree."""

    def middle(before: FrameFaces, after: FrameFaces, frames: Sequence[object]) -> int | None:
        gap = len(frames) - 1
        return None if agree(before, after, gap) else gap // 2

    return middle


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
    next_frame: NextFrame[Item] | None = None,
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
    next_frame : NextFrame, optional
        By default a stretch is halved until the frames at its ends agree (`Agreement`).
    workers : int
        Number of threads.

    Notes
    -----
    Analysed are the first and the last frame of each shot and frames between them,
    `options.bounds(rate)` apart, at the shortest distance first. Between two of them more are
    analysed, as `next_frame` says, until it asks for none or they are adjacent. The distance grows
    while none are needed between and shrinks where some are. At most `STRETCHES_AT_ONCE` x
    longest frames are held at a time, and the one before them.
    """
    shortest, longest = (options or SamplingOptions()).bounds(rate)
    pool = ThreadPoolExecutor(workers, thread_name_prefix="faceveil")
    try:
        sampler: _Sampler[Item] = _Sampler(
            lambda item: pool.submit(detect, item), next_frame or halving(Agreement())
        )
        yield from sampler.run(frames, shortest, longest)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


@dataclass(slots=True, eq=False)
class _Stretch(Generic[Item]):
    """The frames after an analysed one up to and including the next, all of one shot.

    The first frame of a shot is a stretch of its own; `before` is the analysed one of the others.
    """

    items: list[Item]
    before: Item | None
    faces: dict[int, Future[FrameFaces]] = field(default_factory=dict)

    def sampled(self) -> Iterator[SampledFrame[Item]]:
        for index, item in enumerate(self.items):
            faces = self.faces.get(index)
            yield SampledFrame(item, self.before is None, faces.result() if faces else None)


class _Sampler(Generic[Item]):
    def __init__(
        self, detect: Callable[[Item], Future[FrameFaces]], next_frame: NextFrame[Item]
    ) -> None:
        self._detect = detect
        self._next_frame = next_frame
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
        before: Item | None = None
        for item, new_shot in frames:
            starts_shot = new_shot or before is None
            if starts_shot and items:
                yield _Stretch(items, before)
                items = []
            items.append(item)
            if starts_shot or len(items) >= self._interval:
                yield _Stretch(items, None if starts_shot else before)
                items, before = [], item
        if items:
            yield _Stretch(items, before)

    def _analyse(self, stretch: _Stretch[Item], index: int) -> None:
        stretch.faces[index] = self._detect(stretch.items[index])

    def _resolve(self, stretch: _Stretch[Item]) -> bool:
        """Analyse more frames until no more are needed; returns whether none were.

        A stretch that was begun before doubts made the interval shorter is divided first.
        """
        end = len(stretch.items) - 1
        parts = -(-len(stretch.items) // self._interval)
        ends = [-1, *(len(stretch.items) * part // parts - 1 for part in range(1, parts + 1))]
        for part_end in ends[1:-1]:
            self._analyse(stretch, part_end)
        pairs = [] if stretch.before is None else list(pairwise(ends))
        while pairs:
            chosen = [(low, self._between(stretch, low, high), high) for low, high in pairs]
            pairs = []
            for low, index, high in chosen:
                if index is not None:
                    self._analyse(stretch, index)
                    pairs += [(low, index), (index, high)]
        self._left = stretch.faces[end].result()
        return len(stretch.faces) == parts

    def _between(self, stretch: _Stretch[Item], low: int, high: int) -> int | None:
        """The frame of a stretch to analyse next between two that were analysed."""
        if high - low == 1:
            return None
        first = stretch.before if low < 0 else stretch.items[low]
        assert first is not None
        before = self._left if low < 0 else stretch.faces[low].result()
        frames = [first, *stretch.items[low + 1 : high + 1]]
        index = self._next_frame(before, stretch.faces[high].result(), frames)
        return None if index is None else low + index
