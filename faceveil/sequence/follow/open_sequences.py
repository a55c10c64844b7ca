"""The open sequences of a shot: where each face was last, its velocity and its feature."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faceveil.boxes import centres
from faceveil.faces import Floats
from faceveil.sequence.match import Pairs

VELOCITY_MEMORY = np.float32(0.5)
LONGEST_MOTION = 10.0


@dataclass(slots=True, eq=False)
class OpenSequences:
    """State of the open sequences of a shot, as columns; row i is the same face in all of them.

    ids int64 [m]; boxes float32 [m, 4]: the last ones; velocity float32 [m, 2], pixels a frame;
    frames int64 [m]: of the last boxes; features float32 [m, D]: remembered, normalised, zeros
    where no feature was worth remembering; moving bool [m]: detected more than once.
    """

    shot: int
    ids: NDArray[Any]
    boxes: Floats
    velocity: Floats
    frames: NDArray[Any]
    features: Floats
    moving: NDArray[np.bool_]

    @classmethod
    def none(cls, shot: int, feature_size: int) -> OpenSequences:
        """No open sequence."""
        return cls(
            shot=shot,
            ids=np.zeros(0, np.int64),
            boxes=np.zeros((0, 4), np.float32),
            velocity=np.zeros((0, 2), np.float32),
            frames=np.zeros(0, np.int64),
            features=np.zeros((0, feature_size), np.float32),
            moving=np.zeros(0, bool),
        )

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
        self.moving = np.concatenate([self.moving, np.zeros(count, bool)])

    def keep(self, mask: NDArray[np.bool_]) -> None:
        """Close all sequences but those of the mask bool [m]."""
        self.ids, self.boxes, self.velocity = self.ids[mask], self.boxes[mask], self.velocity[mask]
        self.frames, self.features = self.frames[mask], self.features[mask]
        self.moving = self.moving[mask]

    def pairs(self, frame: int, boxes: Floats, features: Floats) -> Pairs:
        """Every open sequence [m] with every face of a frame [n]: pairs of shape [m, n].

        features: float32 [n, D] with zeros where not worth comparing.
        """
        similarity = self.features @ features.T
        # A cosine of exactly 0 is a row of zeros: no feature.
        similarity[similarity == 0] = np.nan
        gap = frame - self.frames
        return Pairs(
            before=self.boxes[:, None],
            predicted=predicted(self.boxes, self.velocity, gap)[:, None],
            after=boxes[None],
            gap=gap[:, None],
            similarity=similarity,
        )

    def move(self, rows: NDArray[Any], frame: int, boxes: Floats) -> None:
        """Update position and velocity of these rows with the boxes of a frame."""
        step = centres(boxes) - centres(self.boxes[rows])
        step /= (frame - self.frames[rows]).astype(np.float32)[:, None]
        self.velocity[rows] = mixed_velocity(self.velocity[rows], self.moving[rows], step)
        self.boxes[rows] = boxes
        self.frames[rows] = frame
        self.moving[rows] = True

    def remember(self, rows: NDArray[Any], features: Floats, memory: float) -> None:
        """Mix new features (normalised, zeros where none) into those remembered."""
        self.features[rows] = mixed_features(
            self.features[rows], features, *shares(features, memory)
        )


def mixed_velocity(velocity: Floats, moving: NDArray[np.bool_], step: Floats) -> Floats:
    """Velocity float32 [n, 2] after steps [n, 2], pixels a frame; the first counts alone."""
    memory = np.where(moving, VELOCITY_MEMORY, np.float32(0))[:, None]
    return np.asarray(memory * velocity + (1 - memory) * step)


def mixed_features(old: Floats, new: Floats, keep: Floats, take: Floats) -> Floats:
    """Remembered features float32 [n, D] after new ones (both normalised, or zeros).

    keep and take float32 [n, 1]: see `shares`. After zeros the new one counts alone.
    """
    mixed = keep * old
    mixed += take * new
    norm = np.sqrt(np.einsum("ij,ij->i", mixed, mixed))[:, None]
    norm[take == 0] = 1  # rows that stay
    mixed /= np.maximum(norm, np.float32(1e-12))
    return np.asarray(mixed)


def has_feature(features: Floats) -> NDArray[np.bool_]:
    """bool [n]: which of features float32 [n, D] are not all zeros."""
    # Nearly always the first number already is not zero.
    known = np.asarray(features[:, :1].any(axis=1))
    rest = np.flatnonzero(~known)
    known[rest] = features[rest].any(axis=1)
    return known


def shares(new: Floats, memory: float) -> tuple[Floats, Floats]:
    """The shares of the remembered and of the new feature in their mix; float32 [n, 1] each.

    Where there is no new feature (zeros in `new` float32 [n, D]) the remembered one stays as it is.
    """
    known = has_feature(new)[:, None]
    keep, take = np.where(known, memory, 1.0), np.where(known, 1.0 - memory, 0.0)
    return keep.astype(np.float32), take.astype(np.float32)


def predicted(boxes: Floats, velocity: Floats, gap: NDArray[Any]) -> Floats:
    """Boxes float32 [n, 4] expected `gap` frames later: constant velocity for 10 frames, then rest.

    velocity float32 [n, 2], pixels a frame; gap [n].
    """
    time = np.minimum(gap, LONGEST_MOTION).astype(np.float32)
    shift = velocity * time[:, None]
    return np.asarray(boxes + np.concatenate([shift, shift], axis=1))
