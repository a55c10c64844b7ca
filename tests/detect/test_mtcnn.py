"""MTCNN on real faces: found however the work is cut, and marked where doubtful."""

import cv2
import numpy as np
import pytest

from faceveil.boxes import overlaps
from faceveil.detect import mtcnn
from faceveil.detect.mtcnn import MTCNN


@pytest.fixture
def detector(mtcnn_networks):
    return MTCNN(mtcnn_networks, min_face_size=30)


def test_finds_every_known_face_once(detector, people):
    picture, truth = people
    found = detector.detect(picture)
    accepted = found.select(found.scores >= detector.accept_score)
    share = overlaps(truth, accepted.boxes)
    assert ((share > 0.4).sum(axis=1) == 1).all()
    assert len(accepted) == len(truth)


def test_landmarks_lie_in_their_face_in_order(detector, people):
    found = detector.detect(people[0])
    for box, points in zip(found.boxes[:4], found.landmarks[:4], strict=True):
        assert ((points >= box[:2]) & (points <= box[2:])).all()
        left_eye, right_eye, nose, left_mouth, right_mouth = points
        assert left_eye[0] < right_eye[0]
        assert left_mouth[0] < right_mouth[0]
        assert left_eye[1] < nose[1] < left_mouth[1]


def test_strips_and_chunks_change_nothing(detector, people, monkeypatch):
    in_strips = detector.detect(people[0])
    monkeypatch.setattr(mtcnn, "_STRIP", 10_000)
    monkeypatch.setattr(mtcnn, "_RNET_CHUNK", 7)
    monkeypatch.setattr(mtcnn, "_ONET_CHUNK", 5)
    at_once = detector.detect(people[0])
    np.testing.assert_allclose(in_strips.boxes, at_once.boxes, atol=0.01)
    np.testing.assert_allclose(in_strips.scores, at_once.scores, atol=1e-4)
    np.testing.assert_allclose(in_strips.landmarks, at_once.landmarks, atol=0.01)


def test_doubtful_faces_are_answered_with_their_low_score(mtcnn_networks, people):
    """A threshold decides what is accepted, never what is answered down to 0.2."""
    blurred = cv2.GaussianBlur(people[0], (0, 0), 5)
    strict = MTCNN(mtcnn_networks, 30, (0.6, 0.7, 0.999))
    found = strict.detect(blurred)
    doubtful = found.scores < strict.accept_score
    assert doubtful.any()
    assert (found.scores >= 0.2).all()
    assert (np.diff(found.scores) <= 0).all()
    lenient = MTCNN(mtcnn_networks, 30, (0.6, 0.7, 0.5)).detect(blurred)
    np.testing.assert_array_equal(found.scores, lenient.scores)


def test_smaller_faces_than_asked_for_are_not_looked_for(mtcnn_networks, people):
    """The known faces are 150, 110, 80 and 55 pixels high."""
    picture, truth = people
    for smallest, seen, unseen in ((180, 1, 2), (110, 2, 1), (30, 4, 0)):
        found = MTCNN(mtcnn_networks, smallest).detect(picture)
        hit = (overlaps(truth, found.boxes) > 0.4).any(axis=1)
        assert hit[:seen].all()
        assert not hit[len(hit) - unseen :].any()


def test_a_face_is_where_it_was_moved_to(detector, people):
    picture, _ = people
    moved = np.zeros((700, 1300, 3), np.uint8)
    moved[101:641, 203:1243] = picture
    before, after = detector.detect(picture), detector.detect(moved)
    share = overlaps(before.boxes[:4] + np.array([203, 101] * 2, np.float32), after.boxes)
    assert (share.max(axis=1) > 0.8).all()


def test_blue_first_networks_get_blue_first(mtcnn_networks, people):
    """An MXNet checkpoint wants BGR: fed a picture with its colours turned, it sees the same."""
    networks = mtcnn.MTCNNNetworks(
        mtcnn_networks.pnet, mtcnn_networks.rnet, mtcnn_networks.onet, colour_order="BGR"
    )
    turned = np.ascontiguousarray(people[0][..., ::-1])
    expected = MTCNN(mtcnn_networks, 30).detect(people[0])
    np.testing.assert_array_equal(MTCNN(networks, 30).detect(turned).boxes, expected.boxes)


@pytest.mark.parametrize("size", [(1, 1), (11, 500), (1, 40_000), (40, 40_000), (13, 13)])
def test_pictures_too_small_for_a_face_give_none(mtcnn_networks, size):
    picture = np.full((*size, 3), 128, np.uint8)
    found = MTCNN(mtcnn_networks).detect(picture)
    assert found.boxes.shape == (0, 4)
    assert found.scores.shape == (0,)
    assert found.landmarks.shape == (0, 5, 2)
