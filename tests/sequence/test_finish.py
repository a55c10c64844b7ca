"""Detections to finished sequences: faces are covered throughout, and the log stays true."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faceveil.faces import Provenance
from faceveil.sequence.finish import finish_sequences
from faceveil.sequence.options import THESIS, SequenceOptions
from faceveil.sequence.smooth import SMOOTHERS
from testkit.synthetic_people import HEIGHT, WIDTH, Face, build

FRAMES = 120


def finished(faces_at, cuts=(), options=None, frames=FRAMES):
    options = options or SequenceOptions()
    return finish_sequences(build(frames, faces_at, cuts, options), options, frames, WIDTH, HEIGHT)


def holds(outer, inner):
    return (outer[:2] <= inner[:2]).all() and (outer[2:] >= inner[2:]).all()


def assert_covered(sequences, log):
    for frame, box, index in zip(log.frames, log.boxes, log.sequence, strict=True):
        assert holds(sequences[index].box_at(int(frame)), box)


@pytest.mark.parametrize("options", [SequenceOptions(), THESIS])
def test_a_face_that_is_missed_often_is_covered_on_every_frame(options):
    seen = np.random.default_rng(5).random(FRAMES) < 0.4
    seen[[5, FRAMES - 6]] = True
    truth = [Face(300 + 4 * t, 300 + 40 * np.sin(t / 20), person=1) for t in range(FRAMES)]
    sequences, log = finished(lambda t: [truth[t]] if seen[t] else [], options=options)
    assert len(sequences) == 1
    assert_covered(sequences, log)
    for t in range(5, FRAMES - 5):
        x1, y1, x2, y2 = sequences[0].box_at(t)
        assert abs((x1 + x2) / 2 - truth[t].x) < 6
        assert abs((y1 + y2) / 2 - truth[t].y) < 6


def test_ends_are_extended_up_to_the_cut_and_not_over_it():
    sequences, _ = finished(lambda t: [Face(300, 300)] if 30 <= t < 55 else [], cuts=[25, 60])
    (only,) = sequences
    assert (only.first, only.last) == (25, 59)
    assert only.provenance[0] == only.provenance[-1] == Provenance.EXTENDED


def test_the_last_shot_ends_with_the_video():
    sequences, _ = finished(lambda t: [Face(300, 300)])
    assert (sequences[0].first, sequences[0].last) == (0, FRAMES - 1)


def test_the_log_follows_joined_sequences():
    def faces(t):
        return [] if 40 <= t < 65 else [Face(300, 300, person=1), Face(800, 300, person=2)]

    sequences, log = finished(faces)
    assert len(sequences) == 2
    assert sorted(set(log.sequence.tolist())) == [0, 1]
    assert_covered(sequences, log)


def test_pruning_as_in_the_thesis_leaves_detections_to_nobody():
    def faces(t):
        return [Face(300, 300), *([Face(900, 300)] if t in (50, 51) else [])]

    options = SequenceOptions(min_length=10, prune_detected=True)
    sequences, log = finished(faces, options=options)
    assert len(sequences) == 1
    assert (log.sequence == -1).sum() == 2
    kept, log = finished(faces, options=SequenceOptions(min_length=10))
    assert len(kept) == 2
    assert (log.sequence >= 0).all()


def test_no_faces_no_sequences():
    sequences, log = finished(lambda t: [])
    assert sequences == []
    assert len(log) == 0


videos = st.lists(
    st.lists(
        st.builds(
            Face,
            x=st.integers(0, 500).map(float),
            y=st.integers(0, 400).map(float),
            size=st.sampled_from([20.0, 50.0, 80.0]),
            person=st.one_of(st.none(), st.integers(1, 3)),
            score=st.sampled_from([0.3, 0.9]),
        ),
        max_size=4,
    ),
    min_size=1,
    max_size=25,
)
some_options = st.builds(
    SequenceOptions,
    distance=st.sampled_from(["motion", "thesis"]),
    interpolation=st.sampled_from(["pchip", "linear", "cubic", "akima", "nearest"]),
    smoothing=st.sampled_from(["none", "rts", *SMOOTHERS]),
    max_gap=st.integers(1, 15),
    join_gap=st.integers(0, 20),
    min_length=st.integers(0, 8),
)


@settings(max_examples=80, deadline=None)
@given(videos, st.sets(st.integers(1, 24)), some_options)
def test_whatever_happens_every_detection_is_covered_in_its_shot(video, cuts, options):
    sequences, log = finished(lambda t: video[t], cuts, options, len(video))
    accepted = sum(face.score > 0.6 for faces in video for face in faces)
    assert len(log) == accepted
    assert_covered(sequences, log)
    starts = np.array(sorted({0, *(cut for cut in cuts if cut < len(video))}))
    for sequence in sequences:
        assert np.isfinite(sequence.boxes).all()
        assert sequence.frames.tolist() == list(range(sequence.first, sequence.last + 1))
        shots = np.searchsorted(starts, sequence.frames, side="right") - 1
        assert (shots == sequence.shot).all()
        assert sequence.last < len(video)
