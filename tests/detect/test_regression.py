"""Boxes moved and cut out as MTCNN's stages do it."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from faceveil.detect.regression import crop_matrices, refine, squares


@st.composite
def some_boxes(draw):
    count = draw(st.integers(0, 20))
    corner = draw(arrays(np.int32, (count, 2), elements=st.integers(0, 30)))
    sides = draw(arrays(np.int32, (count, 2), elements=st.integers(1, 12)))
    return np.concatenate([corner, corner + sides], axis=1).astype(np.float32)


@given(some_boxes())
def test_squares_cover_their_boxes_around_the_same_centre(boxes):
    square = squares(boxes)
    sides = square[:, 2:] - square[:, :2]
    np.testing.assert_allclose(sides[:, 0], sides[:, 1], rtol=1e-5)
    assert (square[:, :2] <= boxes[:, :2] + 1e-3).all()
    assert (square[:, 2:] >= boxes[:, 2:] - 1e-3).all()
    np.testing.assert_allclose(
        square[:, :2] + square[:, 2:], boxes[:, :2] + boxes[:, 2:], rtol=1e-5
    )


def test_regression_is_in_sides_of_the_box():
    boxes = np.array([[10, 20, 30, 60]], np.float32)
    moved = refine(boxes, np.array([[0.1, -0.5, 0, 0.25]], np.float32))
    np.testing.assert_allclose(moved, [[12, 0, 30, 70]])


def test_crop_maps_lay_corners_on_corners():
    matrix = crop_matrices(np.array([[10, 20, 58, 44]], np.float32), 24)[0]
    np.testing.assert_allclose(matrix @ [0, 0, 1], [10, 20])
    np.testing.assert_allclose(matrix @ [24, 24, 1], [58, 44])
