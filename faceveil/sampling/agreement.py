"""Whether two frames of one shot show the same faces, so that those between can be skipped."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faceveil.boxes import centres, iou, sides, sizes
from faceveil.faces import LOW_SCORE, Floats, FrameFaces
from faceveil.sequence.match import Distance, MotionDistance, Pairs, assign

DOUBLE_IOU = 0.5

Agree = Callable[[FrameFaces, FrameFaces, int], bool]
"""Whether two frames of a shot agree; the number is the distance between them, 2 or more."""


@dataclass(frozen=True, slots=True, eq=False)
class Unmatched:
    """The faces of two frames that have no counterpart in the other.

    Attributes
    ----------
    before, after : FrameFaces
        The accepted faces of each frame.
    faint : FrameFaces
        The faces of the frame after that have a low score.
    """

    before: FrameFaces
    after: FrameFaces
    faint: FrameFaces

    @property
    def is_empty(self) -> bool:
        """Whether every accepted face has its counterpart."""
        return not len(self.before) and not len(self.after)


@dataclass(frozen=True, slots=True)
class Agreement:
    """How much two frames may differ and still agree.

    Between frames that differ by more, interpolation along a straight line is not good enough.

    Attributes
    ----------
    distance : Distance
        Decides which face may be which, features included.
    most_motion : float
        How far the centre of a face may have moved, in face sizes.
    most_growth : float
        The factor by which the size of a face may have changed.
    """

    distance: Distance = field(default_factory=MotionDistance)
    most_motion: float = 0.75
    most_growth: float = 1.5

    def __call__(self, before: FrameFaces, after: FrameFaces, gap: int) -> bool:
        """Return whether every accepted face of one frame is in the other, near its place.

        A face whose score has dropped below the detector's threshold is still there; one whose
        score was below it before may have appeared at any time since. `gap` is the distance in
        frames. A frame that could not be read agrees with no other.
        """
        if before.error is not None or after.error is not None:
            return False
        return self.unmatched(before, after, gap).is_empty

    def unmatched(self, before: FrameFaces, after: FrameFaces, gap: int) -> Unmatched:
        """Return the accepted faces of each frame that are not in the other, near their place."""
        first, second = _single(before), _single(after)
        accepted_first, accepted_second = first.accepted, second.accepted
        cost = self._cost(first, second, gap)
        rows, columns = assign(cost[accepted_first][:, accepted_second], self.distance.limit)
        lost = np.delete(np.flatnonzero(accepted_first), rows)
        new = np.delete(np.flatnonzero(accepted_second), columns)
        low = np.flatnonzero(~accepted_second)
        found, faint = assign(cost[lost][:, low], self.distance.limit)
        return Unmatched(
            first.select(np.delete(lost, found)),
            second.select(new),
            second.select(np.delete(low, faint)),
        )

    def _cost(self, first: FrameFaces, second: FrameFaces, gap: int) -> Floats:
        similarity = np.full((len(first), len(second)), np.nan, np.float32)
        if first.features.shape[1] == second.features.shape[1]:
            similarity = _comparable(first, self.distance) @ _comparable(second, self.distance).T
            similarity[similarity == 0] = np.nan
        before, after = first.boxes[:, None], second.boxes[None]
        cost = self.distance(Pairs(before, before, after, np.full((1, 1), gap), similarity))
        size, size_after = sizes(before), sizes(after)
        motion = np.linalg.norm(centres(after) - centres(before), axis=-1)
        steady = motion <= self.most_motion * np.minimum(size, size_after)
        steady &= np.abs(np.log(size_after / size)) <= np.log(self.most_growth)
        return np.where(steady, cost, np.inf).astype(np.float32)


def _single(faces: FrameFaces) -> FrameFaces:
    """The faces with a score of at least LOW_SCORE, each once, best score first."""
    order = np.argsort(-faces.scores, kind="stable")
    ranked = faces.select(order[faces.scores[order] >= np.float32(LOW_SCORE)])
    overlap = iou(ranked.boxes[:, None], ranked.boxes[None])
    return ranked.select(np.flatnonzero(~np.triu(overlap >= DOUBLE_IOU, 1).any(axis=0)))


def _comparable(faces: FrameFaces, distance: Distance) -> NDArray[Any]:
    big_enough = sides(faces.boxes).min(axis=1) >= np.float32(distance.min_feature_size)
    return np.asarray(faces.features * big_enough[:, None])
