"""Who is to be veiled, and the decision on each facial sequence: the data, not the rules.

The rules are in `identity.select`; here is what an analysis and its file keep of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

from faceveil.frame_range import FrameRange

Mode = Literal["all", "none", "only", "keep"]
"""Who is veiled: everyone, no one, only the selected people, or all but the selected people."""


class Point(NamedTuple):
    """A place (x, y) in pixels of the upright frame, on a 0-based frame."""

    frame: int
    x: float
    y: float

    def __str__(self) -> str:
        return f"frame {self.frame} at ({self.x:g}, {self.y:g})"


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether a facial sequence is veiled, and why.

    Parameters
    ----------
    veil
        Whether it is veiled.
    reason
        The reason, for people to read.
    person
        The reference that the sequence matches or may match.
    similarity
        The cosine that decided, where one did.
    uncertain
        Whether a person should look at it.
    by
        Who decided by hand, after looking; None where the program decided. No later selection
        changes what was decided by hand.
    """

    veil: bool
    reason: str
    person: str | None = None
    similarity: float | None = None
    uncertain: bool = False
    by: str | None = None


@dataclass(frozen=True, slots=True)
class SelectionRecord:
    """The selection that the decisions of an analysis follow, without features or photos.

    Verification reads it to know who may be seen: without a record everyone must be veiled.

    Parameters
    ----------
    mode
        Who is veiled.
    people
        Names of the people selected by photos.
    points
        Places at which people were selected.
    identities
        Identity numbers of the people selected.
    accept, uncertain
        The cosines from which a face matches a photo, and from which it may match; None where no
        cosine decided.
    times
        Ranges of frames within which the selection counts; everyone is veiled outside. Without
        any, it counts always.
    """

    mode: Mode = "all"
    people: tuple[str, ...] = ()
    points: tuple[Point, ...] = ()
    identities: tuple[int, ...] = ()
    accept: float | None = None
    uncertain: float | None = None
    times: tuple[FrameRange, ...] = ()
