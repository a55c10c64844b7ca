"""The plan holds every box of the veiled sequences, frame by frame, and nothing else."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faceveil.faces import FaceSequence, Provenance
from faceveil.veils.plan import VeilPlan


def sequence(first, length, left=0.0):
    frames = np.arange(first, first + length, dtype=np.int32)
    boxes = np.tile(np.array([left, 0, left + 10, 10], np.float32), (length, 1))
    boxes[:, 1] = frames
    provenance = np.full(length, Provenance.INTERPOLATED, np.uint8)
    return FaceSequence(frames, boxes, np.ones(length, np.float32), provenance)


spans = st.lists(st.tuples(st.integers(0, 40), st.integers(1, 20), st.booleans()), max_size=8)


@given(spans)
def test_a_frame_has_the_boxes_its_veiled_sequences_have_there(given_spans):
    sequences = [
        sequence(first, length, 20.0 * i) for i, (first, length, _) in enumerate(given_spans)
    ]
    veiled = np.array([veil for _, _, veil in given_spans], bool)
    plan = VeilPlan.build(sequences, veiled, secret="x")
    for frame in range(62):
        planned = plan.at(frame)
        expected = [
            (index, item.box_at(frame))
            for index, item in enumerate(sequences)
            if veiled[index] and item.box_at(frame) is not None
        ]
        assert planned.sequence.tolist() == [index for index, _ in expected]
        assert len(planned) == len(planned.seeds) == len(planned.provenance) == len(expected)
        for box, (_, wanted) in zip(planned.boxes, expected, strict=True):
            np.testing.assert_array_equal(box, wanted)


def test_noise_is_the_same_on_every_run_and_unknown_without_the_secret():
    sequences = [sequence(0, 3), sequence(1, 3)]
    veiled = np.ones(2, bool)
    one, again, other = (
        VeilPlan.build(sequences, veiled, secret=secret) for secret in ("a", "a", "b")
    )
    np.testing.assert_array_equal(one.seeds, again.seeds)
    assert one.whole_seed == again.whole_seed
    seeds = {*one.seeds.tolist(), *other.seeds.tolist(), one.whole_seed, other.whole_seed}
    assert len(seeds) == 6 and min(seeds) >= 0
    np.testing.assert_array_equal(one.at(0).seeds, one.at(1).seeds[:1])


def test_unknown_frames_that_no_sequence_spans_are_veiled_whole():
    sequences = [sequence(2, 3), sequence(10, 2)]
    unknown = np.array([11, 5, 3, 7], np.int32)
    plan = VeilPlan.build(sequences, np.array([True, False]), secret="", unknown_frames=unknown)
    assert [frame for frame in range(20) if plan.whole(frame)] == [5, 7]
    assert not VeilPlan.build(sequences, np.ones(2, bool), secret="").whole(5)


@pytest.mark.parametrize("provenance", [Provenance.MANUAL, Provenance.TRACKED])
def test_a_drawn_face_does_not_lift_the_veil_of_an_unknown_frame(provenance):
    """A person saw one face that was missed; the detections of the frame are still missing."""
    drawn = sequence(4, 4)
    drawn = replace(drawn, provenance=np.full(len(drawn), provenance, np.uint8))
    unknown = np.array([5], np.int32)
    plan = VeilPlan.build([drawn], np.array([True]), secret="", unknown_frames=unknown)
    assert plan.whole(5)
    found = VeilPlan.build([sequence(4, 4)], np.array([True]), secret="", unknown_frames=unknown)
    assert not found.whole(5)
