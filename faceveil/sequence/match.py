"""Which face of one frame is which face of another: distances and min-cost matching."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from faceveil.boxes import centre_along, iou, sizes
from faceveil.errors import UsageError
from faceveil.faces import Floats

LOW_SCORE_IOU = 0.3


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """Pairs of an earlier and a later face, in arrays of any shape [...].

    Attributes
    ----------
    before : ndarray of float32 [..., 4]
        The last known box of the earlier face.
    predicted : ndarray of float32 [..., 4]
        The box in which its motion makes it expected now.
    after : ndarray of float32 [..., 4]
        The box of the later face.
    gap : ndarray of int [...]
        Frames from one to the other, 1 or more.
    similarity : ndarray of float32 [...]
        Cosine of their features, NaN where one of them has none worth comparing.
    """

    before: Floats
    predicted: Floats
    after: Floats
    gap: NDArray[Any]
    similarity: Floats


class Distance(Protocol):
    """How unlike an earlier and a later face are. Write your own to replace the matching.

    Attributes
    ----------
    limit : float
        The cost of leaving a pair unmatched; pairs at or above it are never matched.
    min_feature_size : float
        Features of faces with a shorter side, in pixels, are not compared.
    feature_memory : float
        Share, from 0 to below 1, of the remembered feature that stays when a new one is computed; 0
        compares with the last feature only.
    """

    @property
    def limit(self) -> float: ...
    @property
    def min_feature_size(self) -> float: ...
    @property
    def feature_memory(self) -> float: ...

    def __call__(self, pairs: Pairs) -> Floats:
        """Return the cost float32 [...], infinite where two faces cannot be one person."""
        ...


@dataclass(frozen=True, slots=True)
class MotionDistance:
    """The sum of distance from the expected place, change of size and difference of features.

    Each of the three is 0 for equal faces and 1 at its gate; beyond a gate two faces are two
    people.

    Attributes
    ----------
    reach, reach_per_frame, max_reach : float
        Gate of the place in face sizes, how much it grows with each frame between, and its limit.
        All are doubled for features that agree, so that sudden moves are followed.
    size_factor : float
        Gate of the ratio of sizes.
    min_similarity : float
        Gate of the cosine of comparable features.
    same_similarity : float
        The cosine from which features agree.
    unknown_feature_cost : float
        The third term where features cannot be compared.
    """

    reach: float = 1.0
    reach_per_frame: float = 0.1
    max_reach: float = 1.5
    size_factor: float = 2.0
    min_similarity: float = 0.2
    same_similarity: float = 0.5
    unknown_feature_cost: float = 0.5
    min_feature_size: float = 24.0
    feature_memory: float = 0.6
    limit: float = 2.0

    def __call__(self, pairs: Pairs) -> Floats:
        size, size_seen = sizes(pairs.predicted), sizes(pairs.after)
        away = [
            centre_along(pairs.predicted, axis) - centre_along(pairs.after, axis) for axis in (0, 1)
        ]
        reach = np.minimum(self.reach + self.reach_per_frame * (pairs.gap - 1), self.max_reach)
        reach = np.where(pairs.similarity >= self.same_similarity, 2 * reach, reach)
        place = np.hypot(*away) / (reach * (size + size_seen) / 2)
        growth = np.abs(np.log(size_seen / size)) / np.log(self.size_factor)
        feature = (1 - pairs.similarity) / (1 - self.min_similarity)
        unlike = (place > 1) | (growth > 1) | (feature > 1)
        feature = np.where(np.isnan(feature), self.unknown_feature_cost, feature)
        return np.where(unlike, np.inf, place + growth + feature).astype(np.float32)


@dataclass(frozen=True, slots=True)
class ThesisDistance:
    """The distance of the thesis (section 3.1.3): cosine distance plus weighted box distance.

    The box distance is the sum of the four corner differences times the earlier face's width,
    divided by 100. There is no motion and no gate; a face without a feature matches none.
    """

    feature_weight: float = 1.0
    box_weight: float = 0.001
    min_feature_size: float = 0.0
    feature_memory: float = 0.0
    limit: float = 1.0

    def __call__(self, pairs: Pairs) -> Floats:
        corners = sum(np.abs(pairs.before[..., i] - pairs.after[..., i]) for i in range(4))
        box = corners * (pairs.before[..., 2] - pairs.before[..., 0]) / 100
        cost = self.feature_weight * (1 - pairs.similarity) + self.box_weight * box
        return np.where(np.isnan(cost), np.inf, cost).astype(np.float32)


DISTANCES: dict[str, type[MotionDistance] | type[ThesisDistance]] = {
    "motion": MotionDistance,
    "thesis": ThesisDistance,
}


def distance_by_name(name: str) -> Distance:
    """Return the distance of that name with its standard parameters.

    Raises
    ------
    UsageError
        For an unknown name.
    """
    if name not in DISTANCES:
        raise UsageError(f"no distance is called {name!r}; use one of {', '.join(DISTANCES)}")
    return DISTANCES[name]()


def assign(cost: Floats, limit: float) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Min-cost bipartite matching of rows and columns.

    Parameters
    ----------
    cost : ndarray of float32 [rows, columns]
        Infinite where a pair is impossible.
    limit : float
        The cost of leaving a pair unmatched.

    Returns
    -------
    rows, columns : ndarray of intp [k]
        The matched pairs, rows rising: the sum of (cost - limit) over them is the least possible.
    """
    possible = cost < limit
    # In most frames every face has at most one candidate: there is nothing to choose.
    if possible.sum(axis=0).max(initial=0) <= 1 and possible.sum(axis=1).max(initial=0) <= 1:
        rows, columns = np.nonzero(possible)
        return rows, columns
    from scipy.optimize import linear_sum_assignment

    rows, columns = linear_sum_assignment(np.where(possible, cost, limit))
    matched = possible[rows, columns]
    return rows[matched], columns[matched]


def costs(distance: Distance, pairs: Pairs, low: NDArray[np.bool_]) -> Floats:
    """The distance of pairs; infinite for a later face with a low score off the expected place.

    `low` bool, broadcast to the pairs, says which later faces have a low score.
    """
    cost = distance(pairs)
    low = np.broadcast_to(low, cost.shape)
    if low.any():
        expected, seen = (
            np.broadcast_to(boxes, (*cost.shape, 4))[low]
            for boxes in (pairs.predicted, pairs.after)
        )
        cost[low] = np.where(iou(expected, seen) < LOW_SCORE_IOU, np.inf, cost[low])
    return cost


def match_frame(cost: Floats, low: NDArray[np.bool_], limit: float) -> NDArray[np.int64]:
    """Which open sequence each face of a frame continues: int64 [n], -1 for none.

    cost float32 [m, n] of sequences and faces; low bool [n]: faces with a score too low to start a
    sequence. They are matched second, with the sequences that are left.
    """
    row_of = np.full(cost.shape[1], -1, np.int64)
    left = np.arange(cost.shape[0])
    for columns in (np.flatnonzero(~low), np.flatnonzero(low)):
        rows, matched = assign(cost[left][:, columns], limit)
        row_of[columns[matched]] = left[rows]
        left = np.delete(left, rows)
    return row_of
