"""The geometry of boxes: what suppression may drop, and that no edge leaves a picture."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from faceveil.boxes import (
    areas,
    centres,
    clip,
    grown,
    overlaps,
    share_of_smaller,
    sides,
    sizes,
    suppress,
)

coordinates = st.floats(-200, 2000, width=32)


@st.composite
def scored_boxes(draw, most=150):
    """Boxes on a coarse grid, so that many overlap and many scores are equal."""
    count = draw(st.integers(0, most))
    corner = draw(arrays(np.int32, (count, 2), elements=st.integers(0, 30)))
    sides = draw(arrays(np.int32, (count, 2), elements=st.integers(1, 12)))
    scores = draw(arrays(np.int32, count, elements=st.integers(0, 20)))
    boxes = np.concatenate([corner, corner + sides], axis=1).astype(np.float32)
    return boxes, (scores / 20).astype(np.float32)


def plain_suppression(boxes, scores, threshold, measure):
    """The textbook: best first, each against every one kept."""
    kept = []
    for row in sorted(range(len(boxes)), key=lambda row: -scores[row]):
        pairs = overlaps(boxes[[row]], boxes[kept], measure)
        if not (pairs > threshold).any():
            kept.append(row)
    return kept


@given(scored_boxes(), st.sampled_from([0.3, 0.5, 0.7]), st.sampled_from(["union", "minimum"]))
def test_suppression_in_blocks_is_the_textbook_one(found, threshold, measure):
    boxes, scores = found
    expected = plain_suppression(boxes, scores, threshold, measure)
    assert suppress(boxes, scores, threshold, measure).tolist() == expected


def test_suppression_looks_past_its_first_block():
    rng = np.random.default_rng(3)
    corner = rng.uniform(0, 900, (700, 2))
    boxes = np.concatenate([corner, corner + 60], axis=1).astype(np.float32)
    scores = rng.random(700, np.float32)
    kept = suppress(boxes, scores, 0.5)
    assert len(kept) > 64
    assert kept.tolist() == plain_suppression(boxes, scores, 0.5, "union")


@given(scored_boxes(most=40))
def test_every_box_dropped_overlaps_one_kept_of_no_lower_score(found):
    boxes, scores = found
    kept = suppress(boxes, scores, 0.5)
    dropped = np.setdiff1d(np.arange(len(boxes)), kept)
    for row in dropped:
        over = overlaps(boxes[[row]], boxes[kept])[0] > 0.5
        assert (over & (scores[kept] >= scores[row])).any()


@given(scored_boxes(most=30))
def test_overlap_is_symmetric_and_a_share(found):
    boxes, _ = found
    for measure in ("union", "minimum"):
        share = overlaps(boxes, boxes, measure)
        np.testing.assert_allclose(share, share.T, atol=1e-6)
        np.testing.assert_allclose(np.diag(share), 1, atol=1e-6)
        assert ((share >= 0) & (share <= 1 + 1e-6)).all()


def test_overlap_of_known_boxes():
    boxes = np.array([[0, 0, 10, 10]], np.float32)
    others = np.array([[5, 0, 15, 10], [2, 2, 4, 4], [20, 20, 30, 30], [3, 3, 3, 3]], np.float32)
    np.testing.assert_allclose(overlaps(boxes, others)[0], [1 / 3, 0.04, 0, 0], atol=1e-6)
    np.testing.assert_allclose(overlaps(boxes, others, "minimum")[0], [0.5, 1, 0, 0], atol=1e-6)


@given(arrays(np.float32, (6, 4), elements=coordinates), st.integers(1, 900), st.integers(1, 900))
def test_clipped_boxes_lie_in_the_picture_and_keep_what_was_inside(boxes, width, height):
    cut = clip(boxes, width, height)
    assert (cut >= 0).all()
    assert (cut[:, ::2] <= width).all()
    assert (cut[:, 1::2] <= height).all()
    inside = (boxes >= 0) & (boxes <= [width, height, width, height])
    np.testing.assert_array_equal(cut[inside], boxes[inside])


@pytest.mark.parametrize("box", [[5, 5, 5, 9], [9, 9, 5, 5]])
def test_an_empty_or_turned_box_has_no_area(box):
    assert areas(np.array([box], np.float32))[0] == 0


def test_sizes_are_sides_of_squares_of_the_same_area_and_never_zero() -> None:
    """A box of no area must divide nothing by zero."""
    boxes = np.array([[0, 0, 4, 9], [5, 5, 5, 9]], np.float32)
    assert sizes(boxes)[0] == pytest.approx(6)
    assert sizes(boxes)[1] > 0


def test_a_grown_box_reaches_further_by_a_share_of_its_sides() -> None:
    boxes = np.array([[10, 20, 30, 60]], np.float32)
    assert grown(boxes, 0.25).tolist() == [[5, 10, 35, 70]]
    assert grown(boxes, 0.0).tolist() == boxes.tolist()


def test_centres_and_sides_keep_the_precision_of_what_they_are_given() -> None:
    """Veils are computed in float64: rounding them to float32 would change rendered bytes."""
    boxes = np.array([[0, 0, 1 / 3, 2 / 3]], np.float64)
    assert centres(boxes).tolist() == [[1 / 6, 1 / 3]]
    assert sides(boxes).tolist() == [[1 / 3, 2 / 3]]


def test_a_box_inside_another_shares_all_of_itself() -> None:
    outer, inner = np.array([0, 0, 10, 10], np.float32), np.array([2, 2, 4, 4], np.float32)
    assert share_of_smaller(outer, inner) == 1
    assert share_of_smaller(outer, outer + 20) == 0
