"""Faces followed by their pixels in a window that moves on: nothing is followed twice."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from faceveil.faces import FaceSequence, Floats, Image, Ints
from faceveil.live.window import Columns
from faceveil.tracking.median_flow import follow_box
from faceveil.tracking.track import TrackOptions, track_sequences


class FollowMemory:
    """Follows boxes as `follow_box` does, and continues where it stopped the last time.

    Successive windows share most of their frames, so that the same box is followed again and again,
    each time through a few pictures more.
    """

    def __init__(self) -> None:
        self._walks: dict[tuple[int, int, bytes], _Walk] = {}
        self._turn = 0

    def next_turn(self) -> None:
        """Forget what was not asked for in the last turn."""
        self._turn += 1
        self._walks = {
            key: walk for key, walk in self._walks.items() if walk.turn >= self._turn - 1
        }

    def follow(self, pictures: Sequence[Image], box: Floats) -> Floats:
        """Return the boxes [k, 4] in the pictures after the first, as `follow_box` does."""
        if len(pictures) < 2:
            return np.zeros((0, 4), np.float32)
        key = id(pictures[0]), id(pictures[1]), box.tobytes()
        walk = self._walks.setdefault(key, _Walk((pictures[0], pictures[1])))
        walk.turn = self._turn
        done, steps = len(walk.boxes), len(pictures) - 1
        if done < steps and not walk.is_lost:
            more = follow_box(pictures[done:], walk.boxes[-1] if done else box)
            walk.is_lost = len(more) < steps - done
            walk.boxes = np.concatenate([walk.boxes, more])
        return walk.boxes[:steps]


@dataclass(slots=True, eq=False)
class _Walk:
    """How far a box was followed. Its pictures are held, so that no others have their ids."""

    pictures: tuple[Image, Image]
    boxes: Floats = field(default_factory=lambda: np.zeros((0, 4), np.float32))
    is_lost: bool = False
    turn: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class WindowTracker:
    """The tracker of one window, whose frames are numbered from its first (`finding.Tracker`)."""

    columns: Columns
    options: TrackOptions
    memory: FollowMemory

    def __call__(
        self,
        sequences: Sequence[FaceSequence],
        shot_starts: Ints,
        reaches: Ints,
        analysed: NDArray[np.bool_],
    ) -> list[FaceSequence]:
        """Return the sequences with more boxes; see `track.track_sequences`."""
        return track_sequences(
            sequences,
            shot_starts,
            len(analysed),
            self._pictures,
            (self.columns.width, self.columns.height),
            self.options,
            rate=self.columns.rate,
            analysed=analysed,
            reaches=reaches,
            workers=1,
            follow=self.memory.follow,
        )

    def _pictures(self, wanted: NDArray[np.bool_]) -> Iterator[tuple[int, Image]]:
        for number in np.flatnonzero(wanted).tolist():
            picture = self.columns.greys.get(self.columns.first + number)
            if picture is not None:
                yield number, picture
