"""SCRFD's answers are decoded exactly, whatever form its file has: the network here is known."""

import numpy as np
import pytest

from faceveil.detect.one_stage import _IN_BOX
from faceveil.detect.scrfd import SCRFD
from faceveil.errors import WeightsError
from faceveil.weights.session import open_session
from testkit.insightface_pack import BOXES, detector, expected, paint

FACES = [(8, 5, 4, 0), (8, 25, 11, 1), (16, 9, 3, 0), (16, 2, 9, 1), (32, 6, 3, 0), (32, 2, 2, 1)]
"""Stride, column, row, anchor: far enough apart that none is suppressed."""


def scrfd(tmp_path, min_face_size=20, **form):
    path = tmp_path / "det.onnx"
    path.write_bytes(detector(**form))
    return SCRFD("det.onnx", open_session(path), min_face_size=min_face_size)


def picture(width, height, faces):
    canvas = np.zeros((height, width, 3), np.uint8)
    for stride, column, row, anchor in faces:
        paint(canvas, stride, column, row, anchor)
    return canvas


def check(detector: SCRFD, canvas, faces):
    """Each face is found once, in its place, cut at the edges, and nothing else is."""
    found = detector.detect(canvas)
    assert len(found) == len(faces)
    for face in faces:
        box, landmarks = expected(*face)
        box = np.clip(box, 0, [*canvas.shape[1::-1]] * 2)
        nearest = np.abs(found.boxes - box).sum(axis=1).argmin()
        np.testing.assert_allclose(found.boxes[nearest], box, atol=1e-3)
        np.testing.assert_allclose(found.landmarks[nearest], landmarks, atol=1e-3)
        assert found.scores[nearest] == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize("batched", [False, True])
@pytest.mark.parametrize("size", [(320, 256), (317, 243), (290, 225)])
def test_every_stride_and_anchor_is_decoded(tmp_path, size, batched):
    """Sizes that are no multiples of 32 are padded, which moves nothing."""
    check(scrfd(tmp_path, batched=batched), picture(*size, FACES), FACES)


def test_a_network_of_one_anchor(tmp_path):
    faces = [face for face in FACES if face[3] == 0]
    check(scrfd(tmp_path, anchors=1), picture(320, 256, faces), faces)


def test_a_network_of_one_size_sees_all_of_a_larger_picture(tmp_path):
    """1152 x 640 is two tiles of 640, which share 128 columns: column 72 of stride 8 lies there."""
    faces = [(8, 5, 4, 0), (8, 72, 11, 0), (16, 60, 30, 0), (32, 30, 8, 1)]
    check(scrfd(tmp_path, side=640), picture(1152, 640, faces), faces)


def test_a_network_of_any_size_is_given_tiles_of_a_large_picture(tmp_path):
    faces = [(8, 5, 4, 0), (8, 230, 4, 0), (16, 100, 60, 1)]
    check(scrfd(tmp_path), picture(1920, 1152, faces), faces)


def test_without_landmarks_they_are_those_of_a_mean_face(tmp_path):
    found = scrfd(tmp_path, landmarks=False).detect(picture(320, 256, FACES[:1]))
    box, _ = expected(*FACES[0])
    np.testing.assert_allclose(found.boxes[0], box, atol=1e-3)
    sides = BOXES[0].reshape(2, 2).sum(axis=0) * 8
    np.testing.assert_allclose(found.landmarks[0], box[:2] + _IN_BOX * sides, atol=1e-3)


def test_a_large_smallest_face_is_looked_for_at_half_the_size(tmp_path):
    """A square of 16 pixels, halved, is one of 8."""
    canvas = np.zeros((256, 320, 3), np.uint8)
    canvas[64:80, 96:112, 0] = 255
    found = scrfd(tmp_path, min_face_size=40).detect(canvas)
    box, landmarks = expected(8, 6, 4)
    np.testing.assert_allclose(found.boxes[0], 2 * box, atol=1e-3)
    np.testing.assert_allclose(found.landmarks[0], 2 * landmarks, atol=1e-3)


def test_one_face_seen_by_neighbouring_cells_is_one(tmp_path):
    faces = [(8, 5, 4, 0), (8, 6, 4, 0)]
    found = scrfd(tmp_path).detect(picture(320, 256, faces))
    assert len(found) == 1


@pytest.mark.parametrize("size", [(1, 1), (1, 3000), (3000, 2), (33, 31)])
def test_tiny_and_thin_pictures_give_no_face(tmp_path, size):
    found = scrfd(tmp_path).detect(np.zeros((*size, 3), np.uint8))
    assert found.boxes.shape == (0, 4)
    assert found.landmarks.shape == (0, 5, 2)


def test_answers_that_do_not_fit_the_picture_are_refused():
    class Odd:
        inputs = {"input.1": (1, 3, "h", "w")}  # noqa: RUF012
        outputs = {str(k): (7, size) for k, size in enumerate((1, 1, 1, 4, 4, 4))}  # noqa: RUF012

        def run(self, feeds, outputs=()):
            return [np.zeros((7, size), np.float32) for size in (1, 1, 1, 4, 4, 4)]

    with pytest.raises(WeightsError, match="not an SCRFD"):
        SCRFD("odd", Odd()).detect(np.zeros((64, 64, 3), np.uint8))
