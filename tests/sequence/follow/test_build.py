"""Faces are followed by who they are, and every accepted detection is accounted for."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faceveil.errors import InputError
from faceveil.faces import MAX_FEATURE_SAMPLES, FrameError, FrameFaces, Provenance
from faceveil.sequence.follow.build import SequenceBuilder
from faceveil.sequence.follow.feature_samples import FeatureSamples
from faceveil.sequence.options import THESIS, SequenceOptions
from testkit.synthetic_people import FEATURE_SIZE, Face, build, frame_faces


def people_of(sequence):
    """Whose features a sequence holds."""
    return set(sequence.features.argmax(axis=1).tolist())


def test_people_who_cross_keep_their_sequences():
    def faces(t):
        return [Face(200 + 8 * t, 300, person=1), Face(1000 - 8 * t, 310, person=2)]

    built = build(100, faces)
    assert len(built.sequences) == 2
    assert [people_of(s) for s in built.sequences] == [{1}, {2}]
    assert all(len(s) == 100 for s in built.sequences)


def test_people_without_features_cross_by_their_motion():
    def faces(t):
        return [Face(200 + 8 * t, 300), Face(1000 - 8 * t, 340)]

    built = build(100, faces)
    assert len(built.sequences) == 2
    assert built.sequences[0].boxes[-1, 0] > 900


def test_a_face_hidden_while_crossing_is_not_given_to_the_other():
    def faces(t):
        hidden = 44 <= t <= 56
        back = [] if hidden else [Face(200 + 8 * t, 300, person=1)]
        return [*back, Face(1000 - 8 * t, 305, person=2)]

    built = build(100, faces, options=SequenceOptions(max_gap=20))
    assert [people_of(s) for s in built.sequences] == [{1}, {2}]
    assert len(built.sequences[0]) == 87


def test_another_person_at_the_same_place_starts_a_sequence():
    built = build(40, lambda t: [Face(300, 300, person=1 if t < 20 else 2)])
    assert [people_of(s) for s in built.sequences] == [{1}, {2}]
    assert built.sequences[0].last == 19


def test_people_who_swap_places_at_once_are_told_apart():
    def faces(t):
        left, right = (1, 2) if t < 20 else (2, 1)
        return [Face(300, 300, person=left), Face(360, 300, person=right)]

    assert all(len(people_of(s)) == 1 for s in build(40, faces).sequences)


def test_no_sequence_crosses_a_cut():
    built = build(40, lambda t: [Face(300, 300, person=1)], cuts=[20])
    assert [(s.first, s.last, s.shot) for s in built.sequences] == [(0, 19, 0), (20, 39, 1)]
    assert built.shot_starts.tolist() == [0, 20]


def test_a_flickering_detector_leaves_one_sequence():
    built = build(90, lambda t: [] if t % 3 else [Face(300 + 3 * t, 300, person=1)])
    assert len(built.sequences) == 1
    assert built.sequences[0].frames.tolist() == list(range(0, 90, 3))


def test_a_gap_longer_than_allowed_ends_a_sequence():
    options = SequenceOptions(max_gap=5)
    built = build(30, lambda t: [Face(300, 300)] if t < 10 or t >= 16 else [], options=options)
    assert [(s.first, s.last) for s in built.sequences] == [(0, 9), (16, 29)]


def test_fast_motion_is_followed():
    built = build(30, lambda t: [Face(100 + 40 * t, 200, size=50, person=1)])
    assert len(built.sequences) == 1


def test_low_scores_continue_a_sequence_but_start_none():
    def faces(t):
        return [Face(300 + t, 300, score=0.9 if t < 10 else 0.3), Face(900, 300, score=0.4)]

    built = build(30, faces)
    assert len(built.sequences) == 1
    assert len(built.detections) == 10
    provenance = built.sequences[0].provenance
    assert (provenance[:10] == Provenance.DETECTED).all()
    assert (provenance[10:] == Provenance.LOW_SCORE).all()
    assert built.sequences[0].last == 29


def test_scores_below_the_least_are_ignored():
    built = build(20, lambda t: [Face(300, 300, score=0.9 if t < 10 else 0.1)])
    assert built.sequences[0].last == 9


def test_an_accepted_detection_is_preferred_to_a_low_score():
    def faces(t):
        return [Face(300, 300), Face(310, 300, score=0.3)]

    built = build(10, faces)
    assert np.allclose(built.sequences[0].boxes, Face(300, 300).box)


def test_a_hidden_face_does_not_take_a_low_score_double_of_the_one_before_it():
    def faces(t):
        behind = [] if t >= 10 else [Face(330, 300, person=1)]
        double = [Face(305, 300, score=0.3)] if t >= 10 else []
        return [*behind, Face(300, 300, person=2), *double]

    assert build(15, faces).sequences[0].last == 9


def test_two_boxes_of_one_face_are_one_sequence_around_both():
    built = build(10, lambda t: [Face(300, 300, person=1), Face(308, 300)])
    assert len(built.sequences) == 1
    assert len(built.detections) == 20
    assert np.allclose(built.sequences[0].boxes[0], [270, 270, 338, 330])


def test_overlapping_faces_of_two_people_stay_two():
    built = build(10, lambda t: [Face(300, 300, person=1), Face(308, 300, person=2)])
    assert len(built.sequences) == 2


def test_features_are_sampled_over_time_and_by_quality():
    def faces(t):
        return [Face(300, 300, size=60 if t % 10 else 90, person=1)]

    sequence = build(1000, faces).sequences[0]
    assert len(sequence.features) <= MAX_FEATURE_SAMPLES
    assert sequence.feature_frames[0] < 50
    assert sequence.feature_frames[-1] > 950
    assert np.diff(sequence.feature_frames).max() < 100
    assert (sequence.feature_quality[:-1] > 80).all()  # the last stretch may be a short one


@given(st.integers(1, 3000), st.integers(0, 50))
def test_samples_never_exceed_their_number_and_keep_the_best(count, best):
    samples = FeatureSamples(7)
    best = min(best, count - 1)
    for i in range(count):
        samples.offer(7 + i, 2.0 if i == best else 1.0, np.full(3, i, np.float32))
    frames, quality, features = samples.columns(3)
    assert len(frames) == len(quality) == len(features) <= MAX_FEATURE_SAMPLES
    assert 7 + best in frames
    assert (np.diff(frames) > 0).all()


def test_unreadable_frames_let_time_pass():
    builder = SequenceBuilder()
    broken = FrameFaces(0, 0, error=FrameError("decode", "broken"))
    for t in range(20):
        faces = broken if t in (0, 8, 9) else frame_faces([Face(300 + 5 * t, 300, person=1)])
        builder.push(t, faces, False)
    built = builder.finish()
    assert len(built.sequences) == 1
    assert len(built.sequences[0]) == 17


def test_a_video_without_faces_gives_nothing():
    built = build(5, lambda t: [])
    assert (built.sequences, len(built.detections)) == ([], 0)


def test_frames_out_of_order_are_refused():
    builder = SequenceBuilder()
    builder.push(3, frame_faces([]), False)
    with pytest.raises(InputError, match="in order"):
        builder.push(3, frame_faces([]), False)


def test_features_of_two_recognisers_are_refused():
    builder = SequenceBuilder()
    builder.push(0, frame_faces([Face(300, 300, person=1)]), False)
    faces = frame_faces([Face(300, 300, person=1)])
    other = FrameFaces(
        faces.width,
        faces.height,
        faces.models,
        faces.boxes,
        faces.scores,
        faces.landmarks,
        np.ones((1, FEATURE_SIZE + 1), np.float32),
    )
    with pytest.raises(InputError, match="recognisers"):
        builder.push(1, other, False)


def test_features_that_come_late_are_used():
    builder = SequenceBuilder()
    for t in range(10):
        faces = frame_faces([Face(300, 300, person=1)])
        if t < 5:
            faces = FrameFaces(
                faces.width,
                faces.height,
                faces.models,
                faces.boxes,
                faces.scores,
                faces.landmarks,
                np.zeros((1, 0), np.float32),
            )
        builder.push(t, faces, False)
    (sequence,) = builder.finish().sequences
    assert sequence.feature_frames.min() >= 5


faces_of_a_frame = st.lists(
    st.builds(
        Face,
        x=st.integers(0, 400).map(float),
        y=st.integers(0, 300).map(float),
        size=st.sampled_from([20.0, 40.0, 60.0]),
        person=st.one_of(st.none(), st.integers(1, 4)),
        score=st.sampled_from([0.1, 0.3, 0.7, 0.9]),
    ),
    max_size=5,
)


@settings(max_examples=60, deadline=None)
@given(st.lists(faces_of_a_frame, max_size=12), st.sets(st.integers(0, 11)), st.booleans())
def test_every_accepted_detection_is_in_one_sequence(video, cuts, thesis):
    built = build(len(video), lambda t: video[t], cuts, THESIS if thesis else None)
    accepted = [
        (t, face.box) for t, faces in enumerate(video) for face in faces if face.score > 0.6
    ]
    assert built.detections.frames.tolist() == [t for t, _ in accepted]
    assert np.array_equal(
        built.detections.boxes, np.array([box for _, box in accepted], np.float32).reshape(-1, 4)
    )
    log = built.detections
    for frame, box, index in zip(log.frames, log.boxes, log.sequence, strict=True):
        cover = built.sequences[index].box_at(int(frame))
        assert cover is not None
        assert (cover[:2] <= box[:2]).all()
        assert (cover[2:] >= box[2:]).all()
    starts = built.shot_starts
    for sequence in built.sequences:
        assert (np.diff(sequence.frames) > 0).all()
        assert np.searchsorted(starts, sequence.first, "right") - 1 == sequence.shot
        assert np.searchsorted(starts, sequence.last, "right") - 1 == sequence.shot
        assert sequence.provenance[0] == Provenance.DETECTED


@settings(max_examples=40, deadline=None)
@given(st.permutations(range(4)))
def test_the_order_of_faces_in_a_frame_changes_nothing(order):
    def faces(t):
        return [Face(150 + 130 * k + 6 * t * (-1) ** k, 300, person=k) for k in range(4)]

    def shuffled(t):
        return [faces(t)[k] for k in order] if t % 2 else faces(t)

    def boxes(built):
        return sorted(s.boxes.tolist() for s in built.sequences)

    assert boxes(build(40, shuffled)) == boxes(build(40, faces))
