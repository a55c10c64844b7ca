"""A face unlike itself for a moment stays one sequence; another person does not join it."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from faceveil.sequence.absorb import absorb
from testkit.synthetic_people import Face, build, sequence, still_box


def still(frames, person=None, x=100.0):
    return sequence(frames, still_box(len(frames), x=x), person=person)


def with_gap(gap, x=100.0):
    return still([t for t in range(40) if t not in gap], person=1, x=x)


def test_a_misleading_feature_in_the_middle_does_not_split_a_face():
    built = build(40, lambda t: [Face(300 + 5 * t, 300, person=2 if t in (20, 21) else 1)])
    assert len(built.sequences) == 2
    (whole,), became = absorb(built.sequences)
    assert became.tolist() == [0, 0]
    assert whole.frames.tolist() == list(range(40))
    assert (whole.features.argmax(axis=1) == 1).all()


def test_a_face_elsewhere_stays_apart():
    assert len(absorb([with_gap({20}), still([20], person=2, x=150.0)])[0]) == 2


def test_two_glimpses_in_one_gap_are_the_face_around_it():
    gap = set(range(12, 22))
    assert len(absorb([with_gap(gap), still([12, 21], person=2)])[0]) == 1


def test_a_face_that_stays_longer_stays_apart():
    gap = set(range(15, 22))
    assert len(absorb([with_gap(gap), still(sorted(gap), person=2)])[0]) == 2


def test_a_face_on_a_frame_that_is_no_gap_stays_apart():
    assert len(absorb([with_gap({20}), still([20, 21], person=2)])[0]) == 2


def test_of_two_faces_in_one_gap_only_one_is_taken():
    parts = [with_gap({20, 21}), still([20], x=101.0), still([20], x=103.0), still([21])]
    left, became = absorb(parts)
    assert len(left) == 2
    assert became.tolist() == [0, 0, 1, 0]


def test_nothing_to_do():
    assert absorb([])[0] == []
    assert len(absorb([still(range(3)), still(range(3), x=300.0)])[0]) == 2


some_frames = st.sets(st.integers(0, 30), min_size=1, max_size=30)


@settings(deadline=None)
@given(st.lists(st.tuples(some_frames, st.sampled_from([100.0, 110.0, 150.0])), max_size=8))
def test_no_box_is_lost_and_no_frame_doubled(videos):
    parts = [still(sorted(frames), x=x) for frames, x in videos]
    left, became = absorb(parts)
    assert sum(map(len, left)) == sum(map(len, parts))
    assert all((np.diff(s.frames) > 0).all() for s in left)
    for part, index in zip(parts, became, strict=True):
        assert all(np.array_equal(left[index].box_at(t), part.box_at(t)) for t in part.frames)
