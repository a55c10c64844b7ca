"""Faces that can be followed need no further frame between; whatever is in doubt gets one."""

from dataclasses import dataclass

import cv2
import numpy as np
import pytest

from faceveil.faces import FrameError, FrameFaces, Models
from faceveil.media.frames import Planes
from faceveil.sampling.by_pixels import NEAR, NextByPixels

MODELS = Models("fake", "fake", "sha256:0", 0.5)
WIDTH, HEIGHT, FACE = 480, 270, 40
GAP = 12


@dataclass
class Picture:
    number: int
    picture: np.ndarray
    width: int = WIDTH
    height: int = HEIGHT

    def planes(self):
        return Planes((self.picture,), 255)


def texture(height, width, seed):
    noise = np.random.default_rng(seed).integers(0, 256, (height, width), np.uint8)
    return cv2.GaussianBlur(noise, (0, 0), 2) * 3  # wraps round: strong contrasts


def clip(positions):
    """Frames with a face at each (x, y), None where there is none."""
    ground, face = texture(HEIGHT, WIDTH, 1), texture(FACE, FACE, 2)
    frames = []
    for number, position in enumerate(positions):
        picture = ground.copy()
        if position is not None:
            x, y = position
            picture[y : y + FACE, x : x + FACE] = face
        frames.append(Picture(number, picture))
    return frames


def found(position, score=0.9, error=None):
    faces = [] if position is None else [(*position, position[0] + FACE, position[1] + FACE)]
    return FrameFaces(
        WIDTH,
        HEIGHT,
        MODELS,
        boxes=np.array(faces, np.float32).reshape(-1, 4),
        scores=np.full(len(faces), score, np.float32),
        landmarks=np.zeros((len(faces), 5, 2), np.float32),
        features=np.zeros((len(faces), 4), np.float32),
        error=error,
    )


def needed(positions, before=None, after=None):
    before = found(positions[0]) if before is None else before
    after = found(positions[-1]) if after is None else after
    return NextByPixels()(before, after, clip(positions))


STRAIGHT = [(40 + 6 * step, 100) for step in range(GAP + 1)]


def test_a_face_that_moves_far_but_straight_needs_no_frame():
    """By its boxes alone it could be another face: they are nearly two face sizes apart."""
    assert needed(STRAIGHT) is None


@pytest.mark.parametrize("end", ["before", "after"])
@pytest.mark.parametrize("score", [0.55, 0.9])
def test_a_face_that_is_overlooked_at_one_end_is_followed_over_a_few_frames_alone(end, score):
    """Its pixels show that it was there, but tracking may drift from it on a longer way."""
    for gap, expected in ((NEAR, None), (NEAR + 1, (NEAR + 1) // 2)):
        path = STRAIGHT[: gap + 1]
        ends = {"before": found(path[0], score), "after": found(path[-1], score)}
        assert needed(path, **{**ends, end: found(None)}) == expected


def test_the_frame_in_which_a_face_is_lost_is_needed():
    assert needed([*STRAIGHT[:8], *[None] * 5]) == 8


def test_the_frame_before_a_face_can_be_followed_back_to_is_needed():
    assert needed([*[None] * 5, *STRAIGHT[5:]]) == 4


def test_a_face_that_leaves_the_straight_line_needs_the_frame_where_it_is_farthest():
    """Interpolation would veil the straight line."""
    detour = [(40 + 6 * step, 100 + 5 * min(step, GAP - step)) for step in range(GAP + 1)]
    assert needed(detour) == GAP // 2


@pytest.mark.parametrize("end", ["before", "after"])
def test_an_unclear_face_has_its_stretch_halved(end):
    """What is detected in some frames only must get the chance to be detected."""
    position = {"before": STRAIGHT[0], "after": STRAIGHT[-1]}[end]
    ends = {"before": found(None), "after": found(None), end: found(position, 0.55)}
    assert needed(STRAIGHT, **ends) == GAP // 2


def test_a_frame_that_could_not_be_read_has_its_stretch_halved():
    assert needed(STRAIGHT, after=found(None, error=FrameError("x", "y"))) == GAP // 2


def test_parts_of_a_stretch_are_judged_by_their_own_pictures():
    """The small pictures are remembered while a stretch is divided."""
    frames = clip([*STRAIGHT[:8], *[None] * 5])
    chooser = NextByPixels()
    assert chooser(found(STRAIGHT[0]), found(None), frames) == 8
    assert chooser(found(STRAIGHT[0]), found(None), frames[:9]) == 7
    assert chooser(found(STRAIGHT[0]), found(STRAIGHT[7]), frames[:8]) is None
    assert chooser(found(STRAIGHT[7]), found(None), frames[7:]) == 1
