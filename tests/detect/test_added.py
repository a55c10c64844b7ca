"""What looks longer finds no less: every accepted face of a shorter look stays as it was."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faceveil.detect.added import AddedLooks, add
from faceveil.detect.build import PROFILES, AnalyzerOptions, build_analyzer
from faceveil.detect.detector import Detected
from faceveil.detect.union import same_face

ACCEPT = 0.5


def detected(rows):
    """Faces of rows x, y, width, height, score."""
    rows = np.array(rows, np.float32).reshape(-1, 5)
    boxes = np.concatenate([rows[:, :2], rows[:, :2] + rows[:, 2:4]], axis=1)
    landmarks = np.repeat(rows[:, None, 4:], 10, axis=2).reshape(-1, 5, 2)
    order = np.argsort(-rows[:, 4], kind="stable")
    return Detected(boxes, rows[:, 4], landmarks).select(order)


NUMBER = st.floats(0, 90, width=32)
ROW = st.tuples(NUMBER, NUMBER, st.floats(8, 80, width=32), st.floats(8, 80, width=32))
FACES = st.lists(
    st.tuples(ROW, st.integers(20, 100).map(lambda score: score / 100)), max_size=8
).map(lambda faces: detected([(*row, score) for row, score in faces]))


@settings(deadline=None, max_examples=300)
@given(FACES, FACES)
def test_a_further_look_takes_no_accepted_face_away(found, more):
    both = add(found, more, ACCEPT)
    assert (np.diff(both.scores) <= 0).all()
    sure = found.select(found.scores >= ACCEPT)
    for box, score in zip(sure.boxes, sure.scores, strict=True):
        rows = np.flatnonzero((both.boxes == box).all(axis=1))
        assert both.scores[rows].max() >= score
    extra = more.select(more.scores >= ACCEPT)
    kept = both.boxes[both.scores >= ACCEPT]
    for box in extra.boxes:  # each is there, or a face of the first look in its place
        assert same_face(np.concatenate([box[None], kept]))[0, 1:].any()


def test_a_better_look_gives_landmarks_and_score_but_no_box():
    both = add(detected([[10, 10, 20, 20, 0.6]]), detected([[12, 9, 24, 20, 0.9]]), ACCEPT)
    assert both.boxes.tolist() == [[10, 10, 30, 30]]
    assert both.scores.tolist() == both.landmarks[:, 0, 0].tolist() == [np.float32(0.9)]


def test_a_face_in_front_of_another_displaces_it_no_more():
    """Their boxes overlap by more than doubles of one look may: both people stay."""
    behind, front = [10, 10, 40, 50, 0.55], [30, 10, 40, 50, 0.95]
    both = add(detected([behind]), detected([front]), ACCEPT)
    assert len(both) == 2


def test_a_look_without_faces_changes_nothing():
    found = detected([[10, 10, 20, 20, 0.6], [50, 50, 20, 20, 0.3]])
    assert add(found, detected([]), ACCEPT) is found
    assert add(detected([]), found, ACCEPT).boxes.tolist() == found.boxes.tolist()


class Fixed:
    """A detector that answers what it was told."""

    name = "fixed"

    def __init__(self, found, accept_score):
        self.found, self.accept_score = found, accept_score

    def detect_in(self, pyramid):
        return self.found


def test_scores_of_looks_are_brought_to_the_scale_of_the_first():
    base = Fixed(detected([[10, 10, 20, 20, 0.6]]), 0.5)
    look = Fixed(detected([[60, 60, 20, 20, 0.75], [10, 60, 20, 20, 0.7]]), 0.7)
    found = AddedLooks(base, [look]).detect(np.zeros((100, 100, 3), np.uint8))
    assert found.scores.tolist() == pytest.approx([0.6, 0.5833, 0.5], abs=1e-3)


@pytest.mark.parametrize("change", ["as it is", "turned", "small", "noisy"])
def test_no_profile_accepts_fewer_faces_than_one_that_looks_less(people, change):
    picture, _ = people
    if change == "turned":
        picture = np.ascontiguousarray(np.rot90(picture))
    elif change == "small":
        picture = cv2.resize(picture, None, fx=0.3, fy=0.3, interpolation=cv2.INTER_AREA)
    elif change == "noisy":
        noise = np.random.default_rng(0).normal(0, 40, picture.shape)
        picture = (picture + noise).clip(0, 255).astype(np.uint8)
    before = np.zeros((0, 4), np.float32)
    for profile in PROFILES:
        found = build_analyzer(AnalyzerOptions(profile=profile, recognizer="none")).detector.detect(
            picture
        )
        accepted = found.boxes[found.scores >= ACCEPT]
        for box in before:
            assert same_face(np.concatenate([box[None], accepted]))[0, 1:].any()
        before = accepted
