"""The open sequences of a shot: where each face was, how it moves, what it looks like."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from faceveil.faces import Floats
from faceveil.sequence.geometry import centres
from faceveil.sequence.match import Pairs

VELOCITY_MEMORY = np.float32(0.5)
LONGEST_MOTION = 10.0


class OpenTracks:
    """State of the open sequences, as columns; row i is the same face in all of them.

    ids int64 [m]; boxes float32 [m, 4], the last seen; velocity float32 [m, 2], pixels a frame;
    frames int64 [m], when last seen; features float32 [m, D], the remembered, normalised, zeros
    where none was worth remembering.
    """

    def __init__(self) -> None:
        self.ids = np.zeros(0, np.int64)
        self.clear(0)

    def clear(self, feature_size: int) -> None:
        """Close all."""
        self.ids = np.zeros(0, np.int64)
        self.boxes: Floats = np.zeros((0, 4), np.float32)
        self.velocity: Floats = np.zeros((0, 2), np.float32)
        self.frames = np.zeros(0, np.int64)
        self.features: Floats = np.zeros((0, feature_size), np.float32)
        self._moving = np.zeros(0, bool)

    def __len__(self) -> int:
        return len(self.ids)

    def start(self, ids: NDArray[Any], frame: int, boxes: Floats, features: Floats) -> None:
        """Open a sequence for each face."""
        count = len(ids)
        self.ids = np.concatenate([self.ids, ids])
        self.boxes = np.concatenate([self.boxes, boxes])
        self.velocity = np.concatenate([self.velocity, np.zeros((count, 2), np.float32)])
        self.frames = np.concatenate([self.frames, np.full(count, frame, np.int64)])
        self.features = np.concatenate([self.features, features])
        self._moving = np.concatenate([self._moving, np.zeros(count, bool)])

    def keep(self, mask: NDArray[np.bool_]) -> None:
        """Close all others."""
        self.ids, self.boxes, self.velocity = self.ids[mask], self.boxes[mask], self.velocity[mask]
        self.frames, self.features = self.frames[mask], self.features[mask]
        self._moving = self._moving[mask]

    def pairs(self, frame: int, boxes: Floats, features: Floats) -> Pairs:
        """Every open sequence [m] with every face of a frame [n]: pairs of shape [m, n].

        features: float32 [n, D] with zeros where not worth comparing.
        """
        similarity = self.features @ features.T
        # A cosine of exactly 0 is a row of zeros: no feature.
        similarity[similarity == 0] = np.nan
        return Pairs(
            before=self.boxes[:, None],
            predicted=self.predict(frame)[:, None],
            after=boxes[None],
            gap=(frame - self.frames)[:, None],
            similarity=similarity,
        )

    def predict(self, frame: int) -> Floats:
        """Boxes float32 [m, 4] expected on a frame: constant velocity for a while, then rest."""
        time = np.minimum(frame - self.frames, LONGEST_MOTION).astype(np.float32)
        shift = self.velocity * time[:, None]
        return np.asarray(self.boxes + np.concatenate([shift, shift], axis=1))

    def move(self, rows: NDArray[Any], frame: int, boxes: Floats) -> None:
        """The faces of these rows were seen at these boxes."""
        gap = (frame - self.frames[rows]).astype(np.float32)[:, None]
        step = (centres(boxes) - centres(self.boxes[rows])) / gap
        memory = np.where(self._moving[rows], VELOCITY_MEMORY, np.float32(0))[:, None]
        self.velocity[rows] = memory * self.velocity[rows] + (1 - memory) * step
        self.boxes[rows] = boxes
        self.frames[rows] = frame
        self._moving[rows] = True

    def remember(self, rows: NDArray[Any], features: Floats, memory: float) -> None:
        """Mix new features (normalised, zeros where none) into those remembered."""
        has_feature = features.any(axis=1)
        rows, new = rows[has_feature], features[has_feature]
        old = self.features[rows]
        mixed = np.where(old.any(axis=1)[:, None], memory * old + (1 - memory) * new, new)
        norm = np.sqrt(np.einsum("ij,ij->i", mixed, mixed))[:, None]
        self.features[rows] = mixed / np.maximum(norm, np.float32(1e-12))
