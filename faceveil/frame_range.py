"""Ranges of frames, for a selection that holds for part of the video only."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import ceil

from faceveil.errors import UsageError

LAST_FRAME = 2**31 - 1


@dataclass(frozen=True, slots=True, order=True)
class FrameRange:
    """Frames from `first` up to, not including, `end`; both 0-based.

    Raises
    ------
    UsageError
        When the range is empty or out of bounds.
    """

    first: int
    end: int

    def __post_init__(self) -> None:
        if not 0 <= self.first < self.end <= LAST_FRAME:
            raise UsageError(
                f"the range of frames {self.first} to {self.end} is empty or out of bounds: its "
                f"end must be after its beginning, both from 0 to {LAST_FRAME}"
            )

    @classmethod
    def of_seconds(
        cls, start: float | Fraction, end: float | Fraction, rate: Fraction
    ) -> FrameRange:
        """Return the frames shown at or after `start` and before `end`.

        Parameters
        ----------
        start, end : float or Fraction
            Seconds.
        rate : Fraction
            Frames per second.

        Raises
        ------
        UsageError
            When there is no such frame.
        """
        # Through text: 0.04 s at 25 frames/s is frame 1, although the float is a little larger.
        return cls(*(ceil(Fraction(str(seconds)) * rate) for seconds in (start, end)))

    def __str__(self) -> str:
        return f"frames {self.first}-{self.end - 1}"
