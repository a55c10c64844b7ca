"""The faces of a window and of its frames, as the page shows them over the veiled picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from faceveil.faces import FaceSequence, Floats


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """The faces of one frame, as columns. It holds no feature and no picture.

    Attributes
    ----------
    boxes : ndarray of float32 [n, 4]
        Pixels of the upright frame.
    people
        The number of each face's person.
    veiled
        Which faces are veiled.
    reasons
        Why each is veiled or kept.
    """

    boxes: Floats
    people: Sequence[int]
    veiled: Sequence[bool]
    reasons: Sequence[str]


@dataclass(frozen=True, slots=True, eq=False)
class Decided:
    """The sequences of a window and what was decided about them, as columns.

    Attributes
    ----------
    sequences
        Their frames are numbered from the window's first.
    people
        The number of each sequence's person.
    veiled : ndarray of bool [n]
        Which are veiled.
    reasons
        Why each is veiled or kept.
    """

    sequences: Sequence[FaceSequence]
    people: Sequence[int]
    veiled: NDArray[np.bool_]
    reasons: Sequence[str]

    def at(self, frame: int) -> Scene:
        """Return the faces of a frame."""
        boxes = [sequence.box_at(frame) for sequence in self.sequences]
        rows = [row for row, box in enumerate(boxes) if box is not None]
        return Scene(
            np.array([boxes[row] for row in rows], np.float32).reshape(-1, 4),
            [self.people[row] for row in rows],
            [bool(self.veiled[row]) for row in rows],
            [self.reasons[row] for row in rows],
        )
