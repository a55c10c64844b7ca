"""Matching is optimal, independent of order, and keeps its gates."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from faceveil.errors import UsageError
from faceveil.sequence.match import (
    MotionDistance,
    Pairs,
    ThesisDistance,
    assign,
    distance_by_name,
)

LIMIT = 2.0
costs = hnp.arrays(
    np.float32,
    st.tuples(st.integers(0, 5), st.integers(0, 5)),
    elements=st.one_of(st.floats(0, 3, width=32), st.just(np.inf)),
)


def saving(cost, rows, columns):
    return float((cost[rows, columns].astype(np.float64) - LIMIT).sum())


def best_saving(cost):
    """The least sum by trying every way to match."""
    rows, columns = cost.shape
    gain = np.minimum(cost.astype(np.float64) - LIMIT, 0.0)
    if rows > columns:
        gain, rows, columns = gain.T, columns, rows
    if rows == 0:
        return 0.0
    return min(
        sum(gain[row, column] for row, column in enumerate(order))
        for order in permutations(range(columns), rows)
    )


@given(costs)
def test_matching_costs_the_least_possible(cost):
    rows, columns = assign(cost, LIMIT)
    assert len(set(rows.tolist())) == len(rows)
    assert len(set(columns.tolist())) == len(columns)
    assert (cost[rows, columns] < LIMIT).all()
    assert saving(cost, rows, columns) == pytest.approx(best_saving(cost), abs=1e-5)


@given(costs, st.randoms(use_true_random=False))
def test_the_order_of_faces_changes_nothing(cost, random):
    row_order = random.sample(range(cost.shape[0]), cost.shape[0])
    column_order = random.sample(range(cost.shape[1]), cost.shape[1])
    direct = saving(cost, *assign(cost, LIMIT))
    shuffled = cost[row_order][:, column_order]
    assert saving(shuffled, *assign(shuffled, LIMIT)) == pytest.approx(direct, abs=1e-5)


def pair(before, after, gap=1, similarity=np.nan, predicted=None):
    before = np.array([before], np.float32)
    return Pairs(
        before=before,
        predicted=before if predicted is None else np.array([predicted], np.float32),
        after=np.array([after], np.float32),
        gap=np.array([gap]),
        similarity=np.array([similarity], np.float32),
    )


def square(x, size=50.0, y=100.0):
    return [x, y, x + size, y + size]


def test_the_same_face_costs_nothing():
    assert MotionDistance()(pair(square(0), square(0), similarity=1.0)) == pytest.approx(0.0)


@pytest.mark.parametrize(
    "far",
    [
        pair(square(0), square(60)),  # further than its size in one frame
        pair(square(0), [-30, 70, 80, 180]),  # more than twice as large
        pair(square(0), square(0), similarity=0.1),  # another person, surely
    ],
)
def test_gates_forbid_a_pair(far):
    assert np.isinf(MotionDistance()(far))


def test_a_longer_gap_and_like_features_reach_further():
    distance = MotionDistance()
    assert np.isfinite(distance(pair(square(0), square(60), gap=5)))
    assert np.isfinite(distance(pair(square(0), square(90), similarity=0.9)))


def test_the_place_is_where_motion_leads():
    arriving = pair(square(0), square(200), predicted=square(200))
    staying = pair(square(0), square(0), predicted=square(200))
    assert MotionDistance()(arriving) < MotionDistance().limit
    assert np.isinf(MotionDistance()(staying))


def test_the_thesis_distance_is_feature_plus_weighted_box():
    # Corners differ by 10 + 0 + 10 + 0, times the width of 50, /100, x 0.001; cosine distance .3.
    cost = ThesisDistance()(pair(square(0), square(10), similarity=0.7))
    assert cost == pytest.approx(0.3 + 0.01)
    assert np.isinf(ThesisDistance()(pair(square(0), square(0))))


def test_unknown_distance_is_refused():
    with pytest.raises(UsageError, match="motion, thesis"):
        distance_by_name("euclid")
