"""What gives way when the machine is too slow: looks first, then their size, then frames.

A look is one detection of the faces of a frame.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from math import ceil

SCALES = (1.0, 0.7, 0.5)
"""Sizes at which faces are detected, as shares of the picture's."""
MOST_SECONDS_APART = 0.25
"""Looks are never planned further apart; rather the picture is reduced."""
RESERVE = 1.15
_SMOOTHING = 0.2
_CALM_SECONDS = 3.0
_LATE_SECONDS = 0.3


class LoadControl:
    """Decides in which frames faces are detected and at which size, and which frames are dropped.

    More load counts at once, less only after some calm seconds, so that nothing swings. Safe in
    several threads.

    Parameters
    ----------
    workers
        How many detectors work at once.
    """

    def __init__(self, workers: int) -> None:
        self._workers = workers
        self._lock = threading.Lock()
        self._seconds = 0.0
        self._level = 0
        self._stride = 1
        self._has_reserve = True
        self._calm_since: float | None = None
        self._tense_since: float | None = None

    @property
    def stride(self) -> int:
        """The distance in frames of the looks."""
        return self._stride

    @property
    def scale(self) -> float:
        """The size of the pictures in which faces are detected, as a share."""
        return SCALES[self._level]

    @property
    def has_reserve(self) -> bool:
        """Whether there is time for looks between those that are planned."""
        return self._level == 0 and self._has_reserve

    @property
    def look_seconds(self) -> float:
        """What one look takes, about."""
        return self._seconds

    def looked(self, seconds: float, rate: float, now: float) -> None:
        """Learn that one look took so long, while frames come at `rate` a second."""
        with self._lock:
            change = seconds - self._seconds
            self._seconds += change if self._seconds == 0 else change * _SMOOTHING
            most = max(1, round(MOST_SECONDS_APART * rate))
            needed = max(1, ceil(self._seconds * rate * RESERVE / self._workers))
            if needed > most:
                self._reduce(now)
            elif self._level and self._enlarged(needed) <= most / 2:
                self._after_calm(now, self._enlarge)
            elif needed < self._stride:
                self._after_calm(now, self._closer)
            else:
                self._calm_since = self._tense_since = None
            self._stride = min(max(self._stride, needed), most)
            self._has_reserve = 2 * needed <= most

    def is_late(self, seconds: float) -> bool:
        """Whether a frame that is late by so many seconds is dropped."""
        return seconds > _LATE_SECONDS

    def _enlarged(self, needed: int) -> float:
        """The stride that looks one size larger would need."""
        return needed * (SCALES[self._level - 1] / SCALES[self._level]) ** 2

    def _reduce(self, now: float) -> None:
        """Use the next smaller size, after a second in which even the largest distance is too
        small."""
        self._calm_since = None
        if self._tense_since is None:
            self._tense_since = now
        elif now - self._tense_since >= 1.0 and self._level + 1 < len(SCALES):
            self._level += 1
            self._seconds *= (SCALES[self._level] / SCALES[self._level - 1]) ** 2
            self._tense_since = None

    def _enlarge(self) -> None:
        self._level -= 1
        self._seconds *= (SCALES[self._level] / SCALES[self._level + 1]) ** 2

    def _closer(self) -> None:
        self._stride -= 1

    def _after_calm(self, now: float, step: Callable[[], None]) -> None:
        self._tense_since = None
        if self._calm_since is None:
            self._calm_since = now
        elif now - self._calm_since >= _CALM_SECONDS:
            self._calm_since = now
            step()
