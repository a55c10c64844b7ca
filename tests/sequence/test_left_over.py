"""What a detector saw with a low score is carried on, unless a sequence covers it."""

import numpy as np

from faceveil import finding
from faceveil.faces import FrameFaces, Models
from faceveil.leftovers import Leftovers
from faceveil.sequence.options import SequenceOptions
from faceveil.shots.transitions import Shots

MODELS = Models("made", "made", "sha256:" + "a" * 64, 0.5)
FACE, OTHER = (100, 100, 140, 150), (400, 100, 440, 150)


class OneShot(Shots):
    """A video without a cut."""

    def push(self, thumbnail):
        return [False]

    def finish(self):
        return []


def found(scores_of, frames=60):
    """What is found where each frame shows these boxes with these scores."""

    def faces(frame):
        seen = scores_of(frame)
        boxes = np.float32([box for box, _ in seen]).reshape(-1, 4)
        scores = np.float32([score for _, score in seen])
        marks = np.zeros((len(seen), 5, 2), np.float32)
        features = np.zeros((len(seen), 0), np.float32)
        return FrameFaces(640, 360, MODELS, boxes, scores, marks, features)

    every = ((frame, faces(frame)) for frame in range(frames))
    return finding.follow(every, SequenceOptions(), size=(640, 360), shots=OneShot())


def test_a_low_score_on_no_sequence_is_left_over():
    result = found(lambda frame: [(FACE, 0.9)] + ([(OTHER, 0.3)] if frame % 2 else []))
    assert result.leftovers.frames.tolist() == list(range(1, 60, 2))
    np.testing.assert_array_equal(result.leftovers.boxes, [OTHER] * 30)
    np.testing.assert_array_equal(result.leftovers.scores, np.full(30, 0.3, np.float32))


def test_a_low_score_that_continues_a_face_is_not_left_over():
    assert len(found(lambda frame: [(FACE, 0.9 if frame % 3 else 0.3)]).leftovers) == 0


def test_low_scores_beyond_what_a_sequence_has_earned_are_left_over():
    """They continued it while it was followed, and would be forgotten where it was cut off."""
    result = found(lambda frame: [(FACE, 0.95 if frame < 5 else 0.22)], frames=200)
    last = max(sequence.last for sequence in result.sequences)
    assert 5 < last < 150
    assert set(range(last + 1, 200)) == set(result.leftovers.frames.tolist())


def test_of_too_many_the_clearest_are_kept_in_order():
    scores = np.float32([0.2, 0.4, 0.3, 0.45, 0.25])
    some = Leftovers(np.arange(5, dtype=np.int32), np.zeros((5, 4), np.float32), scores)
    assert some.strongest(3).frames.tolist() == [1, 2, 3]
