"""Protects: a colour and a place mean the same in every plane of every kind of frame."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faceveil.media.frames import BT601, BT709, BT2020, ColourCoding, Planes
from faceveil.media.orientation import EXIF_ORIENTATIONS, from_display_matrix

bytes_ = st.integers(0, 255)


@pytest.mark.parametrize("coding", [BT601, BT709, BT2020])
def test_black_white_and_grey_have_no_chroma(coding):
    assert coding.encode((0, 0, 0), 255) == (16, 128, 128)
    assert coding.encode((255, 255, 255), 255) == (235, 128, 128)
    assert coding.encode((255, 255, 255), 1023) == (940, 512, 512)


def test_red_of_each_standard():
    """The values of ITU-R BT.601 and BT.709 for 100 % red, 8 bits."""
    assert BT601.encode((255, 0, 0), 255) == (81, 90, 240)
    assert BT709.encode((255, 0, 0), 255) == (63, 102, 240)


@given(st.tuples(bytes_, bytes_, bytes_), st.sampled_from([255, 1023]), st.booleans())
def test_encoding_can_be_undone(rgb, peak, full):
    coding = ColourCoding(0.2126, 0.0722, full)
    y, cb, cr = coding.encode(rgb, peak)
    step = (peak + 1) / 256
    luma = y / peak if full else (y / step - 16) / 219
    blue, red = ((c - 128 * step) / (peak if full else 224 * step) for c in (cb, cr))
    red, blue = luma + red * 2 * (1 - 0.2126), luma + blue * 2 * (1 - 0.0722)
    green = (luma - 0.2126 * red - 0.0722 * blue) / (1 - 0.2126 - 0.0722)
    assert np.abs(np.array([red, green, blue]) * 255 - rgb).max() < 2.5


@pytest.mark.parametrize(
    ("shape", "dtype", "expected"),
    [
        ((4, 4), np.uint8, 76),
        ((4, 4, 2), np.uint8, (76, 255)),
        ((4, 4, 3), np.uint8, (255, 0, 0)),
        ((4, 4, 4), np.uint16, (65535, 0, 0, 65535)),
    ],
)
def test_colour_of_pictures(shape, dtype, expected):
    picture = np.zeros(shape, dtype)
    (value,) = Planes((picture,), int(np.iinfo(dtype).max)).colour((255, 0, 0))
    picture[1:3, 1:3] = value
    assert np.array_equal(picture[1, 1], expected)


@given(st.integers(2, 99), st.integers(2, 99), st.sampled_from([(1, 1), (2, 1), (1, 2), (2, 2)]))
def test_subsampling_follows_from_the_shapes(width, height, factors):
    across, down = factors
    chroma = np.zeros((-(-height // down), -(-width // across)), np.uint8)
    planes = Planes((np.zeros((height, width), np.uint8), chroma, chroma), 255)
    assert planes.subsampling == ((1, 1), factors, factors)


@given(st.sampled_from(sorted(EXIF_ORIENTATIONS)), st.integers(1, 9), st.integers(1, 9))
def test_views_and_copies_agree_and_share_memory(value, width, height):
    stored = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    orientation = EXIF_ORIENTATIONS[value]
    view = orientation.view(stored)
    assert view.shape[1::-1] == orientation.size(width, height)
    assert np.array_equal(orientation.copy(stored), view)
    view[0, 0] = 7
    assert (stored == 7).all(axis=2).any()


def test_display_matrices():
    one = 65536
    picture = np.arange(6).reshape(2, 3)
    for matrix, expected in {
        (one, 0, 0, 0, one, 0, 0, 0, 0): picture,
        (0, -one, 0, one, 0, 0, 0, 0, 0): np.rot90(picture, 1),
        (-one, 0, 0, 0, -one, 0, 0, 0, 0): np.rot90(picture, 2),
        (0, one, 0, -one, 0, 0, 0, 0, 0): np.rot90(picture, 3),
        (-one, 0, 0, 0, one, 0, 0, 0, 0): picture[:, ::-1],
    }.items():
        assert np.array_equal(from_display_matrix(matrix).view(picture), expected)
