"""Faces that a detector saw with a low score and that no sequence took: where one may be missed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faceveil.faces import Floats, Ints

MOST_LEFT_OVER = 200_000
"""Of more, those with the highest scores are kept: 24 bytes each in memory, 45 in analysis.json."""


@dataclass(frozen=True, slots=True, eq=False)
class Leftovers:
    """Detections below the detector's own threshold that lie on no sequence, as columns.

    Attributes
    ----------
    frames : ndarray of int32 [n]
        Rising; several may be of one frame.
    boxes : ndarray of float32 [n, 4]
        Pixels of the upright frame.
    scores : ndarray of float32 [n]
    """

    frames: Ints
    boxes: Floats
    scores: Floats

    def __len__(self) -> int:
        return len(self.frames)

    @classmethod
    def none(cls) -> Leftovers:
        """Return columns of no detection."""
        empty = np.zeros((0, 4), np.float32)
        return cls(np.zeros(0, np.int32), empty, np.zeros(0, np.float32))

    def select(self, chosen: NDArray[Any]) -> Leftovers:
        """Return those of a mask or an index [n], in that order."""
        return Leftovers(self.frames[chosen], self.boxes[chosen], self.scores[chosen])

    def strongest(self, most: int = MOST_LEFT_OVER) -> Leftovers:
        """Return those with the highest scores, in order of their frames."""
        if len(self) <= most:
            return self
        return self.select(np.sort(np.argsort(-self.scores, kind="stable")[:most]))
