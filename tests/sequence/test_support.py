"""A sequence is followed as far as its detections have earned, and no detection shortens that."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faceveil.faces import Provenance
from faceveil.sequence.finish import finish_sequences
from faceveil.sequence.options import SequenceOptions
from faceveil.sequence.support import FRAMES_EACH, reach, within
from testkit.synthetic_people import HEIGHT, WIDTH, Face, build, sequence, still_box

FRAMES = 100


def seen(frames, scores, low=()):
    one = sequence(frames, still_box(len(frames)))
    one.scores[:] = scores
    one.provenance[list(low)] = Provenance.LOW_SCORE
    return one


def beyond(one, analysed=None):
    """How many frames a sequence may be followed before its first and after its last box."""
    first, last = reach(one, None if analysed is None else np.cumsum(analysed, dtype=np.int64))
    return one.first - first, last - one.last


def finish(faces_at, **more):
    built = build(FRAMES, faces_at)
    return finish_sequences(built, SequenceOptions(), FRAMES, WIDTH, HEIGHT, **more)


def follow_all(sequences, shot_starts, reaches):
    """Following by pixels that never loses what it follows, not even a vase."""
    followed = []
    for one, (first, last) in zip(sequences, reaches.tolist(), strict=True):
        span = np.arange(max(first, 0), min(last, FRAMES - 1) + 1)
        more = np.setdiff1d(span, one.frames).astype(np.int32)
        near = one.boxes[np.abs(one.frames[None] - more[:, None]).argmin(axis=1)]
        followed.append(one.with_boxes(more, near, Provenance.EXTENDED))
    return followed


def veiled_frames(sequences):
    return len(np.unique(np.concatenate([one.frames for one in sequences])))


def test_each_clear_detection_earns_what_the_extension_adds():
    assert beyond(seen([30], 0.9)) == (FRAMES_EACH, FRAMES_EACH)
    assert beyond(seen([30, 31, 32], 0.9)) == (3 * FRAMES_EACH, 3 * FRAMES_EACH)


@pytest.mark.parametrize(
    ("frames", "scores"), [([30], 0.65), ([30, 34], 0.6), ([3, 7, 12, 20], 0.52)]
)
def test_few_unclear_detections_earn_nothing(frames, scores):
    assert beyond(seen(frames, scores)) == (0, 0)


def test_many_unclear_detections_in_all_frames_are_a_small_face():
    assert min(beyond(seen(range(30, 75), 0.6))) >= 50


def test_the_frames_without_a_detection_count_against_a_sequence():
    dense = beyond(seen(range(30, 40), 0.7))[1]
    sparse = beyond(seen(range(30, 60, 3), 0.7))[1]
    assert sparse < dense / 2


def test_frames_that_were_not_analysed_do_not_count():
    analysed = np.zeros(FRAMES, bool)
    analysed[::3] = True
    assert beyond(seen(range(30, 60, 3), 0.7), analysed) == beyond(seen(range(30, 40), 0.7))


@pytest.mark.parametrize(
    ("frames", "score", "most"),
    [
        (range(40, 62, 2), 0.61, 45),  # a vase, detected 11 times
        ((20, 50, 80), 0.61, 3),  # a glass, 3 times
        (range(5, 95, 20), 0.65, 5),  # a hand, now and then
    ],
)
def test_false_veils_last_little_longer_than_their_detections(frames, score, most):
    """With following that never fails these lasted for all 100 frames."""
    frames = set(frames)
    sequences, log = finish(
        lambda t: [Face(300, 300, score=score)] if t in frames else [], track=follow_all
    )
    assert len(frames) <= veiled_frames(sequences) <= most
    assert len(log) == len(frames)  # what was accepted stays veiled
    for frame, box, index in zip(log.frames, log.boxes, log.sequence, strict=True):
        held = sequences[index].box_at(int(frame))
        assert np.all(held[:2] <= box[:2]) and np.all(held[2:] >= box[2:])


def test_a_face_that_was_clear_for_long_is_followed_to_the_end():
    sequences, _ = finish(lambda t: [Face(300, 300)] if t < 25 else [], track=follow_all)
    assert veiled_frames(sequences) == FRAMES


def test_steady_low_scores_lead_up_to_a_sequence_and_follow_it():
    """They may be a face that is seen badly; single low scores far off are not."""

    def faces(t):
        if 40 <= t < 44:
            return [Face(300, 300, score=0.62)]
        if 20 <= t < 70:
            return [Face(300, 300, score=0.4)]
        return [Face(300, 300, score=0.25)] if t in (8, 80) else []

    (only,), _ = finish(faces)
    assert 10 <= only.first <= 20 and 69 <= only.last <= 79


def test_low_scores_lead_up_to_one_sequence_of_their_own_shot():
    def faces(t):
        score = 0.4 if t < 40 else 0.9
        return [Face(300, 300, score=score), Face(900, 300, score=score)]

    built = build(FRAMES, faces, {30})
    sequences, _ = finish_sequences(built, SequenceOptions(extension=0), FRAMES, WIDTH, HEIGHT)
    assert [one.first for one in sequences] == [30, 30]
    assert abs(sequences[0].boxes[0, 0] - sequences[1].boxes[0, 0]) > 300


def test_boxes_outside_are_left_out():
    one = seen([3, 5, 9], 0.9)
    assert within(one, 4, 9).frames.tolist() == [5, 9]
    assert within(one, 0, 99) is one


@settings(deadline=None, max_examples=200)
@given(
    st.dictionaries(st.integers(0, 90), st.floats(0.2, 1), min_size=1, max_size=40),
    st.dictionaries(st.integers(0, 90), st.floats(0.2, 1), max_size=10),
)
def test_more_detections_never_shorten_the_reach(before, more):
    """Whoever looks longer, or detects more, must never veil less."""

    def reached(detected):
        frames = sorted(detected)
        scores = [detected[frame] for frame in frames]
        low = [row for row, score in enumerate(scores) if score < 0.5]
        return reach(seen(frames, scores, low))

    after = {
        frame: max(before.get(frame, 0), more.get(frame, 0))
        for frame in before.keys() | more.keys()
    }
    (first, last), (first_after, last_after) = reached(before), reached(after)
    accepted = [frame for frame, score in before.items() if score >= 0.5]
    if accepted:
        assert first_after <= first and last_after >= last
