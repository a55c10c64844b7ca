"""A patch that moves in a known way is followed, and given up when it is gone."""

import numpy as np
import pytest

from faceveil.boxes import iou
from faceveil.tracking.median_flow import follow_box, step
from testkit.flow_pictures import BACKGROUND, HEIGHT, WIDTH, boxes, draw, texture

TIME = np.arange(30)
MOTIONS = {
    "still": boxes(np.full(30, 150.0), 120, 50),
    "walks": boxes(60 + 5 * TIME, 120, 50),
    "sways": boxes(150 + 30 * np.sin(TIME / 5), 120 + 15 * np.cos(TIME / 4), 40),
    "comes nearer": boxes(np.full(30, 160.0), 120, 30 * 1.03**TIME),
    "goes away": boxes(np.full(30, 160.0), 120, 120 * 0.97**TIME),
    "small": boxes(60 + 1.5 * TIME, 120, 16),
    "larger than is looked at": boxes(150 + 2 * TIME, 120, 150),
}


@pytest.mark.parametrize("name", MOTIONS)
def test_known_motion_is_followed(name):
    truth = MOTIONS[name]
    found = follow_box(map(draw, truth), truth[0])
    assert found.shape == (29, 4)
    assert iou(found, truth[1:]).min() > 0.75


def test_a_face_that_leaves_the_picture_is_followed_out_of_it_and_no_farther():
    truth = boxes(160 + 8 * TIME, 120, 50)
    found = follow_box(map(draw, truth), truth[0])
    assert 17 <= len(found) < 23  # its right edge leaves after 17 frames, all of it after 24
    assert iou(found, truth[1 : 1 + len(found)]).min() > 0.6


def test_a_face_that_vanishes_is_given_up():
    box = boxes(160.0, 120, 50)
    pictures = [draw(box)] * 4 + [texture(9, WIDTH, HEIGHT)] * 4
    assert len(follow_box(pictures, box)) == 3


def test_nothing_is_followed_where_there_is_nothing_to_see():
    flat = np.full((HEIGHT, WIDTH), 90, np.uint8)
    assert step(flat, flat, boxes(160.0, 120, 50)) is None


@pytest.mark.parametrize("box", [(-60, -60, -20, -20), (400, 300, 450, 350), (0, 0, 2, 2)])
def test_boxes_outside_the_picture_or_too_small_are_no_error(box):
    assert step(BACKGROUND, BACKGROUND, np.float32(box)) is None


def test_one_picture_gives_no_box():
    assert follow_box([BACKGROUND], boxes(160.0, 120, 50)).shape == (0, 4)
