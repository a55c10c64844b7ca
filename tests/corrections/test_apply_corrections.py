"""Corrections change what they say, and nothing else uncovers a detected face."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faceveil.analysis import Analysis, SourceInfo
from faceveil.assure.coverage import check_coverage
from faceveil.boxes import overlaps
from faceveil.corrections.apply import apply_corrections
from faceveil.corrections.document import Corrections
from faceveil.corrections.entries import (
    BoxAt,
    Decide,
    Draw,
    Entry,
    Extent,
    Join,
    Looked,
    Move,
    Name,
    Reference,
    Remove,
    Shape,
    Split,
    Target,
    Track,
    Undo,
)
from faceveil.decisions import Decision
from faceveil.errors import InputError
from faceveil.faces import DetectionLog, FaceSequence, Kind, Provenance
from faceveil.frame_range import FrameRange
from faceveil.identity.select import Selection
from faceveil.pipeline import decide_again
from faceveil.veils.plan import VeilPlan
from faceveil.veils.styles import VeilStyle

FRAMES, CUT = 60, 40
DIGEST = f"sha256:{'0' * 64}"
EMPTY = Corrections(DIGEST, "clip.mp4", FRAMES)
KEPT, VEILED = Decision(False, "kept", "ann"), Decision(True, "veiled")


def sequence(first, last, x, shot=0):
    frames = np.arange(first, last + 1, dtype=np.int32)
    boxes = np.tile(np.array([x, 20, x + 40, 70], np.float32), (len(frames), 1))
    boxes += (frames[:, None] - first) * np.float32(0.5)
    return FaceSequence(
        frames,
        boxes,
        np.ones(len(frames), np.float32),
        np.zeros(len(frames), np.uint8),
        shot,
        feature_frames=frames[::5],
        feature_quality=np.ones(len(frames[::5]), np.float32),
        features=np.ones((len(frames[::5]), 4), np.float32),
    )


SEQUENCES = [
    sequence(0, 39, 10.0),
    sequence(5, 30, 110.0),
    sequence(34, 39, 115.0),
    sequence(40, 59, 210.0, shot=1),
]


def analysis_of(decisions, sequences=SEQUENCES, every=1):
    rows = [(i, k) for i, item in enumerate(sequences) for k in range(0, len(item), every)]
    log = DetectionLog(
        np.array([sequences[i].frames[k] for i, k in rows], np.int32),
        np.array([sequences[i].boxes[k] for i, k in rows], np.float32).reshape(-1, 4),
        np.array([i for i, _ in rows], np.int32),
    )
    return Analysis(
        SourceInfo("clip.mp4", "video", DIGEST, 320, 180, FRAMES, "25"),
        None,
        {},
        np.array([0, CUT], np.int32),
        np.zeros(0, np.int32),
        list(sequences),
        np.arange(len(sequences), dtype=np.int32),
        list(decisions),
        log,
    )


ALL_VEILED = analysis_of([VEILED] * 4)
FIRST_KEPT = analysis_of([KEPT, VEILED, VEILED, VEILED])


def at(index, frame):
    box = SEQUENCES[index].box_at(frame)
    return BoxAt(frame, tuple(box.tolist()))


def document_of(changes):
    entries = [Entry(f"e{n + 1}", "", "ann", change, "because") for n, change in enumerate(changes)]
    return replace(EMPTY, entries=tuple(entries))


def corrected(analysis, *changes):
    return apply_corrections(analysis, document_of(changes))


def shown(analysis):
    """Frames in which each detection of an analysis stays visible, as (frame, left edge)."""
    veiled = np.append(analysis.veiled, True)[analysis.detections.sequence]
    log = analysis.detections
    edges = log.boxes[~veiled, 0]
    return set(zip(log.frames[~veiled].tolist(), edges.tolist(), strict=True))


def breaches(analysis):
    style = VeilStyle("square", margin=0, head=0)
    plan = VeilPlan.build(analysis.sequences, analysis.veiled, secret="x")
    found = check_coverage(analysis.detections, plan, analysis.veiled, style, width=320, height=180)
    return len(found.frames)


def test_a_person_is_kept_in_all_frames_and_one_sequence_in_some():
    result = corrected(ALL_VEILED, Decide(Target(identity=at(0, 9)), "keep"))
    assert result.analysis.veiled.tolist() == [False, True, True, True]
    assert result.analysis.decisions[0].reason == "kept by ann: because"
    part = corrected(ALL_VEILED, Decide(Target(sequence=at(0, 9)), "keep", 10, 19))
    assert {frame for frame, _ in shown(part.analysis)} == set(range(10, 20))
    assert breaches(part.analysis) == 0


def test_a_kept_person_is_veiled():
    result = corrected(FIRST_KEPT, Decide(Target(identity=at(0, 9)), "veil"))
    assert result.analysis.veiled.all()
    assert result.analysis.decisions[0].person == "ann"


def test_names_belong_to_identities():
    assert corrected(ALL_VEILED, Name(at(1, 9), "Bob")).names == {1: "Bob"}


def test_joined_sequences_are_one_identity_and_stay_veiled():
    kept = analysis_of([VEILED, KEPT, VEILED, VEILED])
    result = corrected(kept, Join((at(1, 9), at(2, 36))))
    assert result.analysis.identities.tolist() == [0, 1, 1, 3]
    assert result.analysis.veiled.tolist() == [True, False, True, True]
    other_way = corrected(kept, Join((at(2, 36), at(1, 9))))
    assert other_way.analysis.veiled.all(), "what was kept is of a veiled person now"


def test_two_faces_of_one_frame_are_never_one_person():
    for change in (Join((at(0, 9), at(1, 9))), Move(at(1, 9), at(0, 9))):
        result = corrected(ALL_VEILED, change)
        assert result.analysis.identities.tolist() == [0, 1, 2, 3]
        assert "two people" in result.unresolved[0][1]


def test_a_sequence_moves_to_another_person_or_to_one_of_its_own():
    assert corrected(ALL_VEILED, Move(at(3, 50), at(0, 9))).analysis.identities[3] == 0
    joined = (Join((at(1, 9), at(2, 36))), Move(at(2, 36)))
    assert len(set(corrected(ALL_VEILED, *joined).analysis.identities.tolist())) == 4


def test_a_sequence_is_split_at_a_frame():
    result = corrected(ALL_VEILED, Split(at(0, 9), 20), Move(at(0, 25)))
    first, *_, second = result.analysis.sequences
    assert (first.last, second.first) == (19, 20)
    assert result.analysis.identities[-1] not in (0, 1, 2, 3)
    log = result.analysis.detections
    assert (log.frames[log.sequence == 0] < 20).all()
    assert (log.frames[log.sequence == 4] >= 20).all()
    assert breaches(result.analysis) == 0


def test_a_drawn_object_is_veiled_without_a_hole_and_ends_at_the_cut():
    track = Track(
        np.array([12, 13, 20], np.int32), np.full((3, 4), (250, 90, 280, 120), np.float32)
    )
    keyframe = BoxAt(10, (240.0, 80.0, 270.0, 110.0))
    result = corrected(ALL_VEILED, Draw("o1", Kind.PLATE, (keyframe,), track, 8, 45))
    drawn = [result.analysis.sequences[i] for i, name in enumerate(result.objects) if name == "o1"]
    assert [(item.first, item.last, item.shot) for item in drawn] == [(8, 39, 0), (40, 45, 1)]
    assert all(item.kind is Kind.PLATE for item in drawn)
    assert len(drawn[0]) == 32
    assert drawn[0].provenance[2] == Provenance.MANUAL
    assert set(np.delete(drawn[0].provenance, 2).tolist()) == {Provenance.TRACKED}
    np.testing.assert_array_equal(drawn[0].box_at(8), keyframe.box)
    assert result.analysis.decisions[-1].veil


def test_a_drawn_object_beyond_the_end_takes_no_memory():
    keyframe = BoxAt(10, (240.0, 80.0, 270.0, 110.0))
    result = corrected(ALL_VEILED, Draw("o1", Kind.FACE, (keyframe,), None, 0, 2**31 - 3))
    assert result.analysis.sequences[-1].last == FRAMES - 1


def test_a_moved_box_still_covers_what_was_detected():
    smaller = BoxAt(10, (20.0, 30.0, 30.0, 40.0))
    analysis = analysis_of([VEILED] * 4, every=5)
    result = corrected(analysis, Shape(Target(sequence=at(0, 9)), (smaller,), 8, 12))
    shaped = result.analysis.sequences[0]
    np.testing.assert_array_equal(shaped.box_at(11), smaller.box)
    assert (shaped.box_at(10)[:2] <= SEQUENCES[0].box_at(10)[:2]).all()
    assert breaches(result.analysis) == 0


def test_an_end_moves_but_not_over_a_detected_face():
    analysis = analysis_of([VEILED] * 4, every=30)
    shorter = corrected(analysis, Extent(Target(sequence=at(1, 9)), 0, 20)).analysis.sequences[1]
    assert (shorter.first, shorter.last) == (0, 20)
    detected = corrected(ALL_VEILED, Extent(Target(sequence=at(1, 9)), 9, 20))
    assert detected.analysis.sequences[1].last == 30
    longer = corrected(analysis, Extent(Target(sequence=at(2, 36)), 30, 55)).analysis.sequences[2]
    assert (longer.first, longer.last) == (30, CUT - 1)


def test_of_a_later_end_only_the_end_counts_as_set_by_hand():
    """The boxes held in between are guesses: what is then drawn at the end changes them, too."""
    analysis = analysis_of([VEILED] * 4, every=30)
    longer = corrected(analysis, Extent(Target(sequence=at(1, 9)), 5, 33)).analysis.sequences[1]
    assert longer.provenance[-3:].tolist() == [Provenance.TRACKED] * 2 + [Provenance.MANUAL]


def test_a_veil_on_nothing_goes_and_the_report_can_say_why():
    result = corrected(ALL_VEILED, Remove(Target(sequence=at(1, 9)), 5, 14))
    assert {frame for frame, _ in shown(result.analysis)} == set(range(5, 15))
    assert breaches(result.analysis) == 0
    reasons = {item.reason for item in result.analysis.decisions if not item.veil}
    assert reasons == {"veil removed by ann: because"}


def test_a_detection_of_no_sequence_goes_with_the_veil_that_covered_it():
    log = ALL_VEILED.detections
    extra = SEQUENCES[1].box_at(9)[None] + np.float32(3)
    more = DetectionLog(
        np.append(log.frames, np.int32(9)),
        np.concatenate([log.boxes, extra]),
        np.append(log.sequence, np.int32(-1)),
    )
    result = corrected(replace(ALL_VEILED, detections=more), Remove(Target(sequence=at(1, 9))))
    assert breaches(result.analysis) == 0


def test_a_drawn_object_can_be_removed():
    keyframe = BoxAt(10, (240.0, 80.0, 270.0, 110.0))
    changes = (Draw("o1", Kind.FACE, (keyframe,)), Remove(Target(object="o1")))
    result = corrected(ALL_VEILED, *changes)
    assert len(result.analysis.sequences) == 4
    assert result.objects == (None,) * 4


def test_sequences_known_again_by_a_picture_are_kept_with_their_person():
    result = corrected(FIRST_KEPT, Reference(at(0, 9), 9, (1.0, 1.0, 2.0, 2.0), (at(3, 50),)))
    assert result.analysis.veiled.tolist() == [False, True, True, False]
    refused = corrected(FIRST_KEPT, Reference(at(0, 9), 9, (1.0, 1.0, 2.0, 2.0), (at(1, 9),)))
    assert refused.analysis.veiled.tolist() == [False, True, True, True]
    assert "two people" in refused.unresolved[0][1]


def test_what_cannot_be_found_is_named_and_keeps_nothing():
    nowhere = BoxAt(9, (300.0, 150.0, 310.0, 160.0))
    result = corrected(ALL_VEILED, Decide(Target(identity=nowhere), "keep"), Looked(0, 9))
    ((entry, message),) = result.unresolved
    assert entry.id == "e1"
    assert "frame 9" in message
    assert result.analysis.veiled.all()
    assert [(item.first, item.end) for item in result.looked] == [(0, 10)]


def test_corrections_of_another_input_are_refused():
    with pytest.raises(InputError, match="another input"):
        apply_corrections(ALL_VEILED, replace(EMPTY, digest="sha256:" + "1" * 64))


def test_corrections_find_their_people_in_a_new_analysis():
    """Numbers differ, and boxes a little; places do not."""
    order = [3, 1, 0, 2]
    moved = [replace(SEQUENCES[i], boxes=SEQUENCES[i].boxes + np.float32(2)) for i in order]
    new = analysis_of([VEILED] * 4, moved)
    result = corrected(new, Decide(Target(identity=at(0, 9)), "keep"))
    assert result.analysis.veiled.tolist() == [True, True, False, True]


places = st.tuples(st.integers(0, 3), st.integers(0, FRAMES - 1)).map(
    lambda pair: at(
        pair[0], int(np.clip(pair[1], SEQUENCES[pair[0]].first, SEQUENCES[pair[0]].last))
    )
)
spans = st.tuples(st.integers(0, FRAMES - 1), st.integers(0, FRAMES - 1)).map(sorted)
drawn = st.tuples(
    st.integers(0, FRAMES + 5), st.floats(0, 280), st.floats(0, 140), st.floats(2, 60)
).map(lambda t: BoxAt(t[0], (t[1], t[2], t[1] + t[3], t[2] + t[3])))
targets = st.one_of(
    places.map(lambda place: Target(sequence=place)),
    places.map(lambda place: Target(identity=place)),
    st.sampled_from(["o1", "o2"]).map(lambda name: Target(object=name)),
)
harmless = st.one_of(
    st.tuples(targets, spans).map(lambda t: Decide(t[0], "veil", *t[1])),
    places.map(lambda place: Name(place, "Bob")),
    st.tuples(places, places).map(Join),
    st.tuples(places, st.none() | places).map(lambda t: Move(*t)),
    st.tuples(places, st.integers(0, FRAMES)).map(lambda t: Split(*t)),
    st.tuples(st.sampled_from(["o1", "o2"]), st.lists(drawn, min_size=1, max_size=3), spans).map(
        lambda t: Draw(t[0], Kind.OTHER, tuple(t[1]), None, *t[2])
    ),
    st.tuples(targets, st.lists(drawn, min_size=1, max_size=3), spans).map(
        lambda t: Shape(t[0], tuple(t[1]), *t[2])
    ),
    st.tuples(targets, spans).map(lambda t: Extent(t[0], *t[1])),
    spans.map(lambda span: Looked(*span)),
)
uncovering = st.one_of(
    st.tuples(targets, spans).map(lambda t: Decide(t[0], "keep", *t[1])),
    st.tuples(targets, spans).map(lambda t: Remove(t[0], *t[1])),
)


@settings(max_examples=100)
@given(st.lists(harmless, max_size=8), st.sampled_from([1, 5]))
def test_no_other_change_uncovers_a_detected_face(changes, every):
    analysis = analysis_of([KEPT, VEILED, VEILED, VEILED], every=every)
    result = corrected(analysis, *changes)
    assert shown(result.analysis) <= shown(analysis)
    assert breaches(result.analysis) == 0


@settings(max_examples=100)
@given(st.lists(st.one_of(harmless, uncovering), max_size=8))
def test_what_is_corrected_stays_an_analysis(changes):
    result = corrected(FIRST_KEPT, *changes)
    analysis = result.analysis
    assert len(analysis.sequences) == len(analysis.identities) == len(analysis.decisions)
    assert len(result.objects) == len(analysis.sequences)
    assert breaches(analysis) == 0
    assert (analysis.detections.sequence >= -1).all()
    assert (analysis.detections.sequence < len(analysis.sequences)).all()
    for item in analysis.sequences:
        assert len(item)
        assert (np.diff(item.frames) > 0).all()
        shots = np.searchsorted(analysis.shot_starts, item.frames, side="right") - 1
        assert (shots == item.shot).all(), "no sequence crosses a cut"
        assert item.last < FRAMES
    for number in np.unique(analysis.identities):
        members = [analysis.sequences[i] for i in np.flatnonzero(analysis.identities == number)]
        frames = np.concatenate([item.frames for item in members])
        assert len(frames) == len(np.unique(frames)), "two faces in one frame are two people"


@settings(max_examples=60)
@given(st.lists(st.one_of(harmless, uncovering), min_size=1, max_size=6), st.data())
def test_an_undone_change_was_never_there(changes, data):
    document = document_of(changes)
    undone = data.draw(st.sampled_from([entry.id for entry in document.entries]))
    left = replace(EMPTY, entries=tuple(e for e in document.entries if e.id != undone))
    one = apply_corrections(FIRST_KEPT, document.with_change(Undo(undone), by="ann"))
    other = apply_corrections(FIRST_KEPT, left)
    assert one.analysis.decisions == other.analysis.decisions
    for a, b in zip(one.analysis.sequences, other.analysis.sequences, strict=True):
        np.testing.assert_array_equal(a.boxes, b.boxes)


@settings(max_examples=60)
@given(st.lists(st.one_of(harmless, uncovering), max_size=6))
def test_applying_changes_neither_the_analysis_nor_the_document(changes):
    analysis = analysis_of([KEPT, VEILED, VEILED, VEILED])
    before = [item.boxes.copy() for item in analysis.sequences]
    first, second = corrected(analysis, *changes), corrected(analysis, *changes)
    assert first.analysis.decisions == second.analysis.decisions
    for item, boxes in zip(analysis.sequences, before, strict=True):
        np.testing.assert_array_equal(item.boxes, boxes)


def test_what_is_drawn_covers_its_box_in_every_style():
    keyframe = BoxAt(10, (240.0, 80.0, 270.0, 110.0))
    result = corrected(ALL_VEILED, Draw("o1", Kind.PLATE, (keyframe,)))
    drawn = result.analysis.sequences[-1]
    assert float(overlaps(drawn.boxes, np.array([keyframe.box], np.float32))[0, 0]) == 1.0


@pytest.mark.parametrize("mode", ["all", "none", "keep"])
def test_a_later_selection_changes_nothing_that_a_person_decided(mode):
    """Also with --nobody, a face that was drawn stays veiled, and so does one veiled by hand."""
    changes = (
        Decide(Target(identity=at(0, 9)), "keep"),
        Decide(Target(identity=at(1, 9)), "veil"),
        Draw("o1", Kind.FACE, (BoxAt(10, (240.0, 80.0, 270.0, 110.0)),)),
    )
    result = corrected(ALL_VEILED, *changes).analysis
    selection = Selection(mode, identities=(3,) if mode == "keep" else ())
    again = decide_again(result, selection)
    assert again.veiled.tolist() == [False, True, mode != "none", mode == "all", True]


def test_a_time_range_of_a_selection_does_not_undo_a_decision_by_hand():
    result = corrected(ALL_VEILED, Decide(Target(identity=at(0, 9)), "keep")).analysis
    again = decide_again(result, Selection("none", times=(FrameRange(50, 60),)))
    kept = [item for item, veil in zip(again.sequences, again.veiled, strict=True) if not veil]
    assert {int(frame) for item in kept for frame in item.frames} >= set(range(40))


def test_a_picture_of_a_person_who_is_partly_veiled_uncovers_nothing():
    partly = replace(FIRST_KEPT, identities=np.array([0, 1, 0, 3], np.int32))
    reference = Reference(at(0, 9), 9, (1.0, 1.0, 2.0, 2.0), (at(3, 50),))
    assert corrected(partly, reference).analysis.veiled.tolist() == [False, True, True, True]
