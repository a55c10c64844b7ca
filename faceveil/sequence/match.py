"""Which face of one moment is which face of another: distances and min-cost matching."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from faceveil.boxes import centre_along, iou, sizes
from faceveil.errors import UsageError
from faceveil.faces import Floats

LOW_SCORE_IOU = 0.3


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """Pairs of an earlier and a later face, of any shape [...]; boxes have one axis more.

    before: the last box known of the earlier face; predicted: where its motion has brought it by
    now; after: the later face; gap: frames between them, >= 1; similarity: cosine of their
    features, NaN where one of them has none worth comparing.
    """

    before: Floats
    predicted: Floats
    after: Floats
    gap: NDArray[Any]
    similarity: Floats


class Distance(Protocol):
    """How unlike an earlier and a later face are. Write your own to replace the matching.

    limit: the cost of leaving a pair unmatched; pairs at or above it are never matched.
    min_feature_size: features of faces with a shorter side (pixels) are not compared.
    feature_memory: share [0, 1) of the remembered feature that stays when a new one is seen; 0
    compares with the last feature only.
    """

    @property
    def limit(self) -> float: ...
    @property
    def min_feature_size(self) -> float: ...
    @property
    def feature_memory(self) -> float: ...

    def __call__(self, pairs: Pairs) -> Floats:
        """Cost float32 [...], infinite where two faces are never one person."""
        ...


@dataclass(frozen=True, slots=True)
class MotionDistance:
    """Distance from where the face was expected, change of size, and unlike features.

    Each of the three is 0 for the same and 1 at its gate. Gates: `reach` face sizes away from the
    expected place, `reach_per_frame` more for each frame in between, up to `max_reach` (all twice
    as far for features that agree, so that sudden moves are followed); sizes that differ by more
    than `size_factor`; and comparable features with a cosine below `min_similarity`: two people.
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
    """The thesis's own (section 3.1.3): cosine distance plus weighted box distance, below 1.

    The box distance is the sum of the four corner differences times the earlier face's width,
    divided by 100. No motion, no gates; a face without a feature matches nothing.
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
    """The distance of that name with its standard parameters.

    Raises UsageError for an unknown name.
    """
    if name not in DISTANCES:
        raise UsageError(f"no distance is called {name!r}; use one of {', '.join(DISTANCES)}")
    return DISTANCES[name]()


def assign(cost: Floats, limit: float) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Min-cost bipartite matching of rows and columns; leaving a pair unmatched costs `limit`.

    cost: [rows, columns], infinite where a pair is impossible. Returns the matched rows and
    their columns, rows rising. The sum of (cost - limit) over the matches is the least possible.
    """
    possible = cost < limit
    # In most frames every face has one candidate at most: nothing to weigh up.
    if possible.sum(axis=0).max(initial=0) <= 1 and possible.sum(axis=1).max(initial=0) <= 1:
        rows, columns = np.nonzero(possible)
        return rows, columns
    rows, columns = linear_sum_assignment(np.where(possible, cost, limit))
    matched = possible[rows, columns]
    return rows[matched], columns[matched]


def costs(distance: Distance, pairs: Pairs, low: NDArray[np.bool_]) -> Floats:
    """The distance of pairs, infinite where the later face has a low score (bool, broadcast)
    and does not overlap the expected place."""
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
    """Which open sequence each face of a frame continues.

    cost: [m, n], sequences and faces; low bool [n]: scores too low to start a sequence. They come
    second, to the sequences left. Returns int64 [n]: the row of each face, -1 without one.
    """
    row_of = np.full(cost.shape[1], -1, np.int64)
    left = np.arange(cost.shape[0])
    for columns in (np.flatnonzero(~low), np.flatnonzero(low)):
        rows, matched = assign(cost[left][:, columns], limit)
        row_of[columns[matched]] = left[rows]
        left = np.delete(left, rows)
    return row_of
