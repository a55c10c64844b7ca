"""The synthetic clips: the truth they tell is true, and the evaluation counts what it says."""

from fractions import Fraction

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as Picture

from faceveil.analysis import Analysis, SourceInfo
from faceveil.decisions import Decision
from faceveil.evaluation.output import planned_boxes
from faceveil.faces import DetectionLog, FaceSequence
from faceveil.media.frames import Planes
from faceveil.veils.render import veil_frame
from faceveil.veils.styles import VeilStyle
from testkit.clips import STANDARD, make_clip, write_frames, write_video
from testkit.portraits import PORTRAITS, cutout, portrait_path
from testkit.truth import (
    ELLIPSE,
    ENCODED,
    GRID,
    Truth,
    coverage_of_analysis,
    coverage_of_boxes,
    coverage_of_pixels,
    evaluate,
    grid_points,
    identity_errors,
    match,
)

OBAMA, COLLINS, BIDEN = "Barack Obama", "Eileen Collins", "Joe Biden"


@pytest.fixture(scope="module")
def clip():
    return make_clip(320, 180, frame_count=80)


def hand_made_truth(boxes, frames, person, seen=None):
    """Two people, "kept" and "other", in a 200x100 clip of 4 frames."""
    if seen is None:
        seen = np.tile(ELLIPSE, (len(frames), 1, 1))
    return Truth(
        width=200,
        height=100,
        frame_count=4,
        people=("kept", "other"),
        shot_starts=np.array([0], np.int32),
        frames=np.array(frames, np.int32),
        person=np.array(person, np.int32),
        boxes=np.array(boxes, np.float32),
        seen=seen,
    )


def test_every_portrait_is_fetched_and_its_face_lies_inside_the_photo():
    for name, portrait in PORTRAITS.items():
        with Picture.open(portrait_path(name)) as picture:
            width, height = picture.size
        left, top, right, bottom = portrait.face
        assert 0 <= left < right <= width and 0 <= top < bottom <= height


def test_a_face_lies_wholly_inside_its_cutout():
    for name in ("obama", "obama2", "biden", "astronaut"):
        person = cutout(name)
        x, y = np.floor(grid_points(person.face[None])[0][ELLIPSE]).astype(int).T
        assert (person.levels[0][y, x, 3] >= 128).mean() > 0.97, name


def test_the_same_seed_gives_the_same_clip_and_another_seed_another():
    first, again, other = (make_clip(160, 90, 12, seed) for seed in (3, 3, 4))
    for number in range(12):
        assert np.array_equal(first.frame(number), again.frame(number))
    assert np.array_equal(first.truth.boxes, again.truth.boxes)
    assert not np.array_equal(first.frame(5), other.frame(5))
    assert not np.array_equal(first.truth.boxes, other.truth.boxes)


def test_truth_scales_with_the_frame():
    small, large = make_clip(320, 180, 20).truth, make_clip(1920, 1080, 20).truth
    assert np.array_equal(small.frames, large.frames)
    assert np.allclose(small.boxes * 6, large.boxes, atol=0.01)


def test_a_face_that_is_wholly_seen_lies_inside_the_frame(clip):
    truth = clip.truth
    # The ellipse touches the box only in single points, so less than a sample may stick out.
    slack = (truth.boxes[:, 2:] - truth.boxes[:, :2]).max(axis=1) / GRID
    whole = truth.visible == 1
    assert whole.any() and not whole.all()
    assert (truth.boxes[whole, :2] >= -slack[whole, None]).all()
    assert (truth.boxes[whole, 2:] <= np.add((320, 180), slack[whole, None])).all()


def test_somebody_is_hidden_by_somebody_else_in_the_first_shot(clip):
    truth = clip.truth
    hidden = truth.visible[(truth.shots == 0) & truth.rows_of([OBAMA])]
    assert hidden[0] == 1 and hidden[-1] == 1 and hidden.min() < 0.2
    assert (truth.visible[(truth.shots == 0) & truth.rows_of([BIDEN])] > 0).any()


def test_somebody_leaves_the_frame_and_comes_back_in_the_third_shot(clip):
    truth = clip.truth
    frames = truth.frames[(truth.shots == 2) & truth.rows_of([OBAMA])]
    first, end = truth.shot_starts[2], truth.shot_starts[3]
    assert frames[0] == first and frames[-1] == end - 1
    assert len(frames) < end - first and np.diff(frames).max() > 3


@pytest.mark.parametrize("person", [OBAMA, COLLINS, BIDEN])
def test_everybody_is_in_several_shots(clip, person):
    truth = clip.truth
    assert len(np.unique(truth.shots[truth.rows_of([person])])) >= 2


def test_the_pixels_in_a_true_box_are_the_portraits():
    """The box is where the face is drawn: shrinking the photo's face box gives the same picture."""
    one_scene = make_clip(640, 360, 40, scenes=STANDARD[:1])
    truth, frame = one_scene.truth, one_scene.frame(0)
    row = int(np.flatnonzero(truth.rows_of([OBAMA]))[0])
    assert truth.frames[row] == 0 and truth.visible[row] == 1
    photo = Picture.open(portrait_path("obama")).convert("RGB")
    face = photo.resize((GRID, GRID), Picture.Resampling.BOX, box=PORTRAITS["obama"].face)
    drawn = Picture.fromarray(frame).resize(
        (GRID, GRID), Picture.Resampling.BOX, box=tuple(map(float, truth.boxes[row]))
    )
    difference = np.abs(np.asarray(face, float) - np.asarray(drawn, float)).max(axis=2)
    assert difference[ELLIPSE].mean() < 5
    for axis in (0, 1):
        shifted = np.abs(np.asarray(face, float) - np.roll(np.asarray(drawn, float), 1, axis))
        assert shifted.max(axis=2)[ELLIPSE].mean() > 10, "the comparison would not notice a shift"


def test_a_cut_changes_the_picture_more_than_movement_does(clip):
    change = [
        np.abs(clip.frame(n).astype(int) - clip.frame(n - 1)).mean() for n in range(1, len(clip))
    ]
    cuts = np.array(clip.truth.shot_starts[1:]) - 1
    assert min(np.array(change)[cuts]) > 2 * max(np.delete(change, cuts))


def test_repeating_the_truth_shifts_frames_and_shots(clip):
    truth, twice = clip.truth, clip.truth.repeated(2)
    rows = twice.frames >= len(clip)
    assert twice.frame_count == 160 and len(twice) == 2 * len(truth)
    assert np.array_equal(twice.frames[rows] - 80, truth.frames)
    assert np.array_equal(twice.boxes[rows], truth.boxes)
    assert np.array_equal(twice.shot_starts, [*truth.shot_starts, *(truth.shot_starts + 80)])


def test_a_frame_beyond_the_end_is_an_error(clip):
    with pytest.raises(IndexError):
        clip.frame(80)


def test_a_folder_of_frames_holds_them_exactly(tmp_path):
    clip = make_clip(160, 90, 8)
    write_frames(clip, tmp_path)
    names = [f"img{number:07d}.png" for number in range(1, 9)]
    assert sorted(path.name for path in tmp_path.iterdir()) == names
    for number, name in enumerate(names):
        assert np.array_equal(np.asarray(Picture.open(tmp_path / name)), clip.frame(number))


@pytest.mark.parametrize("repeat", [1, 3])
def test_a_video_has_every_frame_in_time_and_a_sound_track(tmp_path, repeat):
    clip = make_clip(160, 90, 20)
    path = tmp_path / "clip.mp4"
    write_video(clip, path, repeat=repeat)
    with av.open(str(path)) as container:
        frames = list(container.decode(video=0))
        times = [frame.pts * frame.time_base for frame in frames]
        assert times == [Fraction(number, 25) for number in range(20 * repeat)]
        for number, frame in enumerate(frames):
            original = clip.frame(number % 20).astype(int)
            assert np.abs(frame.to_ndarray(format="rgb24") - original).mean() < 5
    with av.open(str(path)) as container:
        sound = sum(frame.samples for frame in container.decode(audio=0))
    assert sound / 48000 == pytest.approx(0.8 * repeat, abs=0.05)


# Evaluation


@pytest.mark.parametrize("shape", ["box", "ellipse"])
def test_veils_on_the_true_faces_cover_them(clip, shape):
    truth = clip.truth
    centre = (truth.boxes[:, :2] + truth.boxes[:, 2:]) / 2
    half = (truth.boxes[:, 2:] - truth.boxes[:, :2]) / 2 * 1.01
    veils = np.concatenate([centre - half, centre + half], axis=1)
    coverage = coverage_of_boxes(truth, truth.frames, veils, shape)
    assert (coverage[truth.visible > 0] == 1).all()
    assert evaluate(truth, coverage).recall == 1


def test_a_removed_veil_is_missed_and_named(clip):
    truth = clip.truth
    removed = int(np.flatnonzero(truth.rows_of([COLLINS]) & (truth.visible == 1))[0])
    others = np.arange(len(truth)) != removed
    coverage = coverage_of_boxes(truth, truth.frames[others], truth.boxes[others])
    result = evaluate(truth, coverage)
    assert result.missed == result.untouched == ((int(truth.frames[removed]), COLLINS),)
    assert result.recall == pytest.approx(1 - 1 / result.faces)


def test_a_veil_on_the_wrong_frame_covers_nothing(clip):
    truth = clip.truth
    coverage = coverage_of_boxes(truth, truth.frames + 1000, truth.boxes)
    assert not coverage.any()


def test_half_a_face_covered_is_half_covered():
    truth = hand_made_truth([[10, 10, 50, 60]], [0], [1])
    veil = np.array([[0, 0, 30, 100]], np.float32)
    coverage = coverage_of_boxes(truth, np.zeros(1, np.int32), veil)
    assert coverage[0] == pytest.approx(0.5, abs=0.01)
    assert evaluate(truth, coverage).missed == ((0, "other"),)
    assert evaluate(truth, coverage).untouched == ()


def test_two_veils_add_up():
    truth = hand_made_truth([[10, 10, 50, 60]], [2], [1])
    veils = np.array([[0, 0, 30, 100], [30, 0, 60, 100]], np.float32)
    assert coverage_of_boxes(truth, np.full(2, 2, np.int32), veils)[0] == 1


def test_only_what_can_be_seen_must_be_covered():
    seen = ELLIPSE.copy()
    seen[:, : GRID // 3] = False
    truth = hand_made_truth([[0, 0, 24, 24]], [0], [1], seen[None])
    veil = np.array([[8, 0, 24, 24]], np.float32)
    assert coverage_of_boxes(truth, np.zeros(1, np.int32), veil)[0] == 1


def test_faces_seen_too_little_do_not_count():
    seen = np.stack([ELLIPSE, ELLIPSE])
    seen[1, :, GRID // 3 :] = False
    truth = hand_made_truth([[0, 0, 24, 24]] * 2, [0, 1], [1, 1], seen)
    nothing = np.zeros(2, np.float32)
    assert evaluate(truth, nothing).faces == 1
    assert evaluate(truth, nothing, min_visible=0.1).faces == 2


def test_a_veil_on_the_kept_person_counts_unless_a_veiled_person_is_near():
    kept, far, near = [10, 10, 50, 60], [120, 10, 160, 60], [52, 10, 92, 60]
    truth = hand_made_truth([kept, far, kept, near, kept], [0, 0, 1, 1, 2], [0, 1, 0, 1, 0])
    result = evaluate(truth, np.array([0.5, 1, 0.5, 1, 0.2], np.float32), keep=["kept"])
    assert result.kept_veiled == ((0, "kept"),)
    assert result.kept_faces == 2 and result.kept_veiled_share == 0.5
    assert result.recall == 1 and result.faces == 2


def test_a_veil_over_somebody_hidden_behind_the_kept_person_is_no_mistake():
    seen = np.stack([ELLIPSE, np.zeros_like(ELLIPSE)])
    truth = hand_made_truth([[10, 10, 50, 60], [12, 12, 48, 58]], [0, 0], [0, 1], seen)
    result = evaluate(truth, np.ones(2, np.float32), keep=["kept"])
    assert result.kept_faces == 0 and result.kept_veiled == () and result.faces == 0


def test_keeping_somebody_who_is_not_in_the_clip_is_an_error(clip):
    with pytest.raises(KeyError, match="Nobody"):
        evaluate(clip.truth, np.ones(len(clip.truth), np.float32), keep=["Nobody"])


def test_an_analysis_covers_the_faces_it_veils_and_no_other():
    boxes = np.array([[10, 10, 50, 60], [120, 10, 160, 60]], np.float32)
    truth = hand_made_truth(boxes, [0, 0], [0, 1])

    def sequence(box):
        column = np.zeros(1, np.int32)
        return FaceSequence(column, box[None], np.ones(1, np.float32), column.astype(np.uint8))

    analysis = Analysis(
        source=SourceInfo("clip", "video", "sha256:", 200, 100, 4, "25"),
        models=None,
        parameters={},
        shot_starts=np.zeros(1, np.int32),
        unknown_frames=np.zeros(0, np.int32),
        sequences=[sequence(box) for box in boxes],
        identities=np.array([0, 1], np.int32),
        decisions=[Decision(veil=False, reason="kept"), Decision(veil=True, reason="not kept")],
        detections=DetectionLog(
            np.zeros(0, np.int32), np.zeros((0, 4), np.float32), np.zeros(0, np.int32)
        ),
    )
    for style in (VeilStyle("round"), VeilStyle("square")):
        coverage = coverage_of_analysis(truth, analysis, style)
        assert coverage.tolist() == [0, 1]
    frames, planned, row = planned_boxes(analysis.sequences)
    assert frames.tolist() == [0, 0] and row.tolist() == [0, 1] and np.array_equal(planned, boxes)


def veiled_frames(clip, skip=None):
    """The clip with every true face painted over, but those of a person in one frame."""
    truth = clip.truth
    for number, frame in enumerate(clip):
        for row in np.flatnonzero(truth.frames == number):
            if (number, truth.people[truth.person[row]]) != skip:
                left, top = np.maximum(np.floor(truth.boxes[row, :2]), 0).astype(int)
                right, bottom = np.ceil(truth.boxes[row, 2:]).astype(int)
                frame[top : max(bottom, 0), left : max(right, 0)] = (90, 90, 90)
        yield frame


def test_pixels_tell_which_faces_an_output_has_veiled():
    clip = make_clip(160, 90, 16)
    coverage = coverage_of_pixels(clip.truth, clip, veiled_frames(clip, skip=(5, COLLINS)))
    result = evaluate(clip.truth, coverage)
    assert result.missed == result.untouched == ((5, COLLINS),)
    assert not coverage_of_pixels(clip.truth, clip, clip).any()


class Frames:
    """Any frames, to be written as a video."""

    def __init__(self, frames):
        self.frames = list(frames)
        self.height, self.width = self.frames[0].shape[:2]
        self.frame_count = len(self.frames)

    def __iter__(self):
        return iter(self.frames)


def encoded(frames, path):
    write_video(Frames(frames), path, audio=False)
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def test_encoding_again_does_not_look_like_a_veil_and_a_veil_does(tmp_path):
    clip = make_clip(640, 360, 24)
    truth = clip.truth
    source = encoded(clip, tmp_path / "clip.mp4")
    again = encoded(source, tmp_path / "again.mp4")
    assert coverage_of_pixels(truth, source, again, tolerance=ENCODED).max() < 0.3

    def veil(frame, rows):
        planes = Planes((frame.copy(),), 255)
        veil_frame(planes, truth.boxes[rows], truth.person[rows].astype(np.int64), VeilStyle())
        return planes.planes[0]

    veiled = (veil(frame, truth.frames == number) for number, frame in enumerate(source))
    veiled = encoded(veiled, tmp_path / "veiled.mp4")
    coverage = coverage_of_pixels(truth, source, veiled, tolerance=ENCODED)
    assert evaluate(truth, coverage).recall == 1


def test_a_missing_frame_is_an_error():
    clip = make_clip(160, 90, 8)
    short = [clip.frame(number) for number in range(7)]
    with pytest.raises(ValueError, match="shorter"):
        coverage_of_pixels(clip.truth, clip, short)
    with pytest.raises(ValueError, match="7 frames"):
        coverage_of_pixels(clip.truth, short, short)


def test_boxes_are_matched_to_the_face_they_lie_on():
    truth = hand_made_truth([[0, 0, 40, 40], [100, 0, 140, 40]], [1, 1], [0, 1])
    boxes = np.array([[98, 2, 142, 41], [2, 2, 38, 38], [50, 50, 90, 90], [0, 0, 40, 40]])
    rows = match(truth, np.array([1, 1, 1, 2]), boxes.astype(np.float32))
    assert rows.tolist() == [1, 0, -1, -1]


def test_identity_errors_count_mixed_and_split_identities():
    boxes = [[0, 0, 40, 40], [100, 0, 140, 40]] * 3
    truth = hand_made_truth(boxes, [0, 0, 1, 1, 2, 2], [0, 1] * 3)
    right = identity_errors(truth, truth.frames, truth.boxes, np.array([7, 8] * 3))
    assert (right.boxes, right.mixed, right.split, right.unmatched) == (6, 0, 0, 0)
    mixed = identity_errors(truth, truth.frames, truth.boxes, np.array([7, 8, 7, 8, 7, 7]))
    assert (mixed.mixed, mixed.split) == (1, 0)
    split = identity_errors(truth, truth.frames, truth.boxes, np.array([7, 8, 7, 8, 9, 8]))
    assert (split.mixed, split.split) == (0, 1)


@settings(deadline=None, max_examples=30)
@given(
    grow=st.floats(0, 30),
    shape=st.sampled_from(["box", "ellipse"]),
    shift=st.tuples(st.floats(-30, 30), st.floats(-30, 30)),
)
def test_a_larger_veil_never_covers_less(grow, shape, shift):
    truth = hand_made_truth([[60, 20, 100, 70]], [0], [1])
    frames = np.zeros(1, np.int32)
    veil = (truth.boxes + np.tile(shift, 2)).astype(np.float32)
    larger = veil + np.array([-grow, -grow, grow, grow], np.float32)
    small = coverage_of_boxes(truth, frames, veil, shape)
    assert coverage_of_boxes(truth, frames, larger, shape)[0] >= small[0] - 1e-6
