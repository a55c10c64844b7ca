"""The quick look that spares most frames the long one never hides a transition."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from faceveil.shots.gradual import HALF_LENGTHS, REACH, change_at, differ


def dissolve(half, contrast, seed):
    """Thumbnails around the middle of a dissolve between two pictures."""
    random = np.random.default_rng(seed)
    a, b = (128 + contrast * random.uniform(-1, 1, (27, 48, 3)) for _ in range(2))
    share = np.clip((np.arange(-REACH, REACH + 1) + half) / (2 * half), 0, 1)[:, None, None, None]
    return np.round(a + (b - a) * share).astype(np.uint8)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(HALF_LENGTHS), st.floats(0, 120), st.integers(0, 2**31))
def test_where_no_ends_differ_there_is_no_transition(half, contrast, seed):
    frames = dissolve(half, contrast, seed)
    ends = [(frames[REACH - n], frames[REACH + n]) for n in HALF_LENGTHS]
    if change_at(frames) is not None:
        assert any(differ(before, after) for before, after in ends)


def test_a_dissolve_is_seen_and_a_still_picture_is_none():
    assert change_at(dissolve(6, 100, seed=1)) is not None
    assert change_at(dissolve(6, 10, seed=1)) is None
