"""The union: no face lost, none twice, and scores whose meaning survives."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from faceveil.detect.detector import Detected, rescale
from faceveil.detect.union import UnionDetector, merge


def faces(*rows):
    """Detected from rows of x, y, side, score."""
    table = np.array(rows, np.float32).reshape(-1, 4)
    boxes = np.concatenate([table[:, :2], table[:, :2] + table[:, 2:3]], axis=1)
    marks = np.repeat(boxes[:, None, :2], 5, axis=1)
    return Detected(boxes, table[:, 3], marks)


class Fixed:
    """A detector that always answers the same."""

    def __init__(self, name, accept_score, found):
        self.name, self.accept_score, self._found = name, accept_score, found

    def detect_in(self, pyramid):
        return self._found


def union(first, second):
    """MTCNN-like (accepts from 0.9) and CenterFace-like (from 0.35) over a blank picture."""
    detectors = [Fixed("one", 0.9, first), Fixed("two", 0.35, second)]
    return UnionDetector(detectors, 0.5).detect(np.zeros((200, 200, 3), np.uint8))


@given(
    arrays(np.float32, 30, elements=st.floats(0, 1, width=32)),
    st.floats(0.25, 0.95),
    st.floats(0.25, 0.95),
)
def test_rescaled_scores_keep_their_order_and_meaning(scores, accept, to):
    mapped = rescale(scores, accept, to)
    order = np.argsort(scores, kind="stable")
    assert (np.diff(mapped[order]) >= 0).all()
    assert ((mapped >= 0) & (mapped <= 1)).all()
    clear = np.abs(scores - accept) > 1e-5
    np.testing.assert_array_equal((mapped >= to)[clear], (scores >= accept)[clear])
    doubtful = np.abs(scores - 0.2) > 1e-5
    np.testing.assert_array_equal((mapped >= 0.2)[doubtful], (scores >= 0.2)[doubtful])


def test_a_face_only_one_sees_is_accepted_by_that_ones_threshold():
    found = union(
        faces((0, 0, 50, 0.91), (100, 0, 50, 0.89)), faces((0, 100, 50, 0.36), (100, 100, 50, 0.34))
    )
    accepted = found.boxes[found.scores >= 0.5]
    assert sorted(accepted[:, :2].tolist()) == [[0, 0], [0, 100]]
    assert len(found) == 4


def test_a_face_both_see_is_one_with_the_box_of_the_first_that_accepts():
    found = union(faces((0, 0, 50, 0.95)), faces((4, 4, 50, 0.99)))
    assert len(found) == 1
    assert found.boxes[0].tolist() == [0, 0, 50, 50]
    found = union(faces((0, 0, 50, 0.3)), faces((4, 4, 50, 0.99)))
    assert found.boxes[0].tolist() == [4, 4, 54, 54]
    assert found.landmarks[0, 0].tolist() == [4, 4]


def test_two_doubtful_witnesses_make_a_face():
    found = union(faces((0, 0, 50, 0.8)), faces((2, 2, 50, 0.3)))
    assert len(found) == 1
    assert found.scores[0] > 0.5


def test_one_witness_seeing_double_is_still_one_witness():
    found = union(faces((0, 0, 50, 0.6)), faces())
    twice = union(faces((0, 0, 50, 0.6), (2, 2, 50, 0.6)), faces())
    assert twice.scores.tolist() == found.scores.tolist()


def test_a_face_held_before_a_face_stays():
    found = union(faces((0, 0, 100, 0.95)), faces((30, 40, 30, 0.8)))
    assert len(found) == 2


def test_a_part_taken_for_a_face_is_not_a_second_face():
    found = union(faces((0, 0, 100, 0.95)), faces((20, 20, 60, 0.8)))
    assert len(found) == 1


def test_best_first_and_nothing_from_nothing():
    found = union(faces((0, 0, 50, 0.3), (100, 0, 50, 0.97)), faces((0, 100, 50, 0.6)))
    assert (np.diff(found.scores) <= 0).all()
    assert len(union(faces(), faces())) == 0


@given(st.data())
def test_every_box_belongs_to_a_face_no_less_certain(data):
    count = data.draw(st.integers(0, 12))
    rows = data.draw(
        arrays(np.float32, (count, 4), elements=st.floats(0.25, 0.9375, width=32))
    ) * np.array([300, 300, 80, 1], np.float32)
    found = faces(*rows)
    rank = data.draw(arrays(np.intp, count, elements=st.integers(0, 1)))
    merged = merge(found, rank, 0.5)
    for box, score in zip(found.boxes, found.scores, strict=True):
        low = np.maximum(merged.boxes[:, :2], box[:2])
        high = np.minimum(merged.boxes[:, 2:], box[2:])
        touches = (high > low).all(axis=1)
        assert (merged.scores[touches] >= score - 1e-6).any()


def test_named_after_its_parts():
    assert UnionDetector([Fixed("a", 0.5, faces()), Fixed("b", 0.5, faces())]).name == "a+b"
    assert UnionDetector([Fixed("a", 0.5, faces())]).accept_score == pytest.approx(0.5)
