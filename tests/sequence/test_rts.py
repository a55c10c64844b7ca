"""The smoother gives the path of the textbook's recursion, fills gaps, and takes no cover away."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faceveil.boxes import centres
from faceveil.faces import Provenance
from faceveil.sequence.rts import fill_and_smooth, most_likely_path
from testkit.synthetic_people import sequence, still_box


def recursion(observed, certainty, memory):
    """Kalman filter forwards, Rauch-Tung-Striebel backwards, for one quantity."""
    transition = np.array([[1.0, 1.0], [0.0, 1.0]])
    noise = np.array([[1 / 3, 1 / 2], [1 / 2, 1.0]]) / memory**4
    state, spread = np.zeros(2), np.diag([1e8, 1e9])
    states, spreads, predicted, predicted_spreads = [], [], [], []
    for time, value in enumerate(observed):
        if time:
            state = transition @ state
            spread = transition @ spread @ transition.T + noise
        predicted.append(state)
        predicted_spreads.append(spread)
        if certainty[time] > 0:
            gain = spread[:, 0] / (spread[0, 0] + 1 / certainty[time])
            state = state + gain * (value - state[0])
            spread = spread - np.outer(gain, spread[0])
        states.append(state)
        spreads.append(spread)
    for time in range(len(observed) - 2, -1, -1):
        gain = spreads[time] @ transition.T @ np.linalg.inv(predicted_spreads[time + 1])
        states[time] = states[time] + gain @ (states[time + 1] - predicted[time + 1])
    return np.array(states)[:, 0]


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 2**32 - 1), st.sampled_from([0.75, 2.25, 4.0]))
def test_the_path_is_that_of_the_recursion(seed, memory):
    random = np.random.default_rng(seed)
    observed = np.cumsum(random.normal(size=40))
    certainty = np.where(random.random(40) < 0.6, random.uniform(0.2, 1, 40), 0)
    certainty[[0, -1]] = 1
    path = most_likely_path(observed[:, None], certainty, memory)[:, 0]
    assert np.allclose(path, recursion(observed, certainty, memory), atol=1e-4)


ways = st.lists(
    st.tuples(st.integers(1, 30), st.floats(-40, 40, width=32), st.floats(4, 200, width=32)),
    min_size=1,
    max_size=30,
)


@settings(deadline=None)
@given(ways, st.sampled_from([3, 9, 15]), st.sampled_from(["DETECTED", "LOW_SCORE"]))
def test_every_frame_has_a_finite_box_and_seen_ones_are_held(way, window, provenance):
    steps, shifts, sizes = (np.array(column) for column in zip(*way, strict=True))
    low = 500 + np.stack([shifts, -shifts], axis=1)
    boxes = np.concatenate([low, low + sizes[:, None]], axis=1)
    seen = sequence(np.cumsum(steps), boxes, Provenance[provenance])
    smoothed = fill_and_smooth(seen, window)
    assert smoothed.frames.tolist() == list(range(seen.first, seen.last + 1))
    assert np.isfinite(smoothed.boxes).all()
    was_seen = np.isin(smoothed.frames, seen.frames)
    assert (smoothed.boxes[was_seen, :2] <= seen.boxes[:, :2]).all()
    assert (smoothed.boxes[was_seen, 2:] >= seen.boxes[:, 2:]).all()
    assert (smoothed.provenance[~was_seen] == Provenance.INTERPOLATED).all()
    assert (smoothed.scores[~was_seen] == 0).all()


def test_even_motion_and_growth_are_followed_through_a_gap():
    frames = np.array([*range(10), *range(25, 35)])
    boxes = np.concatenate([still_box(1, x=100 + 6 * t, size=40 * 1.02**t) for t in frames])
    smoothed = fill_and_smooth(sequence(frames, boxes))
    for t in range(10, 25):
        assert smoothed.box_at(t)[0] == pytest.approx(100 + 6 * t, abs=1.5)
        assert np.diff(smoothed.box_at(t)[[0, 2]])[0] == pytest.approx(40 * 1.02**t, rel=0.02)


def test_trembling_is_less():
    noise = np.random.default_rng(3).normal(0, 3, 200)
    boxes = np.concatenate([still_box(1, x=200 + shift) for shift in noise])
    smoothed = fill_and_smooth(sequence(range(200), boxes))
    assert np.diff(centres(smoothed.boxes)[:, 0]).std() < 0.3 * np.diff(noise).std()


def test_one_box_stays_as_it_is():
    only = sequence([7], still_box(1))
    assert np.array_equal(fill_and_smooth(only).boxes, only.boxes)
