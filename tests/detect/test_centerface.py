"""CenterFace on real faces: found, placed rightly whatever the padding, whole or in tiles."""

import cv2
import numpy as np
import pytest

from faceveil.boxes import overlaps
from faceveil.detect import centerface as module
from faceveil.detect.centerface import CenterFace
from faceveil.detect.views import Tile, tile_starts
from faceveil.errors import UsageError


def test_finds_every_known_face_once(centerface, people):
    picture, truth = people
    found = centerface.detect(picture)
    accepted = found.select(found.scores >= centerface.accept_score)
    assert ((overlaps(truth, accepted.boxes) > 0.5).sum(axis=1) == 1).all()
    assert len(accepted) == len(truth)


def test_landmarks_lie_in_their_face_in_order(centerface, people):
    found = centerface.detect(people[0])
    for points in found.landmarks[:4]:
        left_eye, right_eye, nose, left_mouth, right_mouth = points
        assert left_eye[0] < nose[0] < right_eye[0]
        assert left_mouth[0] < right_mouth[0]
        assert left_eye[1] < nose[1] < left_mouth[1]


@pytest.mark.parametrize("cut", [(0, 0), (1, 3), (17, 30)])
def test_padding_moves_no_box(centerface, people, cut):
    picture, _ = people
    whole = centerface.detect(picture)
    smaller = centerface.detect(np.ascontiguousarray(picture[: 540 - cut[0], : 1040 - cut[1]]))
    share = overlaps(whole.boxes[:4], smaller.boxes)
    assert (share.max(axis=1) > 0.85).all()


def test_tiles_find_the_faces_of_the_whole_once(centerface_session, people, monkeypatch):
    """Faces in an overlap, cut by an edge or larger than the overlap stay one each."""
    picture, truth = people
    detector = CenterFace(centerface_session, min_face_size=20)
    whole = detector.detect(picture)
    monkeypatch.setattr(module, "_TILE", Tile(400, 256))
    tiled = detector.detect(picture)
    seen, expected = tiled.boxes[tiled.scores >= 0.5], whole.boxes[whole.scores >= 0.5]
    assert len(seen) == len(expected) == len(truth)
    assert (overlaps(expected, seen).max(axis=1) > 0.6).all()


@pytest.mark.parametrize("length", [1, 640, 641, 1024, 1025, 4000, 7680])
def test_tiles_cover_an_axis_and_overlap(length):
    starts = tile_starts(length, 640, 128)
    ends = [min(start + 640, length) for start in starts]
    assert starts[0] == 0
    assert ends[-1] == length
    gaps = [end - start for start, end in zip(starts[1:], ends, strict=False)]
    assert all(gap >= 128 for gap in gaps)


def test_input_scale_decides_what_is_seen(centerface_session, people):
    """At a tenth of its size the smallest face is five pixels high; at full size all are seen."""
    picture, truth = people
    tiny = CenterFace(centerface_session, input_scale=0.1).detect(picture)
    full = CenterFace(centerface_session, input_scale=1).detect(picture)
    assert not (overlaps(truth[3:], tiny.boxes[tiny.scores >= 0.5]) > 0.5).any()
    assert (overlaps(truth, full.boxes[full.scores >= 0.5]) > 0.5).any(axis=1).all()


def test_doubtful_faces_are_answered_with_their_low_score(centerface_session, people):
    blurred = cv2.GaussianBlur(people[0], (0, 0), 6)
    found = CenterFace(centerface_session, accept_score=0.9).detect(blurred)
    assert ((found.scores >= 0.2) & (found.scores < 0.9)).any()
    assert (found.scores >= 0.2).all()


@pytest.mark.parametrize("size", [(1, 1), (1, 3000), (3000, 2), (33, 31)])
def test_tiny_and_thin_pictures_give_no_face(centerface, size):
    found = centerface.detect(np.full((*size, 3), 128, np.uint8))
    assert found.boxes.shape == (0, 4)
    assert found.landmarks.shape == (0, 5, 2)


def test_another_kind_of_network_is_refused(mtcnn_networks):
    with pytest.raises(UsageError, match="4 outputs"):
        CenterFace(mtcnn_networks.pnet)


def test_a_small_picture_is_enlarged_so_that_small_faces_are_found(centerface_session, people):
    """Faces of six pixels in a video of 108 lines had low scores only, and were never veiled."""
    picture, truth = people
    small = cv2.resize(picture, None, fx=0.11, fy=0.11, interpolation=cv2.INTER_AREA)
    as_it_is = CenterFace(centerface_session, accept_score=0.35, input_scale=1).detect(small)
    enlarged = CenterFace(centerface_session, accept_score=0.35).detect(small)
    wanted = CenterFace(centerface_session, min_face_size=20, accept_score=0.35).detect(small)
    counts = [
        int((overlaps(truth * 0.11, found.boxes[found.scores >= 0.35]) > 0.3).any(axis=1).sum())
        for found in (as_it_is, enlarged, wanted)
    ]
    assert counts[0] == counts[2] < counts[1]
