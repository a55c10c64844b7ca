"""A guess gives way to a face that was seen; nothing that was seen ever does."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from faceveil.faces import Provenance
from faceveil.sequence.extend import extend
from faceveil.sequence.trim import trim
from testkit.synthetic_people import sequence, still_box


def still(frames, x=100.0):
    return sequence(frames, still_box(len(frames), x=x))


def extended(frames, x=100.0):
    return extend(still(frames, x), 0, 99, 1000, 1000, frames=10)


def test_an_extension_ends_where_another_face_was_detected():
    glimpse, _ = trim([extended([20]), still([*range(20), *range(21, 60)])])
    assert glimpse.frames.tolist() == [20]


def test_the_boxes_before_the_meeting_stay():
    before, _ = trim([extended(range(20)), still(range(24, 60))])
    assert before.frames.tolist() == list(range(24))


def test_an_extension_beside_another_face_stays():
    beside, _ = trim([extended([20]), still(range(60), x=200.0)])
    assert beside.frames.tolist() == list(range(10, 31))


def test_two_guesses_do_not_cut_each_other():
    one, other = trim([extended([20]), extended([30])])
    assert (one.last, other.first) == (29, 21)


@given(st.lists(st.sets(st.integers(0, 50), min_size=1), min_size=1, max_size=4))
def test_what_was_seen_is_never_cut(groups):
    given = [extended(sorted(frames), x=100.0 + 7 * i) for i, frames in enumerate(groups)]
    for before, after in zip(given, trim(given), strict=True):
        seen = before.frames[before.provenance != Provenance.EXTENDED]
        assert np.isin(seen, after.frames).all()
        assert np.isin(after.frames, before.frames).all()
