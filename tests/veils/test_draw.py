"""Drawn boxes tell kept from veiled and found from guessed, and leave the faces as they were."""

import numpy as np
import pytest

from faceveil.faces import Provenance
from faceveil.media.frames import Planes
from faceveil.veils.draw import KEPT, VEILED, draw_boxes

BOX = np.array([[60, 60, 140, 160]], np.float32)


def draw(veiled, provenance, box=BOX):
    frame = np.full((240, 320, 3), 128, np.uint8)
    numbers = np.array([5], np.int32)
    drawn = draw_boxes(
        Planes((frame,), 255), box, np.array([veiled]), np.array([provenance], np.uint8), numbers
    )
    assert drawn
    return frame


def right_edge(frame):
    return frame[60:160, 140]


@pytest.mark.parametrize(("veiled", "colour"), [(True, VEILED), (False, KEPT)])
def test_colour_says_what_happens(veiled, colour):
    assert (right_edge(draw(veiled, Provenance.DETECTED)) == colour).all()
    assert (right_edge(draw(veiled, Provenance.LOW_SCORE)) == colour).all()


@pytest.mark.parametrize("provenance", [Provenance.INTERPOLATED, Provenance.EXTENDED])
def test_a_box_that_was_not_detected_is_dashed(provenance):
    edge = (right_edge(draw(True, provenance)) == VEILED).all(axis=1)
    assert 0.3 < edge.mean() < 0.8


def test_the_face_itself_and_the_rest_of_the_frame_stay():
    frame = draw(True, Provenance.DETECTED)
    assert (frame[60:160, 60:140] == 128).all()
    assert (frame[170:] == 128).all() and (frame[:, 150:] == 128).all()
    assert (frame[30:60, 50:100] != 128).any()


def test_video_planes_get_the_same_picture():
    luma, blue, red = (
        np.full(size, 128, np.uint8) for size in ((240, 320), (120, 160), (120, 160))
    )
    planes = Planes((luma, blue, red), 255)
    draw_boxes(planes, BOX, np.array([True]), np.zeros(1, np.uint8), np.array([5]))
    expected = planes.colour(VEILED)
    assert (luma[60:160, 140] == expected[0]).all()
    assert (blue[30:80, 70] == expected[1]).all() and (red[30:80, 70] == expected[2]).all()
    assert (blue[32:78, 32:68] == 128).all()


def test_boxes_beyond_the_frame_do_no_harm():
    for box in ([-50, -60, 30, 20], [300, 200, 500, 400], [-900, -900, -800, -800]):
        draw(False, Provenance.EXTENDED, np.array([box], np.float32))
