"""A selection limited in time never shows anybody outside its ranges, to the frame."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faceveil.analysis import Analysis, SourceInfo
from faceveil.assure.coverage import check_coverage
from faceveil.decisions import Decision
from faceveil.errors import UsageError
from faceveil.faces import DetectionLog, FaceSequence
from faceveil.frame_range import FrameRange
from faceveil.identity.limit import limit
from faceveil.identity.select import Selection
from faceveil.veils.plan import VeilPlan
from faceveil.veils.styles import VeilStyle

BOX = np.array([10, 10, 50, 50], np.float32)


def sequence(frames):
    frames = np.array(sorted(frames), np.int32)
    samples = frames[::3]
    return FaceSequence(
        frames=frames,
        boxes=np.tile(BOX, (len(frames), 1)),
        scores=np.ones(len(frames), np.float32),
        provenance=np.zeros(len(frames), np.uint8),
        feature_frames=samples,
        feature_quality=np.ones(len(samples), np.float32),
        features=np.arange(len(samples) * 4, dtype=np.float32).reshape(-1, 4),
    )


def analysis_of(sequences, decisions, detections=None):
    if detections is None:
        rows = [(frame, i) for i, item in enumerate(sequences) for frame in item.frames.tolist()]
        frames, owner = np.array(rows, np.int32).reshape(-1, 2).T
        detections = DetectionLog(frames, np.tile(BOX, (len(frames), 1)), owner)
    return Analysis(
        source=SourceInfo("clip", "folder", f"sha256:{'0' * 64}", 100, 100, 100, None),
        models=None,
        parameters={},
        shot_starts=np.zeros(1, np.int32),
        unknown_frames=np.zeros(0, np.int32),
        sequences=sequences,
        identities=np.arange(len(sequences), dtype=np.int32),
        decisions=decisions,
        detections=detections,
    )


KEEP, VEIL = Decision(False, "kept"), Decision(True, "veiled")
frame_sets = st.sets(st.integers(0, 99), min_size=1)
ranges = st.tuples(st.integers(0, 99), st.integers(1, 30)).map(lambda r: FrameRange(r[0], sum(r)))


@given(
    st.lists(st.tuples(frame_sets, st.booleans()), min_size=1, max_size=5),
    st.lists(ranges, min_size=1, max_size=3),
)
def test_who_is_seen_is_kept_and_within_a_range(people, times):
    sequences = [sequence(frames) for frames, _ in people]
    decisions = [KEEP if keep else VEIL for _, keep in people]
    limited = limit(analysis_of(sequences, decisions), times)
    visible = {
        (int(identity), frame)
        for item, identity, decision in zip(
            limited.sequences, limited.identities, limited.decisions, strict=True
        )
        for frame in item.frames.tolist()
        if not decision.veil
    }
    inside = {frame for item in times for frame in range(item.first, item.end)}
    assert visible == {
        (index, frame)
        for index, (frames, keep) in enumerate(people)
        for frame in frames
        if keep and frame in inside
    }
    # nothing is lost: all boxes, features and detections are still there
    assert sum(map(len, limited.sequences)) == sum(map(len, sequences))
    features = [item.features for item in limited.sequences]
    assert np.array_equal(
        np.concatenate(features), np.concatenate([item.features for item in sequences])
    )
    for item in limited.sequences:
        assert np.isin(item.feature_frames, item.frames).all()
    plan = VeilPlan.build(limited.sequences, limited.veiled, secret="x")
    coverage = check_coverage(
        limited.detections, plan, limited.veiled, VeilStyle(), width=100, height=100
    )
    outside = sum(frame not in inside for frames, _ in people for frame in frames)
    veiled_inside = sum(f in inside for frames, keep in people if not keep for f in frames)
    assert coverage.checked == outside + veiled_inside
    assert len(coverage.frames) == 0


def test_a_detection_in_a_gap_outside_the_range_must_be_veiled():
    # nobody follows the face on frame 18, outside the range, so it would show: the check says so
    log = DetectionLog(np.array([18], np.int32), BOX[None], np.array([0], np.int32))
    kept = analysis_of([sequence([*range(10), *range(20, 30)])], [KEEP], log)
    limited = limit(kept, [FrameRange(0, 15)])
    assert [decision.veil for decision in limited.decisions] == [False, True]
    plan = VeilPlan.build(limited.sequences, limited.veiled, secret="x")
    breach = check_coverage(
        limited.detections, plan, limited.veiled, VeilStyle(), width=100, height=100
    )
    assert breach.frames.tolist() == [18]


def test_without_ranges_nothing_changes_and_reasons_say_what_changed():
    kept = analysis_of([sequence(range(10))], [KEEP])
    assert limit(kept, ()) is kept
    limited = limit(kept, [FrameRange(5, 100)])
    assert [decision.reason for decision in limited.decisions] == [
        "outside the times of the selection, where everyone is veiled",
        "kept",
    ]


def test_seconds_are_the_frames_shown_in_them():
    ntsc = Fraction(30000, 1001)
    assert FrameRange.of_seconds(0, 1, Fraction(25)) == FrameRange(0, 25)
    # 0.04 s is when frame 1 begins, whatever the float says
    assert FrameRange.of_seconds(0.04, 0.08, Fraction(25)) == FrameRange(1, 2)
    assert FrameRange.of_seconds(10, 20.5, ntsc) == FrameRange(300, 615)


@pytest.mark.parametrize("bounds", [(5, 5), (9, 5), (-1, 5), (0, 2**31)])
def test_an_empty_range_is_refused(bounds):
    with pytest.raises(UsageError, match="empty or out of bounds"):
        FrameRange(*bounds)


def test_everyone_at_some_times_is_refused():
    with pytest.raises(UsageError, match="takes no times"):
        Selection(mode="all", times=(FrameRange(0, 5),))
    assert Selection(mode="none", times=(FrameRange(0, 5),)).times
