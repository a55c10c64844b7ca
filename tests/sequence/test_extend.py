"""Faces entering and leaving stay covered, within their shot and picture."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faceveil.faces import Provenance
from faceveil.sequence.extend import extend
from testkit.synthetic_people import HEIGHT, WIDTH, sequence, still_box


def walking(speed, start=600.0, first=20, count=10):
    boxes = np.concatenate([still_box(1, x=start + speed * t, y=300.0) for t in range(count)])
    return sequence(range(first, first + count), boxes)


def contains(outer, inner):
    return (outer[:2] <= inner[:2] + 1e-3).all() and (outer[2:] >= inner[2:] - 1e-3).all()


def test_both_ends_grow_within_the_shot():
    longer = extend(walking(0.0), 15, 34, WIDTH, HEIGHT, frames=10)
    assert (longer.first, longer.last) == (15, 34)
    assert (longer.provenance[:5] == Provenance.EXTENDED).all()
    assert (longer.provenance[5:15] == Provenance.DETECTED).all()
    assert (longer.scores[-5:] == 0).all()


def test_a_face_that_stands_still_is_covered_where_it_stood():
    longer = extend(walking(0.0), 0, 100, WIDTH, HEIGHT, frames=10)
    assert all(contains(box, longer.box_at(25)) for box in longer.boxes)


def test_a_walking_face_is_followed_both_ways():
    longer = extend(walking(3.0), 0, 100, WIDTH, HEIGHT, frames=3)
    for frame in (17, 18, 19, 30, 31, 32):
        middle = longer.box_at(frame)[[0, 2]].mean()
        assert middle == pytest.approx(600 + 25 + 3.0 * (frame - 20), abs=3.0)


def test_a_face_leaving_is_followed_until_it_is_out():
    leaving = walking(12.0, start=WIDTH - 50 - 9 * 12.0)
    longer = extend(leaving, 0, 100, WIDTH, HEIGHT, frames=20)
    assert longer.boxes[-1, 0] < WIDTH
    assert longer.last == 33  # 50 pixels at 12 a frame
    for step, box in enumerate(longer.boxes[-4:], start=1):
        assert box[0] <= WIDTH - 50 + 12.0 * step


def test_one_wrong_box_does_not_throw_the_extension():
    boxes = still_box(10, x=600.0, y=300.0)
    boxes[-2] += 40
    longer = extend(sequence(range(10), boxes), 0, 100, WIDTH, HEIGHT, frames=10)
    assert abs(longer.boxes[-1, [0, 2]].mean() - 625) < 5


def test_no_frames_asked_for_none_added():
    assert len(extend(walking(1.0), 0, 100, WIDTH, HEIGHT, frames=0)) == 10


@settings(deadline=None)
@given(
    st.floats(-60, 60),
    st.floats(0, WIDTH - 50),
    st.integers(0, 20),
    st.integers(29, 60),
    st.integers(0, 30),
)
def test_an_extension_stays_in_bounds(speed, start, first_frame, last_frame, frames):
    whole = walking(speed, start)
    longer = extend(whole, first_frame, last_frame, WIDTH, HEIGHT, frames=frames)
    assert longer.frames.tolist() == list(range(longer.first, longer.last + 1))
    assert longer.first >= max(first_frame, 20 - frames)
    assert longer.last <= min(last_frame, 29 + frames)
    new = longer.boxes[longer.provenance == Provenance.EXTENDED]
    assert ((new[:, 2] > 0) & (new[:, 0] < WIDTH)).all()
    assert np.array_equal(longer.boxes[longer.provenance == Provenance.DETECTED], whole.boxes)
    assert longer.boxes.dtype == np.float32
