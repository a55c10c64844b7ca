"""The frames that wait until they are due, and what is remembered of those before."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass, field

import cv2
import numpy as np

from faceveil.faces import FrameFaces, Image, Ints
from faceveil.media.decoded_frame import DecodedFrame
from faceveil.media.reduced import grey, thumbnail
from faceveil.sampling.agreement import Agreement
from faceveil.shots.transitions import TransitionDetector

REMEMBERED_SECONDS = 2.0
"""How long detections and reduced pictures are kept after their frame has left: as far as offline
following reaches back."""
GREY_HEIGHT = 540


@dataclass(slots=True, eq=False)
class LiveFrame:
    """A frame that waits.

    Attributes
    ----------
    number
        Counted from 0 through the whole run.
    seconds
        When it is shown, on the clock of the run (`time.monotonic`).
    arrived
        When it came, on the same clock.
    due
        When it leaves.
    picture
        Its samples, which are veiled in place when it leaves.
    has_left
        Whether it has been its turn to leave: its samples may be veiled since then.
    lock
        Held while the samples are read or veiled.
    """

    number: int
    seconds: float
    arrived: float
    due: float
    picture: DecodedFrame
    has_left: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)

    def reduced(self, scale: float) -> Image | None:
        """The upright picture at a scale up to 1, RGB uint8 [h, w, 3]; None once it may be
        veiled."""
        with self.lock:
            if self.has_left:
                return None
            image = self.picture.rgb()
        if scale == 1:
            return image
        size = round(image.shape[1] * scale), round(image.shape[0] * scale)
        return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)


@dataclass(frozen=True, slots=True, eq=False)
class Columns:
    """What is known of the window at one moment: what a plan is made from.

    Attributes
    ----------
    first, newest
        The frames that are remembered or wait, both inclusive.
    looks
        The faces of the frames in which they were detected, by frame number.
    greys
        Reduced grey pictures by frame number.
    starts : ndarray of int32 [s]
        The first frames of the shots; the first is `first`.
    width, height
        Size of the upright frame.
    rate
        Frames per second, as they come.
    """

    first: int
    newest: int
    looks: dict[int, FrameFaces]
    greys: dict[int, Image]
    starts: Ints
    width: int
    height: int
    rate: float


class Window:
    """The frames that wait, in order; frames behind them as far as they are remembered.

    Safe in several threads. Memory is bounded: frames beyond `most` are refused.

    Parameters
    ----------
    delay
        Seconds for which frames wait.
    most
        The most frames that wait at once.
    """

    def __init__(self, delay: float, most: int = 600) -> None:
        self._delay = delay
        self._most = most
        self._changed = threading.Condition()
        self._waiting: deque[LiveFrame] = deque()
        self._times: deque[tuple[int, float]] = deque()
        self._greys: dict[int, Image] = {}
        self._looks: dict[int, FrameFaces] = {}
        self._asked: set[int] = set()
        self._urgent: set[int] = set()
        self._strided = -1
        self._shots = _Shots()
        self._agree = Agreement()
        self._size = (0, 0)
        self._ended = False
        self.count = 0
        """Frames taken so far."""

    def push(self, picture: DecodedFrame, seconds: float, now: float, apart: bool = False) -> bool:
        """Take the next frame.

        Parameters
        ----------
        picture
            Numbered anew here.
        seconds
            When it is shown.
        now
            The time.
        apart
            Whether it does not continue the frame before, as after a reconnection.

        Returns
        -------
        bool
            False where too many frames wait, and it was dropped.
        """
        with self._changed:
            if len(self._waiting) >= self._most:
                return False
        small = thumbnail(picture)
        factor = max(1, -(-picture.height // GREY_HEIGHT))
        reduced = grey(picture, factor)
        if factor == 1:
            reduced = reduced.copy()  # else a view of the samples, which are veiled in place
        with self._changed:
            number = self.count
            picture.number = number
            for start in self._shots.push(small, apart):
                self._urgent |= {start, start - 1}
            self._greys[number] = reduced
            self._times.append((number, seconds))
            self._waiting.append(LiveFrame(number, seconds, now, now + self._delay, picture))
            self._size = picture.width, picture.height
            self.count += 1
            self._changed.notify_all()
        return True

    def end(self) -> None:
        """Say that no frame follows, so that the last one is looked at too."""
        with self._changed:
            self._ended = True
            if self.count:
                self._urgent.add(self.count - 1)
            self._changed.notify_all()

    def front(self) -> LiveFrame | None:
        """The frame that leaves next."""
        with self._changed:
            return self._waiting[0] if self._waiting else None

    def pop(self) -> None:
        """Let the first frame go; what is remembered of old ones is forgotten."""
        with self._changed:
            frame = self._waiting.popleft()
            oldest = frame.number
            while self._times and self._times[0][1] < frame.seconds - REMEMBERED_SECONDS:
                oldest = self._times.popleft()[0] + 1
                self._greys.pop(oldest - 1, None)
                self._looks.pop(oldest - 1, None)
                self._shots.forget(oldest)
            self._urgent = {number for number in self._urgent if number > frame.number}

    def last_look(self) -> int:
        """The last frame in which faces were detected, -1 for none."""
        with self._changed:
            return max(self._looks, default=-1)

    @property
    def waiting(self) -> int:
        """How many frames wait."""
        return len(self._waiting)

    @property
    def remembered(self) -> int:
        """How many reduced pictures are held, for tests of bounded memory."""
        return len(self._greys)

    def rate(self) -> float:
        """Frames per second over the frames that are remembered; 25 where it is not known yet."""
        with self._changed:
            return self._rate()

    def _rate(self) -> float:
        if len(self._times) < 2:
            return 25.0
        (first, start), (last, end) = self._times[0], self._times[-1]
        return min(max((last - first) / max(end - start, 1e-3), 1.0), 240.0)

    def next_look(self, stride: int, most_behind: int, timeout: float) -> LiveFrame | None:
        """Wait for the next frame in which faces are to be detected, and take it.

        Parameters
        ----------
        stride
            The distance of the frames in which faces are detected.
        most_behind
            How many frames the next one may lie behind the newest; those between are skipped.
        timeout
            Seconds to wait at most.

        Returns
        -------
        LiveFrame or None
            Both sides of a cut first, the other frames in order. None after the timeout.
        """
        with self._changed:
            frame = self._choose(stride, most_behind)
            if frame is None:
                self._changed.wait(timeout)
                frame = self._choose(stride, most_behind)
            if frame is not None:
                self._asked.add(frame.number)
            return frame

    def _choose(self, stride: int, most_behind: int) -> LiveFrame | None:
        if not self._waiting:
            return None
        first = self._waiting[0].number
        urgent = [number for number in self._urgent if number >= first and self._is_new(number)]
        if urgent:
            number = min(urgent)
            self._urgent.discard(number)
            return self._waiting[number - first]
        number = max(self._strided + stride, self.count - 1 - most_behind, first)
        while number < self.count and not self._is_new(number):
            number += 1
        if number >= self.count:
            return None
        self._strided = number
        return self._waiting[number - first]

    def _is_new(self, number: int) -> bool:
        return number not in self._looks and number not in self._asked

    def retry(self, number: int) -> None:
        """Ask again for a frame in which detection failed."""
        with self._changed:
            self._asked.discard(number)
            self._urgent.add(number)

    def answer(self, number: int, faces: FrameFaces | None, refine: bool = True) -> None:
        """Take the faces of a frame; None where it has left before they could be detected.

        With `refine`, the frame halfway to the look before is asked for where the two do not agree,
        as adaptive sampling does offline.
        """
        with self._changed:
            self._asked.discard(number)
            if faces is not None and number in self._greys:
                self._looks[number] = faces
                if refine:
                    self._refine(number, faces)
            self._changed.notify_all()

    def _refine(self, number: int, faces: FrameFaces) -> None:
        before = max((n for n in self._looks if n < number), default=None)
        if before is None or number - before < 2:
            return
        middle = (before + number) // 2
        if (
            self._is_new(middle)
            and not self._shots.between(before, number)
            and not self._agree(self._looks[before], faces, number - before)
        ):
            self._urgent.add(middle)

    def columns(self) -> Columns:
        """What is known now."""
        with self._changed:
            first = min(self._greys, default=0)
            return Columns(
                first=first,
                newest=self.count - 1,
                looks=dict(sorted(self._looks.items())),
                greys=dict(self._greys),
                starts=self._shots.starts(first),
                width=self._size[0],
                height=self._size[1],
                rate=self._rate(),
            )


class _Shots:
    """The shot transitions of a stream, as far as they are known."""

    def __init__(self) -> None:
        self._detector = TransitionDetector()
        self._decided = 0
        self._starts: deque[int] = deque()
        self._apart: deque[int] = deque()
        self._told: set[int] = set()
        self._count = 0

    def push(self, small: Image, apart: bool) -> set[int]:
        """Take the thumbnail of the next frame; returns the starts that are known since then."""
        for starts in self._detector.push(small):
            if starts:
                self._starts.append(self._decided)
            self._decided += 1
        if apart or not self._count:
            self._apart.append(self._count)
        self._count += 1
        known = {*self._starts, *self._apart, *self._detector.so_far()}
        new, self._told = known - self._told, known
        return new

    def starts(self, first: int) -> Ints:
        known = {*self._starts, *self._apart, *self._detector.so_far()}
        return np.array(sorted({first, *(n for n in known if n > first)}), np.int32)

    def between(self, before: int, after: int) -> bool:
        """Whether a shot starts after one frame, up to another."""
        known = (*self._starts, *self._apart, *self._detector.so_far())
        return any(before < number <= after for number in known)

    def forget(self, oldest: int) -> None:
        for starts in (self._starts, self._apart):
            while starts and starts[0] < oldest:
                starts.popleft()
