"""Evaluation counts what it says: every figure is worked out by hand for a few boxes."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faceveil.evaluation.document import evaluation_document
from faceveil.evaluation.judging import Rules, evaluate
from faceveil.evaluation.measures import Frames
from faceveil.evaluation.output import Output, output_of_boxes
from faceveil.evaluation.truth import Truth, seen_inside
from faceveil.faces import Kind

WIDTH, HEIGHT = 320, 180


def truth_of(rows, frame_count=10, **columns):
    """Truth of (frame, person, x, y, size) rows; people are named by letters."""
    rows = sorted(rows)
    names = tuple(sorted({row[1] for row in rows}))
    boxes = np.array([[x, y, x + s, y + s] for _, _, x, y, s in rows], np.float32).reshape(-1, 4)
    return Truth(
        width=WIDTH,
        height=HEIGHT,
        frame_count=frame_count,
        people=names,
        shot_starts=columns.pop("shot_starts", np.zeros(1, np.int32)),
        frames=np.array([row[0] for row in rows], np.int32),
        person=np.array([names.index(row[1]) for row in rows], np.int32),
        boxes=boxes,
        seen=seen_inside(boxes, WIDTH, HEIGHT),
        **columns,
    )


def output_of(truth, rows=None, **columns):
    """Veils exactly on the true faces, or on some rows of them."""
    rows = np.ones(len(truth), bool) if rows is None else rows
    columns.setdefault("sequence", truth.track[rows])
    return output_of_boxes(truth.frames[rows], truth.boxes[rows], **columns)


def with_identities(output, identity, veiled=None):
    return Output(
        frames=output.frames,
        boxes=output.boxes,
        regions=output.regions,
        veiled=output.veiled if veiled is None else np.asarray(veiled),
        sequence=output.sequence,
        identity=np.asarray(identity, np.int32),
        is_round=output.is_round,
        whole_frames=output.whole_frames,
    )


ONE = [(frame, "a", 100, 60, 40) for frame in range(10)]
TWO = [*ONE, *((frame, "b", 200, 60, 20) for frame in range(10))]


def test_veils_on_every_face_are_perfect():
    truth = truth_of(TWO)
    result = evaluate(truth, output_of(truth))
    assert result.recall == result.precision == result.coverage == 1
    assert result.runs == [] and result.bare == 0 and result.longest_run() == 0
    assert (result.tracks.faces, result.tracks.hits) == (2, 2)
    assert result.frames == Frames(tp=10, tn=0, fp=0, fn=0) and result.frames.f1 == 1
    assert result.area.wasted < 0.02 and result.area.veiled > 0.03


def test_runs_are_counted_in_frames_and_named():
    truth = truth_of(TWO)
    missing = (truth.person == 1) & np.isin(truth.frames, [2, 3, 4, 8])
    result = evaluate(truth, output_of(truth, ~missing))
    assert [(run.person, run.first, run.last, run.frames) for run in result.runs] == [
        ("b", 2, 4, 3),
        ("b", 8, 8, 1),
    ]
    assert result.recall == 1 - 4 / 20 and result.bare == 4
    assert result.longest_run() == 3 and result.longest_run(24) == 0
    assert (result.tracks.faces, result.tracks.hits) == (2, 1)
    assert result.by_person["b"].hits == 6 and result.by_person["a"].recall == 1
    assert result.by_size["under 24"].hits == 6 and result.by_size["24 to 48"].recall == 1
    assert result.frames == Frames(tp=6, tn=0, fp=0, fn=4)
    assert result.frames_by_person["b"] == Frames(tp=6, tn=0, fp=0, fn=4)
    assert result.frames_by_person["a"] == Frames(tp=10, tn=0, fp=0, fn=0)


def test_a_run_ends_with_its_shot():
    truth = truth_of(ONE, shot_starts=np.array([0, 5], np.int32))
    result = evaluate(truth, output_of(truth, np.isin(truth.frames, [0, 9])))
    assert [(run.first, run.last) for run in result.runs] == [(1, 4), (5, 8)]


def test_a_face_is_veiled_from_nine_tenths_on():
    truth = truth_of([(0, "a", 100, 60, 40)])
    for part, recall in ((0.80, 0), (0.88, 1)):
        veil = np.array([[100, 60, 100 + 40 * part, 100]], np.float32)
        result = evaluate(truth, output_of_boxes(np.zeros(1, np.int32), veil))
        assert result.recall == recall and result.coverage == pytest.approx(part, abs=0.09)


def test_a_round_veil_covers_only_its_ellipse():
    truth = truth_of([(0, "a", 100, 60, 40)])
    veil = np.array([[96, 56, 144, 104]], np.float32)  # the face lies in a corner of its ellipse
    assert evaluate(truth, output_of_boxes(np.zeros(1, np.int32), veil, is_round=True)).recall == 1
    shifted = veil + 12
    square = evaluate(truth, output_of_boxes(np.zeros(1, np.int32), shifted)).coverage
    ellipse = evaluate(
        truth, output_of_boxes(np.zeros(1, np.int32), shifted, is_round=True)
    ).coverage
    assert 0 < ellipse < square < 1


def test_boxes_of_peers_grow_to_every_side():
    output = output_of_boxes(np.zeros(1, np.int32), np.array([[100, 60, 140, 110]]), grow=0.3)
    assert output.regions.tolist() == [[88, 45, 152, 125]]
    assert output.boxes.tolist() == [[100, 60, 140, 110]]


def test_frames_veiled_whole_cover_everything():
    truth = truth_of(ONE)
    empty = output_of(truth, np.zeros(len(truth), bool))
    whole = Output(
        **{name: getattr(empty, name) for name in ("frames", "boxes", "regions", "veiled")},
        sequence=empty.sequence,
        identity=empty.identity,
        whole_frames=np.arange(5, dtype=np.int32),
    )
    result = evaluate(truth, whole)
    assert result.recall == 0.5 and result.area.veiled == 0.5


def test_veils_on_nothing_cost_precision_and_are_false_positives():
    truth = truth_of([(frame, "a", 100, 60, 40) for frame in range(5)])
    boxes = np.concatenate([truth.boxes, truth.boxes[:2] + 100])
    frames = np.concatenate([truth.frames, [1, 8]]).astype(np.int32)
    result = evaluate(truth, output_of_boxes(frames, boxes))
    assert (result.boxes.faces, result.boxes.hits) == (7, 5)
    assert result.frames == Frames(tp=4, tn=4, fp=2, fn=0)
    assert result.frames.accuracy == 0.8 and result.frames.precision == 4 / 6


def test_a_veil_that_outlives_its_person_is_hers():
    truth = truth_of([(frame, "a", 100, 60, 40) for frame in range(5)] + [(9, "b", 10, 10, 30)])
    frames = np.append(np.arange(7), 9).astype(np.int32)
    boxes = np.concatenate([np.tile(truth.boxes[:1], (7, 1)), truth.boxes[-1:]])
    sequence = np.array([0] * 7 + [1], np.int32)
    result = evaluate(truth, output_of_boxes(frames, boxes, sequence=sequence))
    assert result.frames_by_person["a"] == Frames(tp=5, tn=3, fp=2, fn=0)
    assert result.frames_by_person["b"] == Frames(tp=1, tn=9, fp=0, fn=0)


def test_ignored_faces_count_neither_way():
    truth = truth_of(TWO, ignore=np.array([True, False] * 10) == False)  # noqa: E712
    ignored = truth.ignore
    assert set(truth.person[ignored]) == {1}
    for rows in (~ignored, np.ones(len(truth), bool)):
        result = evaluate(truth, output_of(truth, rows))
        assert (result.veils.faces, result.recall, result.precision) == (10, 1, 1)
        assert result.boxes.faces == 10 and result.frames.fp == 0


def test_frames_without_labels_are_left_out():
    labelled = np.arange(10) < 4
    truth = truth_of(ONE, labelled=labelled)
    result = evaluate(truth, output_of(truth, truth.frames < 3))
    assert (result.veils.faces, result.veils.hits) == (4, 3)
    assert result.frames == Frames(tp=3, tn=0, fp=0, fn=1)
    assert result.boxes.faces == 3


def test_faces_seen_too_little_do_not_count():
    truth = truth_of(ONE, visibility=np.linspace(0, 0.9, 10, dtype=np.float32))
    nothing = output_of(truth, np.zeros(10, bool))
    assert evaluate(truth, nothing).veils.faces == 5
    assert evaluate(truth, nothing, rules=Rules(min_visible=0.85)).veils.faces == 1


def test_half_a_face_outside_the_frame_is_half_seen():
    truth = truth_of([(0, "a", WIDTH - 20, 60, 40)])
    assert truth.visible[0] == pytest.approx(0.5, abs=0.02)


def test_kept_people_may_be_seen_and_wrongly_kept_ones_are_counted():
    truth = truth_of(TWO)
    a = truth.person == 0
    output = with_identities(output_of(truth), truth.person, veiled=~a)
    result = evaluate(truth, output, keep=["a"])
    assert (result.recall, result.kept.recall, result.wrong_kept) == (1, 1, 0)
    swapped = with_identities(output_of(truth), truth.person, veiled=a)
    result = evaluate(truth, swapped, keep=["a"])
    assert (result.recall, result.kept.recall, result.wrong_kept) == (0, 0, 10)
    assert result.frames.fn == 10
    assert result.frames_by_person["a"] == Frames(tp=0, tn=0, fp=10, fn=0)


def test_keeping_a_stranger_is_an_error():
    truth = truth_of(ONE)
    with pytest.raises(KeyError, match="nobody"):
        evaluate(truth, output_of(truth), keep=["nobody"])


def test_identities_mixed_and_split():
    truth = truth_of(TWO)
    mixed = np.where(truth.frames < 3, 0, truth.person)
    errors = evaluate(truth, with_identities(output_of(truth), mixed)).identities
    assert (errors.boxes, errors.mixed, errors.split) == (20, 3, 0)
    split = np.where((truth.person == 1) & (truth.frames > 6), 2, truth.person)
    errors = evaluate(truth, with_identities(output_of(truth), split)).identities
    assert (errors.mixed, errors.split) == (0, 1)
    assert evaluate(truth, output_of(truth)).identities is None


def test_jitter_is_what_the_true_motion_does_not_explain():
    frames = np.arange(10)
    truth = truth_of([(t, "a", 60 + t * t, 60, 40) for t in frames])  # true motion accelerates
    assert evaluate(truth, output_of(truth)).jitter.centre == pytest.approx(0, abs=1e-6)
    shaking = truth.boxes + np.where(frames % 2, 2, -2)[:, None] * np.array([1, 0, 1, 0])
    output = output_of_boxes(truth.frames, shaking, sequence=np.zeros(10, np.int32))
    result = evaluate(truth, output).jitter
    # From +2 to -2 and back: second differences of 8 pixels, a fifth of the face.
    assert result.centre == pytest.approx(0.2, abs=1e-4)
    assert result.size == pytest.approx(0, abs=1e-6) and result.steps == 8


def test_the_document_tells_what_the_evaluation_tells():
    truth = truth_of(TWO)
    result = evaluate(truth, output_of(truth, truth.frames != 4))
    document = evaluation_document(result)
    assert document["veils"] == {"faces": 20, "hits": 18, "share": 0.9}
    assert document["longest_run"] == 1 and document["frames"]["fn"] == 1
    assert [run["frames"] for run in document["runs"]] == [1, 1]


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**32 - 1))
def test_taking_a_veil_away_never_helps_recall(seed):
    random = np.random.default_rng(seed)
    rows = [
        (int(t), "ab"[p], int(random.integers(0, 280)), int(random.integers(0, 140)), 30)
        for t in range(6)
        for p in range(2)
    ]
    truth = truth_of(rows, frame_count=6)
    shifted = truth.boxes + random.normal(0, 6, (len(truth), 1))
    chosen = random.random(len(truth)) < 0.7
    full = evaluate(truth, output_of_boxes(truth.frames, shifted))
    part = evaluate(truth, output_of_boxes(truth.frames[chosen], shifted[chosen]))
    assert part.recall <= full.recall and part.coverage <= full.coverage + 1e-9
    assert sum(run.frames for run in part.runs) == part.veils.faces - part.veils.hits
    frames = part.frames
    assert frames.tp + frames.tn + frames.fp + frames.fn == 6


PLATE = [*ONE, *((frame, "plate", 20, 20, 40) for frame in range(10))]


def with_plate():
    """A face and, from the whole of its box, a plate in each of ten frames."""
    truth = truth_of(PLATE)
    kinds = np.where(truth.person == 1, Kind.PLATE, Kind.FACE).astype(np.uint8)
    seen = seen_inside(truth.boxes, WIDTH, HEIGHT, kinds)
    return replace(truth, kinds=kinds, seen=seen, labelled_kinds=(Kind.FACE, Kind.PLATE))


def test_other_kinds_are_counted_apart_from_faces():
    truth = with_plate()
    missing = (truth.kinds == Kind.PLATE) & np.isin(truth.frames, [3, 4, 7])
    output = output_of(truth, ~missing, kinds=truth.kinds[~missing])
    result = evaluate(truth, output)
    plates = result.by_kind["plate"]
    assert (plates.veils.faces, plates.veils.hits, plates.longest_run) == (10, 7, 2)
    assert (plates.boxes.faces, plates.boxes.hits) == (7, 7)
    assert plates.area.veiled == pytest.approx(0.7 * 1600 / (WIDTH * HEIGHT), rel=0.1)
    assert result.recall == result.precision == 1 and result.veils.faces == 10
    assert list(result.by_person) == list(result.frames_by_person) == ["a"]
    document = evaluation_document(result)["by_kind"]["plate"]
    assert document["veils"] == {"faces": 10, "hits": 7, "share": 0.7}


def test_the_corners_of_a_plate_must_be_covered_and_those_of_a_face_not():
    truth = with_plate()
    boxes = np.repeat([[20, 20, 60, 60]], 10, axis=0).astype(np.float32)
    oval = output_of_boxes(np.arange(10), boxes, is_round=True)
    assert evaluate(truth, oval).by_kind["plate"].veils.hits == 0
    assert evaluate(truth, output_of_boxes(np.arange(10), boxes)).by_kind["plate"].veils.hits == 10


def test_false_boxes_count_for_the_kinds_that_are_labelled():
    boxes = np.repeat([[250, 100, 290, 140]], 10, axis=0).astype(np.float32)
    wrong = output_of_boxes(np.arange(10), boxes, kinds=np.full(10, Kind.PLATE, np.uint8))
    faces = truth_of(ONE)
    assert evaluate(faces, wrong).by_kind == {} and evaluate(faces, wrong).boxes.faces == 0
    plates = evaluate(replace(faces, labelled_kinds=(Kind.FACE, Kind.PLATE)), wrong)
    assert (plates.by_kind["plate"].boxes.faces, plates.by_kind["plate"].boxes.hits) == (10, 0)
    only_plates = replace(with_plate().of_kind(Kind.PLATE), labelled_kinds=(Kind.PLATE,))
    assert evaluate(only_plates, output_of_boxes(np.arange(10), boxes)).boxes.faces == 0
