"""Turned heads are found by the second look, upright for the recogniser, at a bounded cost."""

import numpy as np
import pytest

from faceveil.boxes import overlaps
from faceveil.detect import thorough
from faceveil.detect.added import AddedLooks
from faceveil.detect.align import aligned
from faceveil.detect.build import AnalyzerOptions
from faceveil.detect.pyramid import Pyramid
from faceveil.detect.thorough import ThoroughCenterFace, TurnedCenterFace
from faceveil.errors import UsageError


def turned_boxes(boxes, steps, width, height):
    """Boxes of a picture of that size as they are in np.rot90(picture, steps)."""
    for _ in range(steps):
        x1, y1, x2, y2 = boxes.T
        boxes = np.stack([y1, width - x2, y2, width - x1], axis=1)
        width, height = height, width
    return boxes


@pytest.mark.parametrize("steps", [0, 1, 2, 3])
def test_heads_are_found_however_they_are_turned(centerface, people, steps):
    picture, truth = people
    truth = turned_boxes(truth, steps, 1040, 540)
    turned = np.ascontiguousarray(np.rot90(picture, steps))
    detector = AddedLooks(ThoroughCenterFace(centerface), [TurnedCenterFace(centerface)])
    found = detector.detect(turned)
    seen = found.boxes[found.scores >= detector.accept_score]
    assert ((overlaps(truth, seen) > 0.5).sum(axis=1) == 1).all()


def test_a_doubtful_head_on_its_side_is_found_by_looking_closer(centerface, people):
    picture, truth = people
    truth = turned_boxes(truth, 3, 1040, 540)
    turned = np.ascontiguousarray(np.rot90(picture, 3))
    accept = centerface.accept_score
    once, again = centerface.detect(turned), ThoroughCenterFace(centerface).detect(turned)
    before, after = (part.boxes[part.scores >= accept] for part in (once, again))
    assert len(before) < len(after) == len(truth)
    assert (overlaps(after, truth).max(axis=1) > 0.6).all()


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_turned_heads_are_upright_for_the_recogniser(centerface, recognizer, people, steps):
    picture, truth = people
    detector = AddedLooks(ThoroughCenterFace(centerface), [TurnedCenterFace(centerface)])
    turned = np.ascontiguousarray(np.rot90(picture, steps))
    features = []
    for image, boxes in ((picture, truth), (turned, turned_boxes(truth, steps, 1040, 540))):
        found = detector.detect(image)
        rows = overlaps(boxes, found.boxes).argmax(axis=1)
        features.append(recognizer.features(aligned(Pyramid(image), found.landmarks[rows])))
    assert (np.einsum("ij,ij->i", *features)[:3] > 0.6).all()


def test_looking_closer_is_one_small_run_however_much_is_doubtful(centerface, people, monkeypatch):
    runs = []
    look = centerface.detect_view
    monkeypatch.setattr(
        centerface, "detect_view", lambda view: runs.append(view.shape) or look(view)
    )
    monkeypatch.setattr(thorough, "_DOUBT", 0.01)
    ThoroughCenterFace(centerface).detect(people[0])
    assert runs == [(288, 768, 3)]


def test_what_is_found_closer_lies_where_it_is_in_the_picture(centerface, people):
    """The known faces looked at again give their own boxes back, and their own landmarks."""
    picture, truth = people
    detector = ThoroughCenterFace(centerface)
    (again, _) = (view.found for view in detector._closer(Pyramid(picture), truth))
    first = centerface.detect(picture)
    for face in truth:
        row = overlaps(face[None], again.boxes)[0].argmax()
        known = overlaps(face[None], first.boxes)[0].argmax()
        assert overlaps(face[None], again.boxes[row : row + 1])[0, 0] > 0.5
        apart = np.abs(again.landmarks[row] - first.landmarks[known]).max()
        assert apart < 0.15 * (face[3] - face[1])


def test_nothing_doubtful_costs_nothing(centerface, monkeypatch):
    monkeypatch.setattr(centerface, "detect_view", lambda view: pytest.fail("looked again"))
    found = ThoroughCenterFace(centerface).detect(np.full((120, 160, 3), 128, np.uint8))
    assert len(found) == 0


def test_profiles_that_do_not_exist_or_apply_are_refused():
    with pytest.raises(UsageError, match="fast"):
        AnalyzerOptions(profile="slow")
    with pytest.raises(UsageError, match="union"):
        AnalyzerOptions(profile="high-recall", detector="mtcnn")
