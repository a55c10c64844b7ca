"""Shot transitions of every kind: cuts and fades, and with look-ahead dissolves and wipes."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Protocol, TypeVar

import numpy as np

from faceveil.faces import THUMBNAIL_HEIGHT, THUMBNAIL_WIDTH, Floats, Image
from faceveil.shots.cuts import AROUND, BLACK, ShotDetector, is_step
from faceveil.shots.gradual import HALF_LENGTHS, REACH, Change, change_at, differ

Item = TypeVar("Item")
Confirm = Callable[[Image], Floats]
"""Thumbnails RGB uint8 [100, 27, 48, 3] in; out float32 [100], how likely each ends a shot."""

WINDOW = 100
LIKELY = 0.5
NEAR = 8
"""Frames around a change in which `Confirm` must find a transition."""
SAME_TRANSITION = 12
SAME_FADE = 16
LONGEST_CHANGE = 24
SAME_DOUBT = 0.02
DELAY = WINDOW // 2 + LONGEST_CHANGE + REACH
_HELD = 256


class Shots(Protocol):
    """Decides for each frame, in order, whether it starts a new shot; possibly some frames late."""

    def push(self, thumbnail: Image | None) -> Sequence[bool]:
        """Take the thumbnail of the next frame.

        Parameters
        ----------
        thumbnail : ndarray of uint8 [27, 48, 3] or None
            RGB; None where it is unknown.

        Returns
        -------
        sequence of bool
            Whether each frame decided by now starts a new shot, in order, none twice.
        """
        ...

    def finish(self) -> Sequence[bool]:
        """Return the decisions for the frames that are left, after the last one."""
        ...


class EveryFrame:
    """Shots of unrelated pictures: each is a shot of its own, so that no sequence joins two."""

    def push(self, thumbnail: Image | None) -> Sequence[bool]:
        return (True,)

    def finish(self) -> Sequence[bool]:
        return ()


class TransitionDetector:
    """Detects cuts, fades, steps between shots of one place, dissolves and wipes.

    Parameters
    ----------
    confirm : callable, optional
        Decides doubtful dissolves and wipes (`transnet.TransNet`). Without it only clear ones
        count. It is called so rarely that its cost, 0.8 s for 100 frames, hardly matters.

    Notes
    -----
    The union of `cuts.ShotDetector`, of `cuts.is_step` and of gradual transitions. A dissolve or a
    wipe leads from one still picture to another, and each of its pixels lies between the two
    (`gradual.change_at`): the new shot starts in its middle. A fade through black is one
    transition: the new shot starts where the picture returns. Decisions come `DELAY` frames late;
    memory does not grow.
    """

    def __init__(self, confirm: Confirm | None = None) -> None:
        self._confirm = confirm
        self._cuts = ShotDetector()
        self._frames = np.zeros((_HELD, THUMBNAIL_HEIGHT, THUMBNAIL_WIDTH, 3), np.uint8)
        self._count = 0
        self._decided = 0
        self._starts: deque[int] = deque()
        self._open: list[tuple[int, Change]] = []
        self._gradual: deque[tuple[int, Change]] = deque()

    def push(self, thumbnail: Image | None) -> list[bool]:
        """Take the thumbnail of the next frame and return new decisions; see `Shots`."""
        number = self._count
        self._frames[number % _HELD] = self._frame(number - 1) if thumbnail is None else thumbnail
        self._count += 1
        if self._cuts.push(thumbnail):
            self._add_cut(number)
        self._find_step(number - AROUND)
        self._find_change(number - REACH)
        self._decide(number - WINDOW // 2)
        return self._answers(self._count - DELAY)

    def finish(self) -> list[bool]:
        """Return the decisions for the frames that are left, after the last one."""
        self._close_change()
        self._decide(self._count)
        return self._answers(self._count)

    def so_far(self) -> list[int]:
        """Return the frames after the last decision that start a new shot, as far as is known.

        For a stream, whose frames cannot wait for the decision. Later frames may still tell a fade
        from two cuts; doubtful dissolves and wipes are not among them.
        """
        clear = [
            middle
            for middle, change in self._gradual
            if change.is_clear
            and all(abs(start - middle) > SAME_TRANSITION for start in self._starts)
        ]
        return sorted((*self._starts, *clear))

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

    def _find_step(self, number: int) -> None:
        if number >= AROUND and number not in self._starts:
            index = np.arange(number - AROUND, number + AROUND + 1) % _HELD
            if is_step(self._frames[index]):
                self._insert(number)

    def _find_change(self, middle: int) -> None:
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
        """Of neighbouring frames that may be the middle of a transition, pick the likeliest.

        Of several that are equally likely it is the middle one.
        """
        if self._open:
            least = min(change.doubt for _, change in self._open)
            likeliest = [one for one in self._open if one[1].doubt <= least + SAME_DOUBT]
            self._gradual.append(likeliest[len(likeliest) // 2])
            self._open.clear()

    def _decide(self, known: int) -> None:
        """Decide about the changes up to a frame."""
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
        for number in range(self._decided, end):
            starts = bool(self._starts) and self._starts[0] == number
            if starts:
                self._starts.popleft()
            answers.append(starts)
        self._decided = max(self._decided, end)
        return answers


def mark_shots(
    items: Iterable[tuple[Item, Image | None]], shots: Shots
) -> Iterator[tuple[Item, bool]]:
    """Yield (item, whether it starts a new shot) from (item, thumbnail), in order."""
    waiting: deque[Item] = deque()
    for item, thumbnail in items:
        waiting.append(item)
        for starts in shots.push(thumbnail):
            yield waiting.popleft(), starts
    for starts in shots.finish():
        yield waiting.popleft(), starts
