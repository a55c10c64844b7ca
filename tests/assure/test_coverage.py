"""The check finds every detection that a veil does not hold, and none that one does."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faceveil.assure.coverage import check_coverage
from faceveil.errors import CoverageError
from faceveil.faces import DetectionLog, FaceSequence
from faceveil.veils.plan import VeilPlan
from faceveil.veils.styles import STYLE_NAMES, VeilStyle

WIDTH, HEIGHT = 640, 360
LENGTH = 40


def people(count=3, length=LENGTH):
    """Sequences of people who walk, and the log of their detections."""
    frames = np.arange(length, dtype=np.int32)
    sequences = []
    for person in range(count):
        boxes = np.array([[40, 60, 100, 140]], np.float32) + 150 * person * np.array([1, 0, 1, 0])
        boxes = boxes + frames[:, None] * np.array([2, 1, 2, 1])
        ones = np.ones(length, np.float32)
        sequences.append(
            FaceSequence(frames, boxes.astype(np.float32), ones, np.zeros(length, np.uint8))
        )
    log = DetectionLog(
        frames=np.tile(frames, count),
        boxes=np.concatenate([item.boxes for item in sequences]),
        sequence=np.repeat(np.arange(count, dtype=np.int32), length),
    )
    return sequences, log


def check(log, sequences, veiled, style=None, unknown=None):
    veiled = np.array(veiled)
    plan = VeilPlan.build(sequences, veiled, secret="", unknown_frames=unknown)
    style = style or VeilStyle()
    return check_coverage(log, plan, veiled, style, width=WIDTH, height=HEIGHT)


def with_boxes(sequence, boxes):
    return FaceSequence(sequence.frames, boxes, sequence.scores, sequence.provenance)


@pytest.mark.parametrize("name", STYLE_NAMES)
def test_veils_on_the_detections_themselves_cover_them(name):
    sequences, log = people()
    coverage = check(log, sequences, [True, True, False], VeilStyle(name, margin=0, head=0))
    assert coverage.checked == 2 * LENGTH
    assert len(coverage.frames) == 0
    coverage.require()


@pytest.mark.parametrize("name", STYLE_NAMES)
@given(
    frame=st.integers(0, LENGTH - 1),
    shrink=st.floats(0.05, 0.9),
    person=st.integers(0, 2),
)
def test_one_shrunk_box_is_found_by_frame(name, frame, shrink, person):
    """Without a margin any smaller veil shows a part of the face, but for those with own room."""
    sequences, log = people()
    boxes = sequences[person].boxes.copy()
    centre = (boxes[frame, :2] + boxes[frame, 2:]) / 2
    boxes[frame] = np.tile(centre, 2) + shrink * (boxes[frame] - np.tile(centre, 2))
    sequences[person] = with_boxes(sequences[person], boxes)
    style = VeilStyle(name, margin=0, head=0)
    coverage = check(log, sequences, [True] * 3, style)
    if shrink < {"round": 0.9, "head": 0.75}.get(name, 1):
        assert coverage.frames.tolist() == [frame]
        np.testing.assert_array_equal(coverage.boxes[0], log.boxes[person * LENGTH + frame])


def test_a_removed_box_is_an_error_that_names_frame_and_place():
    sequences, log = people()
    keep = np.arange(LENGTH) != 17
    first = sequences[0]
    sequences[0] = FaceSequence(
        first.frames[keep], first.boxes[keep], first.scores[keep], first.provenance[keep]
    )
    coverage = check(log, sequences, [True, True, True])
    assert coverage.frames.tolist() == [17]
    with pytest.raises(CoverageError, match=r"1 of 120 .*frame 17 at \(74, 77\)-\(134, 157\)"):
        coverage.require()


def test_many_breaches_are_counted_and_the_first_named():
    sequences, log = people()
    sequences[1] = with_boxes(sequences[1], sequences[1].boxes - 200)
    with pytest.raises(CoverageError, match=r"40 of 120 .*frame 0 .*frame 4 .*and 35 more"):
        check(log, sequences, [True, True, True]).require()


def test_a_detection_no_sequence_took_must_be_veiled_all_the_same():
    sequences, log = people()
    log.sequence[:LENGTH] = -1
    assert check(log, sequences, [True, False, False]).checked == LENGTH
    assert len(check(log, sequences, [True, False, False]).frames) == 0
    assert check(log, sequences, [False, True, True]).frames.tolist() == list(range(LENGTH))


def test_a_veil_of_another_frame_does_not_count():
    sequences, log = people(1)
    late = sequences[0].frames + 1
    boxes = np.tile(np.array([0, 0, WIDTH, HEIGHT], np.float32), (LENGTH, 1))
    scores, provenance = sequences[0].scores, sequences[0].provenance
    sequences[0] = FaceSequence(late, boxes, scores, provenance)
    assert check(log, sequences, [True]).frames.tolist() == [0]


def test_only_what_lies_in_the_frame_needs_a_veil():
    sequences, log = people(1, 1)
    sequences[0] = with_boxes(sequences[0], np.array([[0, 0, 40, 50]], np.float32))
    log.boxes[:] = [-60, -80, 40, 50]
    assert len(check(log, sequences, [True], VeilStyle("square", margin=0, head=0)).frames) == 0
    log.boxes[:] = [WIDTH + 5, 10, WIDTH + 50, 70]
    assert len(check(log, sequences, [True]).frames) == 0


def test_a_frame_veiled_whole_covers_every_face():
    sequences, log = people(1)
    log.frames[5] = 100
    assert check(log, sequences, [True]).frames.tolist() == [100]
    unknown = np.array([100], np.int32)
    assert len(check(log, sequences, [True], unknown=unknown).frames) == 0


def test_upper_must_cover_the_upper_part_only():
    sequences, log = people(1, 1)
    style = VeilStyle("upper")
    x1, y1, x2, y2 = log.boxes[0]
    lower_end = np.array([[x1, y1, x2, y2 - 0.1 * (y2 - y1)]], np.float32)
    assert len(check(log, [with_boxes(sequences[0], lower_end)], [True], style).frames) == 0
    half = np.array([[x1, y1, x2, y2 - 0.3 * (y2 - y1)]], np.float32)
    assert len(check(log, [with_boxes(sequences[0], half)], [True], style).frames) == 1


def test_frames_of_different_sizes():
    sequences, log = people(1, 2)
    veiled = np.array([True])
    plan = VeilPlan.build(sequences, veiled, secret="")
    log.boxes[:] = [500, 10, 600, 100]
    widths, heights = np.array([400, 640], np.int32), np.array([300, 360], np.int32)
    coverage = check_coverage(log, plan, veiled, VeilStyle(), width=widths, height=heights)
    assert coverage.frames.tolist() == [1]


def test_hours_of_video_are_checked_in_chunks():
    sequences, log = people(3, 30_000)
    for person, item in enumerate(sequences):
        item.boxes[:] = item.boxes[0]
        log.boxes[person * 30_000 :] = item.boxes[0]
    sequences[2].boxes[29_999] -= 100
    assert check(log, sequences, [True] * 3).frames.tolist() == [29_999]
