"""Where faces lie on their side the picture is looked at turned upright; elsewhere that costs
nothing, and no look takes a face away."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faceveil.boxes import overlaps
from faceveil.detect.detector import Detected
from faceveil.detect.pyramid import Pyramid
from faceveil.detect.thorough import RolledCenterFace
from faceveil.detect.upright import UprightLook, quarters_to_upright

ACCEPT = 0.5
UPRIGHT = np.array([[-1, -1], [1, -1], [0, 0], [-0.7, 1], [0.7, 1]], np.float32)


def rolled(degrees):
    """Landmarks of a face rolled clockwise, as the picture shows it."""
    angle = np.radians(degrees)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return (UPRIGHT @ turn.T * 10 + 50).astype(np.float32)


def detected(*faces):
    """Faces of pairs of degrees and score, each in a place of its own."""
    boxes = [[100 * k, 0, 100 * k + 60, 60] for k in range(len(faces))]
    return Detected(
        np.array(boxes, np.float32).reshape(-1, 4),
        np.array([score for _, score in faces], np.float32),
        np.array([rolled(degrees) for degrees, _ in faces], np.float32).reshape(-1, 5, 2),
    )


class Fixed:
    """A detector that answers what it was given, upright or turned, and counts."""

    name = "fixed"
    accept_score = ACCEPT

    def __init__(self, found):
        self.found, self.turned = found, []

    def detect_in(self, pyramid):
        return self.found

    def detect_turned(self, pyramid, quarters):
        self.turned.append(quarters)
        return self.found


@given(st.integers(0, 3), st.floats(-44, 44))
def test_the_picture_is_turned_the_way_its_faces_lie(quarters, sway):
    # np.rot90 turns counterclockwise: a face rolled clockwise by a quarter is upright after one
    assert quarters_to_upright(rolled(90 * quarters + sway)[None]) == quarters


def test_most_of_the_turned_faces_decide():
    faces = np.stack([rolled(degrees) for degrees in (0, 0, 0, 0, 180, 90, 88)])
    assert quarters_to_upright(faces) == 1


@pytest.mark.parametrize(
    ("faces", "turned"),
    [
        ([], []),
        ([(0, 0.9), (30, 0.9), (-44, 0.6)], []),
        ([(0, 0.9), (90, 0.4)], []),
        ([(0, 0.9), (90, 0.6)], [1]),
    ],
)
def test_only_a_turned_face_that_counts_lets_the_picture_be_turned(faces, turned):
    """A picture of upright faces costs nothing, and one doubtful hand decides nothing."""
    look = Fixed(detected((0, 0.9)))
    UprightLook(Fixed(detected(*faces)), look).detect(np.zeros((80, 300, 3), np.uint8))
    assert look.turned == turned


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_faces_of_the_turned_picture_are_where_they_are(centerface, people, quarters):
    picture, _ = people
    upright = centerface.detect(picture)
    turned = np.ascontiguousarray(np.rot90(picture, -quarters))
    found = RolledCenterFace(centerface).detect_turned(Pyramid(turned), quarters)
    back = np.stack([found.boxes[:, :2], found.boxes[:, 2:]], axis=1)
    for _ in range(quarters):  # points of the turned picture in the upright one
        width = turned.shape[1]
        turned = np.rot90(turned)
        back = np.stack([back[..., 1], width - back[..., 0]], axis=2)
    boxes = np.concatenate([back.min(axis=1), back.max(axis=1)], axis=1)
    assert len(boxes) == len(upright)
    assert (overlaps(upright.boxes, boxes).max(axis=1) > 0.99).all()


def test_one_face_on_its_side_lets_the_others_be_found(centerface, people):
    """The detector of upright faces overlooks all but one of them."""
    picture, truth = people
    turned = np.ascontiguousarray(np.rot90(picture, -1))
    every = RolledCenterFace(centerface).detect_turned(Pyramid(turned), 1)
    one = Fixed(every.select(np.array([0])))
    found = UprightLook(one, RolledCenterFace(centerface)).detect(turned)
    assert (found.scores >= ACCEPT).sum() == len(truth)
