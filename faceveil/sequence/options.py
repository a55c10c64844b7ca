"""The options of all steps from detections to finished sequences."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from faceveil.errors import UsageError
from faceveil.sequence.interpolate import INTERPOLATORS
from faceveil.sequence.match import DISTANCES
from faceveil.sequence.rts import RTS
from faceveil.sequence.smooth import SMOOTHERS


@dataclass(frozen=True, slots=True)
class SequenceOptions:
    """How faces are followed, and how the gaps between detections are covered.

    Attributes
    ----------
    distance : {"motion", "thesis"}
        The distance by which faces are matched.
    max_gap : int
        The most frames from one detection to the next within a sequence; 1 is adjacent frames.
    join_gap : int
        The most frames between two sequences of one shot that are joined; 0 joins none.
    low_scores : bool
        Whether detections with a low score continue a sequence.
    interpolation : str
        The interpolator that fills gaps, a key of `interpolate.INTERPOLATORS`.
    extension : int
        Frames added at both ends of a sequence.
    smoothing : str
        A filter, a key of `smooth.SMOOTHERS`; "rts", a model that fills gaps as well, instead of
        interpolation; or "none".
    smoothing_window : int
        Length of the filter in frames, odd.
    min_length : int
        Sequences that span fewer frames are removed; 0 removes none.
    prune_detected : bool
        Remove short sequences even where that uncovers a detected face, as the thesis does. The
        coverage check then reports the breach.

    Raises
    ------
    UsageError
        For an unknown name or a number out of range.
    """

    distance: str = "motion"
    max_gap: int = 12
    join_gap: int = 40
    low_scores: bool = True
    interpolation: str = "pchip"
    extension: int = 10
    smoothing: str = "gaussian"
    smoothing_window: int = 9
    min_length: int = 0
    prune_detected: bool = False

    def __post_init__(self) -> None:
        _one_of("distance", self.distance, DISTANCES)
        _one_of("interpolation", self.interpolation, INTERPOLATORS)
        _one_of("smoothing", self.smoothing, ("none", RTS, *SMOOTHERS))
        _at_least("max_gap", self.max_gap, 1)
        _at_least("join_gap", self.join_gap, 0)
        _at_least("extension", self.extension, 0)
        _at_least("min_length", self.min_length, 0)
        _at_least("smoothing_window", self.smoothing_window, 3)
        if self.smoothing_window % 2 == 0:
            raise UsageError(f"smoothing_window must be odd, not {self.smoothing_window}")


def _one_of(option: str, value: str, names: Collection[str]) -> None:
    if value not in names:
        raise UsageError(f"{option} {value!r} does not exist; use one of {', '.join(names)}")


def _at_least(option: str, value: int, least: int) -> None:
    if value < least:
        raise UsageError(f"{option} must be {least} or more, not {value}")


THESIS = SequenceOptions(
    distance="thesis",
    max_gap=1,
    join_gap=40,
    low_scores=False,
    interpolation="pchip",
    extension=0,
    smoothing="moving_average",
    smoothing_window=9,
)
"""The distance and parameters of the thesis, for comparison.

As with other options, boxes are interpolated as centre and size, and smoothing adds cover where
needed.
"""
