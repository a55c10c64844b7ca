"""The entries of corrections.json: one change each, with when, by whom and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from faceveil.faces import Floats, Ints, Kind


@dataclass(frozen=True, slots=True)
class BoxAt:
    """A box x1, y1, x2, y2, in pixels of the upright frame, on a 0-based frame.

    As an anchor it stands for the sequence whose box there overlaps it most, or for the identity
    of that sequence: numbers differ from one analysis to the next, places do not.
    """

    frame: int
    box: tuple[float, float, float, float]


@dataclass(frozen=True, slots=True, eq=False)
class Track:
    """Boxes that following by pixels made of drawn ones, so that applying them needs no frames.

    Attributes
    ----------
    frames : ndarray of int32 [n]
        Rising.
    boxes : ndarray of float32 [n, 4]
    """

    frames: Ints
    boxes: Floats


@dataclass(frozen=True, slots=True)
class Target:
    """What a correction is about: an identity, a sequence, or an object drawn by hand."""

    identity: BoxAt | None = None
    sequence: BoxAt | None = None
    object: str | None = None


@dataclass(frozen=True, slots=True)
class Decide:
    """Keep or veil a target, in all frames or from `first` to `last`, both included."""

    target: Target
    decision: Literal["keep", "veil"]
    first: int | None = None
    last: int | None = None


@dataclass(frozen=True, slots=True)
class Name:
    """Give an identity a name."""

    identity: BoxAt
    name: str


@dataclass(frozen=True, slots=True)
class Join:
    """Two identities are one person."""

    identities: tuple[BoxAt, BoxAt]


@dataclass(frozen=True, slots=True)
class Move:
    """A sequence is of another identity; None stands for a new one."""

    sequence: BoxAt
    identity: BoxAt | None = None


@dataclass(frozen=True, slots=True)
class Split:
    """A sequence is two, the second from `frame` on."""

    sequence: BoxAt
    frame: int


@dataclass(frozen=True, slots=True)
class Draw:
    """An object that was missed, drawn in some frames and followed in others.

    It reaches from `first` to `last`, or as far as its boxes do.
    """

    object: str
    kind: Kind
    keyframes: tuple[BoxAt, ...]
    tracked: Track | None = None
    first: int | None = None
    last: int | None = None


@dataclass(frozen=True, slots=True)
class Shape:
    """Boxes of a target moved or resized from `first` to `last`."""

    target: Target
    keyframes: tuple[BoxAt, ...]
    first: int
    last: int
    tracked: Track | None = None


@dataclass(frozen=True, slots=True)
class Extent:
    """Where a target begins and ends."""

    target: Target
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Remove:
    """A veil that is on nothing, removed in all frames or from `first` to `last`."""

    target: Target
    first: int | None = None
    last: int | None = None


@dataclass(frozen=True, slots=True)
class Reference:
    """A face of the video taken as a further picture of an identity.

    `matched` are sequences in which the recogniser knew it again.
    """

    identity: BoxAt
    frame: int
    box: tuple[float, float, float, float]
    matched: tuple[BoxAt, ...] = ()


@dataclass(frozen=True, slots=True)
class Looked:
    """A person looked at the frames from `first` to `last`."""

    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Undo:
    """An earlier entry does not hold."""

    entry: str


@dataclass(frozen=True, slots=True)
class Redo:
    """An undone entry holds again."""

    entry: str


Change = (
    Decide
    | Name
    | Join
    | Move
    | Split
    | Draw
    | Shape
    | Extent
    | Remove
    | Reference
    | Looked
    | Undo
    | Redo
)
OPS: dict[str, type[Change]] = {
    "decide": Decide,
    "name": Name,
    "join": Join,
    "move": Move,
    "split": Split,
    "draw": Draw,
    "shape": Shape,
    "extent": Extent,
    "remove": Remove,
    "reference": Reference,
    "looked": Looked,
    "undo": Undo,
    "redo": Redo,
}
_NAMES = {kind: name for name, kind in OPS.items()}


@dataclass(frozen=True, slots=True)
class Entry:
    """One correction.

    Attributes
    ----------
    id : str
        Unique in its document.
    at : str
        When it was made: ISO 8601, UTC.
    by : str
        Who made it.
    change : Change
        What was changed.
    why : str, optional
        The reason; `Remove` needs one.
    """

    id: str
    at: str
    by: str
    change: Change
    why: str | None = None

    @property
    def op(self) -> str:
        """The name of its change in the file."""
        return _NAMES[type(self.change)]
