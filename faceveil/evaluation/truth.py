"""What is true in a clip: where every face is, whose it is, and how much of it is visible.

A face is the ellipse inscribed in its box: the corners of a box show hair and background. Objects
of other kinds, such as plates, are their whole boxes. Shares are counted on a grid of sample
points.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from faceveil.faces import Floats, Ints, Kind

GRID = 24


def _ellipse() -> NDArray[np.bool_]:
    offset = (np.arange(GRID) + 0.5) / GRID * 2 - 1
    return np.asarray(offset[:, None] ** 2 + offset[None, :] ** 2 <= 1)


ELLIPSE = _ellipse()
"""bool [GRID, GRID]: which sample points of a face box lie in its inscribed ellipse, the face."""
_OVAL = (Kind.FACE, Kind.HEAD)

_NO_INTS = np.zeros(0, np.int32)
_NO_FLOATS = np.zeros(0, np.float32)
_NO_BOOLS = np.zeros(0, np.bool_)
_NO_KINDS = np.zeros(0, np.uint8)


@dataclass(frozen=True, eq=False)
class Truth:
    """Every face of a clip as columns: a row for each face in each of its frames, frames rising.

    Attributes
    ----------
    width, height, frame_count : int
        Size of the upright frame in pixels, and number of frames.
    people : tuple of str
    shot_starts : ndarray of int32 [s]
        First frame of each shot.
    frames : ndarray of int32 [n]
    person : ndarray of int32 [n]
        Index of `people`.
    boxes : ndarray of float32 [n, 4]
        Pixels of the upright frame, not clipped to it.
    seen : ndarray of bool [n, GRID, GRID]
        Which sample points of the face's ellipse are inside the frame and not hidden.
    track : ndarray of int32 [n]
        Rows of one face followed through one shot; by default each person and shot.
    visibility : ndarray of float32 [n]
        Visible share as labelled, where `seen` does not tell; by default 1.
    ignore : ndarray of bool [n]
        Faces that are not recognisable; they count neither way.
    labelled : ndarray of bool [frame_count]
        Frames in which every face has a row, by default all; the others are left out.
    kinds : ndarray of uint8 [n]
        The `Kind` of each row, by default faces.
    labelled_kinds : tuple of Kind
        The kinds of which every object has a row; by default those that occur, faces where none
        does. Boxes of other kinds are neither right nor wrong.
    """

    width: int
    height: int
    frame_count: int
    people: tuple[str, ...]
    shot_starts: Ints
    frames: Ints
    person: Ints
    boxes: Floats
    seen: NDArray[np.bool_]
    track: Ints = field(default_factory=lambda: _NO_INTS)
    visibility: Floats = field(default_factory=lambda: _NO_FLOATS)
    ignore: NDArray[np.bool_] = field(default_factory=lambda: _NO_BOOLS)
    labelled: NDArray[np.bool_] = field(default_factory=lambda: _NO_BOOLS)
    kinds: NDArray[np.uint8] = field(default_factory=lambda: _NO_KINDS)
    labelled_kinds: tuple[Kind, ...] = ()

    def __post_init__(self) -> None:
        count = len(self.frames)
        if len(self.track) != count:
            pairs = np.stack([self.person, self.shots], axis=1)
            track = np.unique(pairs, axis=0, return_inverse=True)[1]
            object.__setattr__(self, "track", track.reshape(-1).astype(np.int32))
        if len(self.visibility) != count:
            object.__setattr__(self, "visibility", np.ones(count, np.float32))
        if len(self.ignore) != count:
            object.__setattr__(self, "ignore", np.zeros(count, bool))
        if len(self.labelled) != self.frame_count:
            object.__setattr__(self, "labelled", np.ones(self.frame_count, bool))
        if len(self.kinds) != count:
            object.__setattr__(self, "kinds", np.zeros(count, np.uint8))
        if not self.labelled_kinds:
            occurring = tuple(map(Kind, np.unique(self.kinds).tolist()))
            object.__setattr__(self, "labelled_kinds", occurring or (Kind.FACE,))

    def __len__(self) -> int:
        return len(self.frames)

    @property
    def visible(self) -> Floats:
        """float32 [n]: the visible share of each face."""
        whole = np.where(is_oval(self.kinds), ELLIPSE.sum(), ELLIPSE.size)
        share = (self.seen.sum(axis=(1, 2)) / whole).astype(np.float32)
        return np.asarray(np.minimum(share, self.visibility), np.float32)

    @property
    def shots(self) -> Ints:
        """int32 [n]: the shot each row lies in."""
        index = np.searchsorted(self.shot_starts, self.frames, side="right") - 1
        return index.astype(np.int32)

    def rows_of(self, people: Collection[str]) -> NDArray[np.bool_]:
        """Return bool [n]: the rows of these people. Raises KeyError for an unknown one."""
        unknown = set(people) - set(self.people)
        if unknown:
            raise KeyError(f"not in this clip: {sorted(unknown)}")
        return np.isin(self.person, [self.people.index(name) for name in people])

    def select(self, rows: NDArray[np.bool_]) -> Truth:
        """The same clip with only some of the rows, bool [n]."""
        columns = ("frames", "person", "boxes", "seen", "track", "visibility", "ignore", "kinds")
        return replace(self, **{name: getattr(self, name)[rows] for name in columns})

    def of_kind(self, kind: Kind) -> Truth:
        """The same clip with the objects of one kind, and their names alone."""
        if (self.kinds == kind).all():
            return self
        own = self.select(self.kinds == kind)
        known, person = np.unique(own.person, return_inverse=True)
        people = tuple(self.people[index] for index in known.tolist())
        return replace(own, people=people, person=person.reshape(-1).astype(np.int32))

    def repeated(self, times: int) -> Truth:
        """The truth of the same clip played several times in a row."""
        offsets = np.arange(times, dtype=np.int32)[:, None]
        tracks = np.int32(self.track.max(initial=-1) + 1)
        return replace(
            self,
            frame_count=self.frame_count * times,
            shot_starts=(offsets * np.int32(self.frame_count) + self.shot_starts).ravel(),
            frames=(offsets * np.int32(self.frame_count) + self.frames).ravel(),
            person=np.tile(self.person, times),
            boxes=np.tile(self.boxes, (times, 1)),
            seen=np.tile(self.seen, (times, 1, 1)),
            track=(offsets * tracks + self.track).ravel(),
            visibility=np.tile(self.visibility, times),
            ignore=np.tile(self.ignore, times),
            labelled=np.tile(self.labelled, times),
            kinds=np.tile(self.kinds, times),
        )


def grid_points(boxes: NDArray[np.floating]) -> NDArray[np.float64]:
    """The sample points float64 [n, GRID, GRID, 2] (x, y) of boxes [n, 4], in pixels."""
    boxes = np.asarray(boxes, np.float64)
    step = (np.arange(GRID) + 0.5) / GRID
    x = boxes[:, None, 0] + step * (boxes[:, None, 2] - boxes[:, None, 0])
    y = boxes[:, None, 1] + step * (boxes[:, None, 3] - boxes[:, None, 1])
    columns, rows = np.broadcast_arrays(x[:, None, :], y[:, :, None])
    return np.stack([columns, rows], axis=-1)


def is_oval(kinds: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """bool [n]: the kinds whose objects are the ellipses in their boxes, not the boxes."""
    return np.isin(kinds, _OVAL)


def seen_inside(
    boxes: Floats, width: int, height: int, kinds: NDArray[np.uint8] | None = None
) -> NDArray[np.bool_]:
    """bool [n, GRID, GRID]: the sample points of faces, or of these kinds, inside the frame."""
    points = grid_points(boxes)
    inside = ((points >= 0) & (points < (width, height))).all(axis=-1)
    if kinds is None:
        return np.asarray(inside & ELLIPSE)
    return np.asarray(inside & (ELLIPSE | ~is_oval(kinds)[:, None, None]))
