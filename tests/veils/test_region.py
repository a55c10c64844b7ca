"""The opaque core holds the whole box, whatever its size and place, for every style."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faceveil.errors import UsageError
from faceveil.veils.region import contains, core, grid, must_cover, outer
from faceveil.veils.styles import STYLE_NAMES, VeilStyle

RIM = np.linspace(0, 2 * np.pi, 64)
sizes = st.floats(1, 5000, width=32)
places = st.floats(-4000, 8000, width=32)
boxes = st.tuples(places, places, sizes, sizes).map(
    lambda b: np.array([[b[0], b[1], b[0] + b[2], b[1] + b[3]]], np.float32)
)
styles = st.builds(
    VeilStyle,
    name=st.sampled_from(STYLE_NAMES),
    margin=st.floats(0, 2),
    head=st.floats(0, 2),
)


@given(boxes, styles)
def test_core_contains_what_must_be_covered(box, style):
    assert contains(core(box, style), must_cover(box, style), style).all()


@given(boxes, styles)
def test_nothing_opaque_or_measured_lies_outside_what_is_touched(box, style):
    cores = core(box, style)
    touched, cells = outer(cores, style), grid(cores, style)
    assert (touched[:, :2] <= cores[:, :2]).all() and (touched[:, 2:] >= cores[:, 2:]).all()
    assert (cells[:, :2] <= touched[:, :2]).all() and (cells[:, 2:] >= touched[:, 2:] - 0.01).all()


@given(boxes, st.sampled_from([name for name in STYLE_NAMES if name != "upper"]))
def test_the_head_above_the_box_is_covered(box, name):
    cores = core(box, VeilStyle(name))
    x1, y1, x2, y2 = box.astype(np.float64).T
    hair = np.stack([(x1 + x2) / 2 - 0.1, y1 - 0.45 * (y2 - y1), (x1 + x2) / 2 + 0.1, y1], axis=1)
    assert contains(cores, hair, VeilStyle(name)).all()


@given(boxes, st.floats(0, 2), st.floats(0, 2))
def test_a_head_veil_covers_all_that_a_round_one_changes(box, margin, head):
    """Also with its soft edge, for any margins."""
    round_, whole = (VeilStyle(name, margin=margin, head=head) for name in ("round", "head"))
    inner, around = core(box, round_), core(box, whole)
    for small, large in ((inner, around), (outer(inner, round_), outer(around, whole))):
        centre, half = (small[:, :2] + small[:, 2:]) / 2, (small[:, 2:] - small[:, :2]) / 2
        rim = centre + half * np.stack([np.cos(RIM), np.sin(RIM)], axis=1)
        apart = rim - (large[:, :2] + large[:, 2:]) / 2
        assert ((apart / ((large[:, 2:] - large[:, :2]) / 2)) ** 2).sum(axis=1).max() < 1


@given(boxes, styles)
def test_a_box_beyond_the_core_is_not_contained(box, style):
    cores = core(box, style)
    moved = must_cover(box, style)
    moved[:, [0, 2]] += cores[:, 2] - moved[:, 0]
    assert not contains(cores, moved, style).any()


def test_upper_leaves_the_mouth():
    (box,) = core(np.array([[0, 0, 100, 100]], np.float32), VeilStyle("upper"))
    assert box[3] == pytest.approx(70) and box[1] == pytest.approx(-25)


@given(boxes, st.floats(0, 2))
def test_the_cells_of_upper_are_no_finer_than_those_over_a_whole_face(box, margin):
    upper, square = VeilStyle("upper", margin=margin), VeilStyle("square", margin=margin, head=0)
    cells = grid(core(box, upper), upper)
    np.testing.assert_allclose(cells, core(box, square), rtol=1e-6, atol=1e-3)


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": "blurry"},
        {"margin": -0.1},
        {"margin": float("nan")},
        {"cells": 9},
        {"cells": 0},
        {"noise": 0.9},
        {"head": 3},
        {"colour": (0, 0, 256)},
    ],
)
def test_options_outside_their_range_are_refused(wrong):
    with pytest.raises(UsageError):
        VeilStyle(**wrong)
