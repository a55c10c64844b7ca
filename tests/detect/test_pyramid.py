"""Views cut from a pyramid show the place they are asked for, whatever level they come from."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faceveil.detect.pyramid import Pyramid
from faceveil.detect.regression import crop_matrices
from faceveil.errors import InputError


def ramps(width, height):
    """Red rises by one a pixel of 1/200 of the width, green likewise downwards: where am I?"""
    picture = np.zeros((height, width, 3), np.uint8)
    picture[..., 0] = ((np.arange(width) + 0.5) / width * 200).astype(np.uint8)
    picture[..., 1] = ((np.arange(height) + 0.5) / height * 200).astype(np.uint8)[:, None]
    return picture


@given(
    x=st.floats(0.05, 0.6), y=st.floats(0.05, 0.6), side=st.floats(20, 350), odd=st.integers(0, 3)
)
def test_a_crop_shows_the_place_it_was_cut_from(x, y, side, odd):
    width, height = 1000 + odd, 900 + odd
    box = np.array([[x * width, y * height, x * width + side, y * height + side]], np.float32)
    (crop,) = Pyramid(ramps(width, height)).warp(crop_matrices(box, 24), 24)
    middle = (box[0, :2] + box[0, 2:]) / 2 / [width, height] * 200
    np.testing.assert_allclose(crop[..., :2].mean(axis=(0, 1)), middle, atol=1.2)


def test_a_crop_of_its_own_size_is_the_picture_itself():
    picture = np.random.default_rng(0).integers(0, 256, (60, 80, 3), np.uint8)
    box = np.array([[13, 7, 37, 31]], np.float32)
    np.testing.assert_array_equal(
        Pyramid(picture).warp(crop_matrices(box, 24), 24)[0], picture[7:31, 13:37]
    )


def test_outside_the_picture_is_black():
    picture = np.full((50, 50, 3), 200, np.uint8)
    (crop,) = Pyramid(picture).warp(crop_matrices(np.array([[-24, 0, 24, 48]], np.float32), 48), 48)
    assert (crop[:, :23] == 0).all()
    assert (crop[:, 25:] == 200).all()


def test_shrinking_does_not_alias():
    stripes = np.zeros((960, 960, 3), np.uint8)
    stripes[:, ::2] = 255
    box = np.array([[100, 100, 868, 868]], np.float32)
    crop = Pyramid(stripes).warp(crop_matrices(box, 24), 24)
    assert np.abs(crop.astype(int) - 127.5).max() < 3


def test_more_crops_than_one_map_holds_come_in_order():
    picture = ramps(640, 480)
    rng = np.random.default_rng(1)
    corner = rng.uniform(0, 300, (1500, 2))
    boxes = np.concatenate([corner, corner + rng.uniform(20, 150, (1500, 1))], axis=1)
    matrices = crop_matrices(boxes.astype(np.float32), 24)
    together = Pyramid(picture).warp(matrices, 24)
    for row in (0, 700, 1499):
        np.testing.assert_array_equal(together[row], Pyramid(picture).warp(matrices[[row]], 24)[0])


@pytest.mark.parametrize("size", [(1, 1), (1, 50_000), (40_000, 3), (31, 70)])
def test_tiny_and_thin_pictures_have_views(size):
    pyramid = Pyramid(np.full((*size, 3), 77, np.uint8))
    assert max(pyramid.levels[-1].shape[:2]) < 2**15
    np.testing.assert_array_equal(pyramid.thumbnail(), np.full((27, 48, 3), 77))
    inside = np.array([[0, 0, size[1], size[0]]], np.float32)
    assert pyramid.warp(crop_matrices(inside, 24), 24)[0, 12, 12].min() > 50


def test_the_thumbnail_is_the_mean_of_what_it_covers():
    picture = np.random.default_rng(2).integers(0, 256, (1080, 1920, 3), np.uint8)
    picture = cv2.blur(picture, (31, 31))
    exact = cv2.resize(picture, (48, 27), interpolation=cv2.INTER_AREA)
    difference = np.abs(Pyramid(picture).thumbnail().astype(int) - exact)
    assert difference.max() <= 2


@pytest.mark.parametrize(
    "picture",
    [
        np.zeros((0, 0, 3), np.uint8),
        np.zeros((4, 4), np.uint8),
        np.zeros((4, 4, 4), np.uint8),
        np.zeros((4, 4, 3), np.float32),
    ],
)
def test_what_is_no_picture_is_refused_with_its_shape(picture):
    with pytest.raises(InputError, match="shape"):
        Pyramid(picture)
