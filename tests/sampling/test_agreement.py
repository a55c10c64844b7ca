"""Two frames agree only where nothing can have happened to a face between them."""

import numpy as np
import pytest

from faceveil.faces import FrameError, FrameFaces, Models
from faceveil.sampling.agreement import Agreement

MODELS = Models("fake", "fake", "sha256:0", 0.5)
FACE = (100, 100, 140, 150)
OTHER = (300, 100, 340, 150)


def frame(*faces, features=None, error=None):
    """Faces as (box, score)."""
    count = len(faces)
    return FrameFaces(
        640,
        360,
        MODELS,
        boxes=np.array([box for box, _ in faces], np.float32).reshape(-1, 4),
        scores=np.array([score for _, score in faces], np.float32),
        landmarks=np.zeros((count, 5, 2), np.float32),
        features=np.zeros((count, 4), np.float32) if features is None else np.float32(features),
        error=error,
    )


def moved(box, x, factor=1.0):
    x1, y1, x2, y2 = box
    return (x1 + x, y1, x1 + x + factor * (x2 - x1), y1 + factor * (y2 - y1))


def agree(before, after, gap=8):
    return Agreement()(before, after, gap)


def test_nobody_agrees_with_nobody():
    assert agree(frame(), frame())
    assert agree(frame((FACE, 0.3)), frame())


@pytest.mark.parametrize("other", [(), ((OTHER, 0.9),)])
def test_a_face_that_comes_or_goes_disagrees(other):
    both = frame((FACE, 0.9), *other)
    assert agree(both, both)
    assert not agree(both, frame(*other))
    assert not agree(frame(*other), both)


def test_as_many_faces_elsewhere_disagree():
    assert not agree(frame((FACE, 0.9)), frame((OTHER, 0.9)))


def test_a_face_that_fades_is_there_but_one_that_brightens_may_have_come_at_any_time():
    clear, faint = frame((FACE, 0.9)), frame((FACE, 0.3))
    assert agree(clear, faint)
    assert not agree(faint, clear)
    assert not agree(clear, frame((FACE, 0.1)))


@pytest.mark.parametrize(
    ("x", "factor", "expected"), [(20, 1, True), (60, 1, False), (0, 2, False)]
)
def test_far_motion_and_strong_growth_disagree(x, factor, expected):
    near, far = frame((FACE, 0.9)), frame((moved(FACE, x, factor), 0.9))
    assert agree(near, far) is expected
    assert agree(far, near) is expected


def test_another_person_at_the_same_place_disagrees():
    one, two = np.eye(4)[:1], np.eye(4)[:1] * 0.1 + np.eye(4)[1:2]
    assert agree(frame((FACE, 0.9), features=one), frame((FACE, 0.9), features=one))
    assert not agree(frame((FACE, 0.9), features=one), frame((FACE, 0.9), features=two))


def test_a_frame_without_any_feature_is_compared_by_place():
    one, none = np.eye(4)[:1], np.zeros((1, 0))
    assert agree(frame((FACE, 0.9), features=one), frame((FACE, 0.3), features=none))
    assert not agree(frame((OTHER, 0.9), features=one), frame((FACE, 0.3), features=none))


def test_a_second_box_of_one_face_is_no_second_face():
    single, double = frame((FACE, 0.9)), frame((FACE, 0.9), (moved(FACE, 5), 0.8))
    assert agree(single, double)
    assert agree(double, single)


def test_a_frame_that_could_not_be_read_agrees_with_nothing():
    unreadable = frame(error=FrameError("unreadable", "cut off"))
    assert not agree(unreadable, frame())
    assert not agree(frame(), unreadable)
