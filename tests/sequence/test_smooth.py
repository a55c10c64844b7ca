"""Smoothing steadies boxes without delay and never takes cover away."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faceveil.errors import UsageError
from faceveil.faces import Provenance
from faceveil.sequence.smooth import SMOOTHERS, smooth
from testkit.synthetic_people import sequence, still_box

METHODS = sorted(SMOOTHERS)
trembles = st.lists(st.floats(-20, 20, width=32), min_size=1, max_size=40)
windows = st.sampled_from([3, 5, 9, 15])


def trembling(shifts, provenance=Provenance.DETECTED):
    boxes = np.concatenate([still_box(1, x=200 + s, y=200 - s, size=60 + s / 2) for s in shifts])
    return sequence(range(len(boxes)), boxes, provenance)


@settings(deadline=None)
@given(trembles, st.sampled_from(METHODS), windows, st.sampled_from(["DETECTED", "LOW_SCORE"]))
def test_every_seen_box_stays_covered(shifts, method, window, provenance):
    raw = trembling(shifts, Provenance[provenance])
    smoothed = smooth(raw, method, window)
    assert (smoothed.boxes[:, :2] <= raw.boxes[:, :2]).all()
    assert (smoothed.boxes[:, 2:] >= raw.boxes[:, 2:]).all()
    assert np.isfinite(smoothed.boxes).all()


@settings(deadline=None)
@given(trembles, st.sampled_from(METHODS), windows)
def test_smoothing_backwards_gives_the_same(shifts, method, window):
    forwards = smooth(trembling(shifts), method, window).boxes
    backwards = smooth(trembling(shifts[::-1]), method, window).boxes
    assert np.allclose(forwards, backwards[::-1], atol=1e-2)


@pytest.mark.parametrize("method", METHODS)
def test_trembling_is_less(method):
    noise = np.random.default_rng(3).normal(0, 3, 200)
    raw = trembling(noise, Provenance.INTERPOLATED)
    smoothed = smooth(raw, method, 9)
    assert np.diff(smoothed.boxes[:, 0]).std() < 0.5 * np.diff(raw.boxes[:, 0]).std()


@pytest.mark.parametrize("method", METHODS)
def test_covering_does_not_bring_the_trembling_back(method):
    raw = trembling(np.random.default_rng(3).normal(0, 3, 200))
    smoothed = smooth(raw, method, 9)
    assert np.diff(smoothed.boxes[:, 0]).std() < 0.6 * np.diff(raw.boxes[:, 0]).std()


@pytest.mark.parametrize("method", METHODS)
def test_even_motion_does_not_lag(method):
    raw = trembling(np.arange(60.0), Provenance.INTERPOLATED)
    middle = slice(10, 50)
    assert np.allclose(smooth(raw, method, 9).boxes[middle], raw.boxes[middle], atol=0.05)


def test_unknown_smoothing_is_refused():
    with pytest.raises(UsageError, match="gaussian"):
        smooth(trembling([0.0]), "kalman")
