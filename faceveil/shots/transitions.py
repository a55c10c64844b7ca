"""Shot transitions of every kind: cuts and fades at once, dissolves and wipes with a look ahead."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Protocol, TypeVar

import numpy as np

from faceveil.errors import WeightsError
from faceveil.faces import THUMBNAIL_HEIGHT, THUMBNAIL_WIDTH, Floats, Image
from faceveil.shots.cuts import AROUND, BLACK, ShotDetector, is_step
from faceveil.shots.gradual import HALF_LENGTHS, REACH, Change, change_at, differ

Item = TypeVar("Item")
Confirm = Callable[[Image], Floats]
"""Thumbnails RGB uint8 [100, 27, 48, 3] in, float32 [100] out: how likely each ends a shot."""

WINDOW = 100
LIKELY = 0.5
NEAR = 8
"""Frames around a change in which the network must see a transition."""
SAME_TRANSITION = 12
SAME_FADE = 16
LONGEST_CHANGE = 24
SAME_DOUBT = 0.02
DELAY = WINDOW // 2 + LONGEST_CHANGE + REACH
_HELD = 256


class Shots(Protocol):
    """Says for each frame, in order, whether it starts a new shot; at once or some frames later."""

    def push(self, thumbnail: Image | None) -> Sequence[bool]:
        """Take the next frame's thumbnail, RGB uint8 [27, 48, 3], None where it is unknown.

        Returns the answers that are known now, in order of the frames.
        """
        ...

    def finish(self) -> Sequence[bool]:
        """The answers for the frames that are left, after the last one."""
        ...


class EveryFrame:
    """Shots for unrelated pictures: each is a shot of its own, so no sequence joins two."""

    def push(self, thumbnail: Image | None) -> Sequence[bool]:
        return (True,)

    def finish(self) -> Sequence[bool]:
        return ()


class TransitionDetector:
    """The union of what `ShotDetector` finds, of steps between shots of one place
    (`shots.is_step`), and of gradual transitions.

    A dissolve or a wipe leads from one still picture to another, and every pixel of it lies
    between the two (`gradual.change_at`). Where that is clear, a shot starts in its middle. Where
    it is not, `confirm` is asked (TransNetV2, see `transnet`): so rarely that the network's 0.8
    seconds for 100 frames come to little. Without `confirm` only clear ones count. A fade through
    black is one transition: the new shot starts where the picture returns.

    Answers come `DELAY` frames late; memory does not grow.
    """

    def __init__(self, confirm: Confirm | None = None) -> None:
        self._confirm = confirm
        self._cuts = ShotDetector()
        self._frames = np.zeros((_HELD, THUMBNAIL_HEIGHT, THUMBNAIL_WIDTH, 3), np.uint8)
        self._count = 0
        self._told = 0
        self._starts: deque[int] = deque()
        self._open: list[tuple[int, Change]] = []
        self._gradual: deque[tuple[int, Change]] = deque()

    def push(self, thumbnail: Image | None) -> list[bool]:
        """Take the next frame's thumbnail, uint8 [27, 48, 3] RGB or None where it is unknown.

        Returns for the frames that are decided now, in order, whether they start a new shot.
        """
        number = self._count
        self._frames[number % _HELD] = self._frame(number - 1) if thumbnail is None else thumbnail
        self._count += 1
        if self._cuts.push(thumbnail):
            self._add_cut(number)
        self._look_for_step(number - AROUND)
        self._look_for_change(number - REACH)
        self._decide(number - WINDOW // 2)
        return self._answers(self._count - DELAY)

    def finish(self) -> list[bool]:
        """The answers for the frames that are left, after the last one."""
        self._close_change()
        self._decide(self._count)
        return self._answers(self._count)

    def _frame(self, number: int) -> Image:
        frame: Image = self._frames[min(max(number, 0), self._count - 1) % _HELD]
        return frame

    def _add_cut(self, number: int) -> None:
        last = self._starts[-1] if self._starts else -_HELD
        if number - last <= SAME_FADE:
            brightest = [int(self._frame(n).max()) for n in range(last - 1, number)]
            if min(brightest) < BLACK:
                if brightest[-1] > brightest[0]:
                    return
                self._starts.pop()
        self._starts.append(number)

    def _look_for_step(self, number: int) -> None:
        if number >= AROUND and number not in self._starts:
            index = np.arange(number - AROUND, number + AROUND + 1) % _HELD
            if is_step(self._frames[index]):
                self._insert(number)

    def _look_for_change(self, middle: int) -> None:
        if middle < REACH:
            return
        held, at = self._frames, middle % _HELD
        if any(differ(held[at - n], held[(at + n) % _HELD]) for n in HALF_LENGTHS):
            index = np.arange(middle - REACH, middle + REACH + 1) % _HELD
            change = change_at(self._frames[index])
            if change is not None:
                self._open.append((middle, change))
        if self._open and (
            middle - self._open[-1][0] >= 3 or middle - self._open[0][0] >= LONGEST_CHANGE
        ):
            self._close_change()

    def _close_change(self) -> None:
        """Of neighbouring frames that may be the middle of a transition, the middle one of the
        likeliest is."""
        if self._open:
            least = min(change.doubt for _, change in self._open)
            likeliest = [one for one in self._open if one[1].doubt <= least + SAME_DOUBT]
            self._gradual.append(likeliest[len(likeliest) // 2])
            self._open.clear()

    def _decide(self, known: int) -> None:
        """Settle the changes up to a frame."""
        while self._gradual and self._gradual[0][0] <= known:
            middle, change = self._gradual.popleft()
            if any(abs(start - middle) <= SAME_TRANSITION for start in self._starts):
                continue
            if change.is_clear or (self._confirm and self._is_confirmed(middle)):
                self._insert(middle)

    def _insert(self, start: int) -> None:
        self._starts = deque(sorted((*self._starts, start)))

    def _is_confirmed(self, middle: int) -> bool:
        assert self._confirm
        numbers = range(middle - WINDOW // 2, middle + WINDOW // 2)
        likely = self._confirm(np.stack([self._frame(number) for number in numbers]))
        return bool(likely[WINDOW // 2 - NEAR : WINDOW // 2 + NEAR].max() >= LIKELY)

    def _answers(self, end: int) -> list[bool]:
        answers = []
        for number in range(self._told, end):
            starts = bool(self._starts) and self._starts[0] == number
            if starts and len(self._starts) > 0:
                self._starts.popleft()
            answers.append(starts)
        self._told = max(self._told, end)
        return answers


def mark(items: Iterable[tuple[Item, Image | None]], shots: Shots) -> Iterator[tuple[Item, bool]]:
    """Items that come with their thumbnails, each with whether it starts a new shot, in order."""
    waiting: deque[Item] = deque()
    for item, thumbnail in items:
        waiting.append(item)
        for starts in shots.push(thumbnail):
            yield waiting.popleft(), starts
    for starts in shots.finish():
        yield waiting.popleft(), starts


class TransNet:
    """TransNetV2 (Souček and Lokoč, 2020), loaded when it is first asked and fetched where it is
    not cached. Where its weights cannot be had, it says so once, and nothing is confirmed."""

    def __init__(self, threads: int = 1) -> None:
        self._threads = threads
        self._run: Confirm | None = None

    def __call__(self, thumbnails: Image) -> Floats:
        if self._run is None:
            try:
                self._run = _open(self._threads)
            except WeightsError as error:
                logging.getLogger(__name__).warning(
                    "faint dissolves and wipes are taken for none, without TransNetV2: %s", error
                )
                self._run = _nothing
        return self._run(thumbnails)


def _open(threads: int) -> Confirm:
    from faceveil.weights.session import Runtime, open_session
    from faceveil.weights.store import locate

    path = locate("transnetv2", "shots").files["model"]
    session = open_session(path, Runtime(threads=threads))

    def confirm(thumbnails: Image) -> Floats:
        answer: Floats = session.run({"frames": thumbnails[None]}, ["single"])[0][0]
        return answer

    return confirm


def _nothing(thumbnails: Image) -> Floats:
    return np.zeros(len(thumbnails), np.float32)
