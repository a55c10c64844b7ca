"""The risk of every frame: how likely it shows a face that must be veiled, and why.

A person who reviews a video should look at its worst seconds first. Hazards of different causes
add up, and the risk of a frame is 1 - exp(-their sum). docs/guides/reviewing.md explains the
causes; benchmarks/reports/risk.md measures which share of the faces that show lies in the frames
of the highest risk.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from faceveil.analysis import Analysis
from faceveil.assure import hazards
from faceveil.assure.lost_faces import lost_and_found
from faceveil.assure.risk_rows import Hazard, RiskWeights, Rows
from faceveil.assure.verification import Verification
from faceveil.faces import Floats

WORTH_LOOKING = 0.02
"""Stretches of less risk are not offered to a person."""
LONGEST_STRETCH = 10.0
"""Seconds."""
_NAMED_SHARE = 0.1
"""Causes of less than this share of a stretch's hazard are not named."""


class Reason(IntEnum):
    """Why a frame may show a face."""

    FOUND = 0
    UNKNOWN = 1
    HOLE = 2
    ENDS = 3
    BEGINS = 4
    UNDETECTED = 5
    LOW_SCORE = 6
    CROSSING = 7
    MOTION = 8
    UNCERTAIN = 9
    EMPTY = 10
    LEFT_OVER = 11

    @property
    def text(self) -> str:
        """The reason in words, for people."""
        return _TEXTS[self]


_TEXTS = {
    Reason.FOUND: "verification found a face or what may be one",
    Reason.UNKNOWN: "the frame could not be analysed",
    Reason.HOLE: "a face was lost and found again, with no veil between",
    Reason.ENDS: "a face was lost in mid-picture",
    Reason.BEGINS: "a face appeared in mid-picture",
    Reason.UNDETECTED: "a face was followed without being detected",
    Reason.LOW_SCORE: "a face was detected with a low score",
    Reason.CROSSING: "two faces overlap",
    Reason.MOTION: "faces move fast",
    Reason.UNCERTAIN: "it is uncertain whose face this is",
    Reason.EMPTY: "no face was found in this shot",
    Reason.LEFT_OVER: "something like a face was seen, with a score too low to count",
}


@dataclass(frozen=True, slots=True)
class Stretch:
    """Consecutive frames of one shot that should be looked at together.

    Attributes
    ----------
    first, last : int
        Frames, both inclusive.
    risk : float
        The highest risk of these frames, 0 to 1.
    reasons : tuple of Reason
        Why, the weightiest first.
    """

    first: int
    last: int
    risk: float
    reasons: tuple[Reason, ...]


@dataclass(frozen=True, eq=False)
class FrameRisk:
    """The risk of every frame.

    Attributes
    ----------
    hazards : ndarray of float32 [reasons, frames]
        The hazard of each `Reason` in each frame.
    shot_starts : ndarray of int64 [s]
    rate : float
        Frames per second.
    """

    hazards: Floats
    shot_starts: NDArray[np.int64]
    rate: float

    def __len__(self) -> int:
        return int(self.hazards.shape[1])

    @cached_property
    def risk(self) -> Floats:
        """float32 [frames]: from 0 to 1."""
        return np.asarray(-np.expm1(-self.hazards.sum(axis=0)), np.float32)

    def reasons(self, first: int, last: int) -> tuple[Reason, ...]:
        """Return why the frames first to last (inclusive) have a risk, the weightiest first."""
        total = self.hazards[:, first : last + 1].sum(axis=1)
        named = np.flatnonzero(total > _NAMED_SHARE * total.sum())
        return tuple(Reason(index) for index in named[np.argsort(-total[named])].tolist())

    def left(self, looked: NDArray[np.bool_]) -> float:
        """Return the share of all risk in frames that were not looked at, given bool [frames]."""
        total = float(self.risk.sum(dtype=np.float64))
        return float(self.risk[~looked].sum(dtype=np.float64)) / total if total else 0.0


def frame_risk(
    analysis: Analysis,
    verification: Verification | None = None,
    weights: RiskWeights = RiskWeights(),
) -> FrameRisk:
    """Compute the risk of every frame.

    Parameters
    ----------
    analysis : Analysis
        With the corrections that were made so far.
    verification : Verification, optional
        What verification found in the output.
    weights : RiskWeights
        How much each cause weighs.

    Returns
    -------
    FrameRisk

    Notes
    -----
    All boxes are processed as columns: eight hours of three faces take about a second and 48 bytes
    a frame beside the columns of the boxes. A face that was never detected in any frame of its shot
    leaves no trace in an analysis, so nothing but `Reason.EMPTY` can point at it.
    """
    rows = Rows(analysis)
    accept = analysis.models.accept_score if analysis.models else 1.0
    found: dict[Reason, Hazard] = {
        Reason.UNKNOWN: hazards.unknown(analysis, rows, weights),
        Reason.UNDETECTED: hazards.undetected(rows, weights),
        Reason.LOW_SCORE: hazards.low_scores(rows, weights, accept),
        Reason.CROSSING: hazards.crossings(rows, weights),
        Reason.MOTION: hazards.motion(rows, weights),
        Reason.UNCERTAIN: hazards.uncertainty(rows, analysis.decisions, weights),
        Reason.EMPTY: hazards.empty_shots(rows, weights),
        Reason.LEFT_OVER: hazards.leftovers(analysis.leftovers, rows, weights, accept),
    }
    if verification is not None:
        found[Reason.FOUND] = hazards.findings(verification, rows, weights)
    if analysis.source.kind != "stills":
        behind, ahead, holes = lost_and_found(rows, weights)
        found |= {Reason.ENDS: behind, Reason.BEGINS: ahead, Reason.HOLE: holes}
    table = np.zeros((len(Reason), rows.frame_count), np.float32)
    for reason, hazard in found.items():
        table[reason] = hazard
    return FrameRisk(table, rows.shot_starts, rows.rate)


def stretches(risk: FrameRisk, looked: NDArray[np.bool_]) -> Iterator[Stretch]:
    """Yield the stretches that were not looked at, the riskiest first.

    Parameters
    ----------
    risk : FrameRisk
    looked : ndarray of bool [frames]
        The frames that a person looked at.

    Yields
    ------
    Stretch
        A stretch holds the frames around the riskiest one that have at least half of its risk,
        were not looked at and belong to its shot: ten seconds at most. Those under
        `WORTH_LOOKING` are left out.
    """
    left = np.where(looked, np.float32(0), risk.risk)
    reach = max(1, round(LONGEST_STRETCH * risk.rate / 2))
    while len(left):
        peak = int(left.argmax())
        highest = float(left[peak])
        if highest < WORTH_LOOKING:
            return
        shot = int(np.searchsorted(risk.shot_starts, peak, side="right")) - 1
        stops = np.append(risk.shot_starts[1:], len(left))
        low = max(int(risk.shot_starts[shot]), peak - reach)
        high = min(int(stops[shot]), peak + reach)
        below = np.flatnonzero(left[low:high] < highest / 2) + low
        first = int(below[below < peak].max(initial=low - 1)) + 1
        last = int(below[below > peak].min(initial=high)) - 1
        yield Stretch(first, last, highest, risk.reasons(first, last))
        left[first : last + 1] = 0
