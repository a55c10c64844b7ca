"""The riskiest frames are those behind faces that were lost, and hours are computed in seconds."""

import resource
import time
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis.strategies import floats, integers, lists

from faceveil.analysis import Analysis, SourceInfo
from faceveil.assure.risk import Reason, frame_risk, stretches
from faceveil.assure.verification import Verification, Violation
from faceveil.decisions import Decision
from faceveil.faces import DetectionLog, FaceSequence, Models, Provenance
from faceveil.leftovers import MOST_LEFT_OVER, Leftovers

WIDTH, HEIGHT, FRAMES = 640, 360, 300
VEIL, KEEP = Decision(True, "everyone is veiled"), Decision(False, "kept")
MIDDLE = (300, 150, 360, 220)


def sequence(first, last, box=MIDDLE, *, step=(0.0, 0.0), provenance=Provenance.DETECTED):
    """A face that is seen from first to last (inclusive), moving by `step` a frame."""
    frames = np.arange(first, last + 1, dtype=np.int32)
    way = np.arange(len(frames))[:, None] * np.tile(np.float32(step), 2)
    return FaceSequence(
        frames=frames,
        boxes=(np.float32(box) + way).astype(np.float32),
        scores=np.full(len(frames), 0.9, np.float32),
        provenance=np.full(len(frames), provenance, np.uint8),
    )


def with_provenance(face, first, last, provenance, score=0.0):
    """The face with another provenance in some frames."""
    rows = slice(first - face.first, last - face.first + 1)
    changed, scores = face.provenance.copy(), face.scores.copy()
    changed[rows], scores[rows] = provenance, score
    return replace(face, provenance=changed, scores=scores)


def analysis_of(sequences, decisions=None, *, shots=(0,), unknown=(), frames=FRAMES, kind="video"):
    decisions = decisions or [VEIL] * len(sequences)
    nothing = np.zeros(0, np.int32)
    return Analysis(
        source=SourceInfo("a.mp4", kind, "sha256:" + "a" * 64, WIDTH, HEIGHT, frames, "25"),
        models=Models("union", "arcface", "sha256:" + "b" * 64, 0.5),
        parameters={},
        shot_starts=np.int32(shots),
        unknown_frames=np.int32(unknown),
        sequences=sequences,
        identities=np.arange(len(sequences), dtype=np.int32),
        decisions=decisions,
        detections=DetectionLog(nothing, np.zeros((0, 4), np.float32), nothing),
    )


def first_stretch(analysis, looked=None):
    looked = np.zeros(analysis.source.frame_count, bool) if looked is None else looked
    return next(stretches(frame_risk(analysis), looked), None)


def test_a_face_detected_throughout_its_shot_is_no_risk():
    risk = frame_risk(analysis_of([sequence(0, FRAMES - 1)]))
    assert risk.risk.max() == 0
    assert list(stretches(risk, np.zeros(FRAMES, bool))) == []


def test_frames_behind_a_face_lost_in_mid_picture_come_first():
    found = first_stretch(analysis_of([sequence(0, 99)]))
    assert found.first == 100
    assert found.reasons[0] is Reason.ENDS


def test_frames_before_a_face_that_appears_in_mid_picture_come_first():
    found = first_stretch(analysis_of([sequence(200, FRAMES - 1)]))
    assert found.last == 199
    assert found.reasons[0] is Reason.BEGINS


def test_no_risk_passes_a_cut():
    """A face that ends at a cut was not lost, and one lost before a cut shows in no later shot."""
    assert first_stretch(analysis_of([sequence(0, 99), sequence(100, 299)], shots=(0, 100))) is None
    lost = analysis_of([sequence(0, 79), sequence(100, 299)], shots=(0, 100))
    risk = frame_risk(lost).risk
    assert risk[80:100].min() > 0.1
    assert risk[100:].max() == 0


@pytest.mark.parametrize(
    "box", [(0, 150, 60, 220), (580, 150, 640, 220), (300, -5, 360, 65), (300, 300, 360, 361)]
)
def test_a_face_that_leaves_at_the_edge_was_hardly_lost(box):
    """It weighs far less than one lost in mid-picture, but more than nothing."""
    left = frame_risk(analysis_of([sequence(0, 99, box)])).risk
    lost = frame_risk(analysis_of([sequence(0, 99)])).risk
    assert 0 < left.max() < lost.max() / 10


def test_a_face_that_another_sequence_takes_over_was_not_lost():
    assert frame_risk(analysis_of([sequence(0, 99), sequence(100, 299)])).risk.max() == 0


def test_a_hole_between_two_sequences_of_one_place_weighs_more_than_its_ends():
    holed = frame_risk(analysis_of([sequence(0, 99), sequence(140, 299)]))
    ended = frame_risk(analysis_of([sequence(0, 99)]))
    assert (holed.risk[100:140] > ended.risk[100:140]).all()
    assert Reason.HOLE in holed.reasons(100, 139)


def test_a_face_elsewhere_does_not_close_a_hole():
    far = sequence(110, 299, (30, 20, 90, 90))
    assert Reason.HOLE not in frame_risk(analysis_of([sequence(0, 99), far])).reasons(100, 109)


@pytest.mark.parametrize("backwards", [False, True])
@given(scores=lists(floats(0.5, 1, width=32), min_size=2, max_size=2), more=integers(0, 30))
def test_the_clearer_a_face_was_the_riskier_is_its_loss(backwards, scores, more):
    """Neither higher scores nor more detections make a face that vanishes less of a risk."""

    def beside(score, count):
        first = 150 if backwards else 150 - count
        face = sequence(first, first + count - 1)
        face = replace(face, scores=np.full(count, score, np.float32))
        return frame_risk(analysis_of([face])).risk[149 if backwards else 150]

    low, high = sorted(scores)
    assert beside(low, 5) <= beside(high, 5) <= beside(high, 5 + more)


def test_what_is_hardly_a_face_may_vanish():
    """Three unclear detections of a vase come far behind one face that was seen clearly."""
    vase = replace(sequence(0, 2), scores=np.full(3, 0.52, np.float32))
    face = sequence(150, 199, (100, 150, 160, 220))
    assert first_stretch(analysis_of([vase, face])).first == 200


def test_risk_grows_with_the_time_since_detection():
    tracked = with_provenance(sequence(0, 299), 100, 299, Provenance.EXTENDED)
    risk = frame_risk(analysis_of([tracked])).risk
    assert risk[99] == 0
    assert (np.diff(risk[99:]) >= 0).all()
    assert risk[102] > risk[100] > 0


def test_a_gap_is_riskiest_in_its_middle():
    gap = with_provenance(sequence(0, 299), 100, 104, Provenance.INTERPOLATED)
    risk = frame_risk(analysis_of([gap])).risk
    assert risk.argmax() == 102
    assert risk[99] == risk[105] == 0


def test_the_lower_the_score_the_higher_the_risk():
    low, lower = (
        with_provenance(sequence(0, 299), 50, 60, Provenance.LOW_SCORE, score)
        for score in (0.45, 0.25)
    )
    higher = frame_risk(analysis_of([lower])).risk[50:61]
    assert (higher > frame_risk(analysis_of([low])).risk[50:61]).all()


def test_a_box_that_moved_without_detection_weighs_more_than_one_that_stood():
    still = with_provenance(sequence(0, 99), 40, 59, Provenance.INTERPOLATED)
    moving = with_provenance(sequence(0, 99, step=(3, 0)), 40, 59, Provenance.INTERPOLATED)
    risks = [frame_risk(analysis_of([face], shots=(0, 100))).risk[50] for face in (still, moving)]
    assert risks[1] > 1.5 * risks[0] > 0


def leftovers(frames, scores, box=MIDDLE):
    boxes = np.tile(np.float32(box), (len(frames), 1))
    return Leftovers(np.int32(frames), boxes, np.float32(scores))


def test_what_was_seen_with_a_low_score_and_veiled_by_nothing_is_a_risk():
    """The clearest frame comes first; a box in its place, drawn by hand, takes the risk away."""
    seen = leftovers(range(100, 120), [0.3] * 10 + [0.45] + [0.3] * 9)
    bare = replace(analysis_of([]), leftovers=seen)
    risk = frame_risk(bare)
    assert risk.risk.argmax() == 110
    assert risk.reasons(110, 110) == (Reason.LEFT_OVER,)
    assert risk.risk[100:120].min() > risk.risk[:100].max()
    drawn = analysis_of([sequence(100, 119, provenance=Provenance.MANUAL)])
    covered = frame_risk(replace(drawn, leftovers=seen))
    assert covered.hazards[Reason.LEFT_OVER].max() == 0


@given(
    score=floats(0.2, 0.5),
    others=lists(floats(0.2, 0.5), max_size=10),
)
def test_more_of_one_place_and_a_higher_score_never_lower_the_risk(score, others):
    """The risk of all frames together grows with each further sighting."""

    def total(scores):
        seen = leftovers(range(100, 100 + len(scores)), scores)
        return float(frame_risk(replace(analysis_of([]), leftovers=seen)).hazards.sum())

    assert total([*others, score]) >= total(others) - 1e-6
    assert total([*others, 0.5]) >= total([*others, score]) - 1e-6


def test_what_was_seen_in_another_shot_or_place_does_not_count_together():
    alone = replace(analysis_of([], shots=(0, 100)), leftovers=leftovers([99], [0.4]))
    cut = replace(alone, leftovers=leftovers([99, 100], [0.4, 0.4]))
    assert frame_risk(cut).risk[99] == frame_risk(alone).risk[99]


def test_two_people_who_cross_are_a_risk_and_more_so_where_one_is_kept():
    pair = [
        sequence(0, 299, (50, 150, 110, 220), step=(1.5, 0)),
        sequence(0, 299, (500, 150, 560, 220), step=(-1.5, 0)),
    ]
    both = frame_risk(analysis_of(pair))
    mixed = frame_risk(analysis_of(pair, [VEIL, KEEP]))
    assert frame_risk(analysis_of(pair, [KEEP, KEEP])).risk.max() == 0
    assert 140 <= both.risk.argmax() <= 160
    assert mixed.risk[150] > both.risk[150]
    assert Reason.CROSSING in mixed.reasons(148, 152)


def test_uncertain_people_are_a_risk_and_more_so_beside_one_who_is_kept():
    other = sequence(100, 199, (100, 150, 160, 220))
    maybe = replace(VEIL, uncertain=True, person="Ann", similarity=0.4)
    risk = frame_risk(analysis_of([sequence(0, 299), other], [maybe, KEEP])).risk
    assert risk[150] > risk[50] > 0


def test_a_quick_pan_is_a_risk():
    quick = sequence(0, 20, (20, 150, 80, 220), step=(25, 0))
    risk = frame_risk(analysis_of([quick], shots=(0, 21)))
    assert Reason.MOTION in risk.reasons(1, 20)


def test_frames_that_were_not_analysed_are_a_risk():
    risk = frame_risk(analysis_of([sequence(0, 299)], unknown=(7,)))
    assert risk.risk.argmax() == 7
    assert risk.reasons(7, 7) == (Reason.UNKNOWN,)


def test_what_verification_found_comes_first_and_reaches_its_neighbours():
    box = (10.0, 10.0, 40.0, 50.0)
    found = Verification(FRAMES, 10, 0, False, [Violation("uncovered", 30, box, 0.9)], [(200, box)])
    analysis = analysis_of([sequence(0, 99)])
    risk = frame_risk(analysis, found)
    assert risk.risk.argmax() == 30
    assert risk.risk[20:41].min() > 0
    assert risk.reasons(30, 30)[0] is Reason.FOUND
    assert risk.risk[200] > frame_risk(analysis).risk[200]


def test_shots_without_a_face_come_last():
    analysis = analysis_of([sequence(0, 79)], shots=(0, 100))
    risk = frame_risk(analysis)
    assert 0 < risk.risk[100:].max() < risk.risk[80:100].min()
    assert risk.reasons(100, 299) == (Reason.EMPTY,)


def test_stills_are_not_followed_so_none_is_lost():
    face = sequence(5, 5)
    stills = analysis_of([face], shots=tuple(range(10)), frames=10, kind="stills")
    assert frame_risk(stills).risk[5] == 0


def test_no_sequence_and_no_frame_are_no_error():
    assert len(frame_risk(analysis_of([]))) == FRAMES
    assert len(frame_risk(analysis_of([], frames=0))) == 0


def test_next_goes_to_the_worst_stretch_not_looked_at_until_none_is_left():
    """Each stretch is offered once; looking at all of them leaves next to no risk."""
    faces = [sequence(0, 99), sequence(0, 49, (100, 150, 160, 220)), sequence(180, 299)]
    risk = frame_risk(analysis_of(faces))
    looked = np.zeros(FRAMES, bool)
    assert risk.left(looked) == 1
    offered = []
    while (stretch := next(stretches(risk, looked), None)) is not None:
        assert not looked[stretch.first : stretch.last + 1].any()
        looked[stretch.first : stretch.last + 1] = True
        offered.append(stretch.risk)
    assert offered == sorted(offered, reverse=True)
    assert risk.left(looked) < 0.1
    assert [item.risk for item in stretches(risk, np.zeros(FRAMES, bool))] == offered


def test_eight_hours_of_three_faces_take_seconds_and_little_memory():
    count, length = 864_000, 100
    faces = []
    for start in range(0, count, length):
        for person in range(3):
            face = sequence(
                start, start + length - 1, (50 + 200 * person, 100, 120 + 200 * person, 200)
            )
            faces.append(with_provenance(face, start + 40, start + 60, Provenance.INTERPOLATED))
    analysis = analysis_of(faces, frames=count, shots=range(0, count, 1000))
    seen = np.sort(np.random.default_rng(0).integers(0, count, MOST_LEFT_OVER))
    scores = np.full(MOST_LEFT_OVER, 0.4)
    analysis = replace(analysis, leftovers=leftovers(seen, scores, (300, 250, 330, 290)))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.process_time()
    risk = frame_risk(analysis).risk
    seconds = time.process_time() - start
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert len(risk) == count
    assert seconds < 15
    assert grown < 600_000  # KB
