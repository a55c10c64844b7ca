"""Broken sequences are joined when they are one face, and only within a shot."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from faceveil.faces import MAX_FEATURE_SAMPLES
from faceveil.sequence.join import join
from faceveil.sequence.match import MotionDistance, ThesisDistance
from testkit.synthetic_people import sequence, still_box

MOTION = MotionDistance()


def moving_box(frames, x=100.0, speed=4.0, size=50.0):
    left = np.array([x + speed * frame for frame in frames], np.float32)
    top = np.full(len(left), 100.0, np.float32)
    return np.stack([left, top, left + size, top + size], axis=1)


def part(frames, person=None, shot=0, **path):
    return sequence(frames, moving_box(frames, **path), shot=shot, person=person)


def test_a_moving_face_lost_for_a_while_is_joined():
    joined, became = join([part(range(10)), part(range(30, 40))], 40, MOTION)
    assert became.tolist() == [0, 0]
    assert joined[0].frames.tolist() == [*range(10), *range(30, 40)]


def test_nothing_is_joined_across_a_cut():
    joined, became = join([part(range(10)), part(range(12, 20), shot=1)], 40, MOTION)
    assert len(joined) == 2
    assert became.tolist() == [0, 1]


def test_a_longer_gap_is_not_joined():
    parts = [part(range(10)), part(range(21, 30))]
    assert len(join(parts, 12, MOTION)[0]) == 1
    assert len(join(parts, 11, MOTION)[0]) == 2


def test_two_people_at_one_place_are_not_joined():
    parts = [part(range(10), person=1, speed=0.0), part(range(12, 20), person=2, speed=0.0)]
    assert len(join(parts, 40, MOTION)[0]) == 2
    assert len(join(parts, 40, ThesisDistance())[0]) == 2


def test_the_better_continuation_wins():
    parts = [
        part(range(10), person=1, speed=0.0),
        part(range(14, 20), person=None, speed=0.0, x=140.0),
        part(range(14, 20), person=1, speed=0.0, x=70.0),
    ]
    joined, became = join(parts, 40, MOTION)
    assert became.tolist() == [0, 1, 0]
    assert len(joined[0].features) == 2


def test_a_chain_becomes_one_with_a_bounded_number_of_features():
    parts = [part(range(20 * k, 20 * k + 10), person=1) for k in range(60)]
    joined, became = join(parts, 40, MOTION)
    assert len(joined) == 1
    assert not became.any()
    assert len(joined[0]) == 600
    assert MAX_FEATURE_SAMPLES // 2 <= len(joined[0].features) <= MAX_FEATURE_SAMPLES


def test_no_sequences_and_one_sequence():
    assert join([], 40, MOTION)[0] == []
    assert len(join([part(range(3))], 40, MOTION)[0]) == 1


spans = st.lists(
    st.tuples(
        st.integers(0, 60), st.integers(1, 20), st.integers(0, 3), st.sampled_from([None, 1, 2])
    ),
    max_size=14,
)


@settings(max_examples=150, deadline=None)
@given(spans, st.integers(0, 40), st.sampled_from([MOTION, ThesisDistance()]))
def test_joining_loses_no_box_and_never_two_boxes_on_a_frame(spans, max_gap, distance):
    parts = [
        sequence(range(a, a + n), still_box(n, x=100.0 + 30 * place), shot=a // 30, person=person)
        for a, n, place, person in spans
    ]
    joined, became = join(parts, max_gap, distance)
    assert sum(map(len, joined)) == sum(map(len, parts))
    assert sorted(set(became.tolist())) == list(range(len(joined)))
    assert [s.first for s in joined] == sorted(s.first for s in joined)
    for old, index in zip(parts, became, strict=True):
        assert joined[index].shot == old.shot
        assert all(np.array_equal(joined[index].box_at(t), old.box_at(t)) for t in old.frames)
    for whole in joined:
        steps = np.diff(whole.frames)
        assert (steps > 0).all()
        assert (steps <= max(max_gap, 1)).all()
