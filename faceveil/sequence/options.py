"""The options of everything between detections and finished sequences."""

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

    distance: name of the distance of matching, "motion" or "thesis".
    max_gap: frames between two detections that following bridges at once; 1 is adjacent frames.
    join_gap: frames between two sequences of one shot that are joined afterwards; 0 joins none.
    low_scores: whether detections with a low score continue a sequence.
    interpolation: name of the SciPy interpolator that fills gaps.
    extension: frames added at both ends of a sequence.
    smoothing: name of the filter, "rts" (a model that fills the gaps as well, in the place of
    interpolation) or "none"; smoothing_window: its length in frames, odd.
    min_length: sequences that span fewer frames are removed; 0 removes none.
    prune_detected: remove short sequences even where a detected face is uncovered by it, as the
    thesis does. The coverage check then reports the breach.

    Raises UsageError for a name that does not exist or a number out of range.
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
"""The thesis's distance and parameters, for comparison.

Boxes are interpolated as centre and size, and smoothing adds cover where needed, as ever.
"""
