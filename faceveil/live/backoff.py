"""Pauses before something lost is tried again: longer each time."""

from __future__ import annotations

FIRST_SECONDS, LONGEST_SECONDS = 0.5, 15.0


class Backoff:
    """Pauses of 0.5 s, 1 s, 2 s … and 15 s at most."""

    def __init__(self) -> None:
        self._seconds = FIRST_SECONDS

    def next(self) -> float:
        """Return the next pause in seconds."""
        pause = self._seconds
        self._seconds = min(2 * pause, LONGEST_SECONDS)
        return pause

    def reset(self) -> None:
        """Begin with the shortest again, since it works."""
        self._seconds = FIRST_SECONDS
