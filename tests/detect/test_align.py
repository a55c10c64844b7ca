"""Alignment: the similarity found is the best one, and a face ends up on ArcFace's template."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from faceveil.detect.align import CROP_SIZE, TEMPLATE, aligned, similarities
from faceveil.detect.pyramid import Pyramid

turns = st.floats(-3.1, 3.1)
zooms = st.floats(0.05, 8)
moves = st.floats(-500, 500)


def similarity(turn, zoom, x, y):
    cos, sin = zoom * np.cos(turn), zoom * np.sin(turn)
    return np.array([[cos, -sin, x], [sin, cos, y]])


def applied(matrix, points):
    return points @ matrix[:, :2].T + matrix[:, 2]


@given(turns, zooms, moves, moves)
def test_a_known_similarity_is_recovered(turn, zoom, x, y):
    expected = similarity(turn, zoom, x, y)
    moved = applied(expected, TEMPLATE).astype(np.float32)
    (found,) = similarities(TEMPLATE[None], moved[None])
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-3 * max(1, zoom))


@given(
    arrays(np.float64, (5, 2), elements=st.floats(-15, 15)),
    st.floats(-0.1, 0.1),
    st.floats(0.9, 1.1),
    st.floats(-3, 3),
)
def test_no_other_similarity_lies_nearer(noise, turn, zoom, move):
    points = (TEMPLATE + noise).astype(np.float32)
    (best,) = similarities(points[None], TEMPLATE).astype(np.float64)
    other = similarity(turn, zoom, move, -move) @ np.vstack([best, [0, 0, 1]])

    def miss(matrix):
        return ((applied(matrix, points) - TEMPLATE) ** 2).sum()

    assert miss(best) <= miss(other) + 1e-3


def test_mirrored_points_are_not_mirrored_back():
    mirrored = TEMPLATE * np.array([-1, 1], np.float32)
    (matrix,) = similarities(mirrored[None], TEMPLATE)
    assert np.linalg.det(matrix[:, :2]) >= 0


def test_points_in_one_place_give_a_crop_and_no_warning():
    picture = np.full((50, 50, 3), 9, np.uint8)
    crops = aligned(Pyramid(picture), np.full((1, 5, 2), 20, np.float32))
    assert crops.shape == (1, CROP_SIZE, CROP_SIZE, 3)


def test_no_face_gives_no_crop():
    crops = aligned(Pyramid(np.zeros((5, 5, 3), np.uint8)), np.zeros((0, 5, 2), np.float32))
    assert crops.shape == (0, CROP_SIZE, CROP_SIZE, 3)


@settings(max_examples=20)
@given(st.floats(-1, 1), st.floats(0.6, 3.5))
def test_landmarks_end_up_on_the_template(turn, zoom):
    """A dot of its own colour at each landmark is found where the template says."""
    matrix = similarity(turn, zoom, 0, 0)
    points = applied(matrix, TEMPLATE - 56) + 300
    colours = np.array([[250, 0, 0], [0, 250, 0], [0, 0, 250], [250, 250, 0], [0, 250, 250]])
    picture = np.zeros((600, 600, 3), np.uint8)
    y, x = np.mgrid[:600, :600] + 0.5
    for (px, py), colour in zip(points, colours, strict=True):
        picture[np.hypot(x - px, y - py) < 5 * zoom] = colour
    (crop,) = aligned(Pyramid(picture), points[None].astype(np.float32))
    for (px, py), colour in zip(TEMPLATE.astype(int), colours, strict=True):
        np.testing.assert_allclose(crop[py, px], colour, atol=30)
