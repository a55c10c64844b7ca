"""Gaps are filled with sensible boxes, and known boxes stay as they are."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faceveil.boxes import to_curves
from faceveil.errors import UsageError
from faceveil.faces import Provenance
from faceveil.sequence.interpolate import INTERPOLATORS, interpolate
from testkit.synthetic_people import sequence, still_box


@st.composite
def sequences(draw):
    frames = draw(st.lists(st.integers(0, 200), min_size=1, max_size=12, unique=True))
    frames.sort()
    number = st.floats(0, 1000, width=32)
    size = st.floats(4, 400, width=32)
    boxes = []
    for _ in frames:
        x, y, w, h = draw(number), draw(number), draw(size), draw(size)
        boxes.append([x, y, x + w, y + h])
    return sequence(frames, np.array(boxes))


@settings(deadline=None)
@given(sequences(), st.sampled_from(sorted(INTERPOLATORS)))
def test_every_frame_gets_a_finite_box_and_known_boxes_stay(known, method):
    filled = interpolate(known, method)
    assert filled.frames.tolist() == list(range(known.first, known.last + 1))
    assert filled.boxes.dtype == np.float32
    assert np.isfinite(filled.boxes).all()
    was_known = np.isin(filled.frames, known.frames)
    assert np.array_equal(filled.boxes[was_known], known.boxes)
    assert (filled.provenance[~was_known] == Provenance.INTERPOLATED).all()
    assert (filled.scores[~was_known] == 0).all()
    assert (filled.provenance[was_known] == Provenance.DETECTED).all()


@settings(deadline=None)
@given(sequences(), st.sampled_from(["pchip", "linear", "nearest"]))
def test_boxes_never_overshoot_their_neighbours(known, method):
    filled = to_curves(interpolate(known, method).boxes)
    given_curves = to_curves(known.boxes)
    for a, b, start, end in zip(
        given_curves, given_curves[1:], known.frames, known.frames[1:], strict=False
    ):
        between = filled[start - known.first : end - known.first + 1]
        assert (between >= np.minimum(a, b) - 2e-3).all()
        assert (between <= np.maximum(a, b) + 2e-3).all()


def test_a_face_coming_nearer_grows_by_a_factor():
    boxes = np.array([[0, 0, 20, 20], [0, 0, 80, 80]])
    middle = interpolate(sequence([0, 10], boxes), "linear").box_at(5)
    assert middle[2] - middle[0] == pytest.approx(40.0, rel=1e-5)
    assert middle[:2] + middle[2:] == pytest.approx([50.0, 50.0], rel=1e-5)


def test_pchip_bends_where_the_way_bends():
    frames = [0, 10, 20, 30]
    boxes = np.concatenate([still_box(1, x=x) for x in (0.0, 10.0, 40.0, 90.0)])
    curved = interpolate(sequence(frames, boxes), "pchip").boxes[:, 0]
    straight = interpolate(sequence(frames, boxes), "linear").boxes[:, 0]
    assert curved[15] < straight[15]
    assert (np.diff(curved) > 0).all()


def test_unknown_interpolation_is_refused():
    with pytest.raises(UsageError, match="pchip"):
        interpolate(sequence([0, 2], still_box(2)), "spline")
