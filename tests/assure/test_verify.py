"""Verification notices every veil that is missing and every face that shows, and nothing else."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faceveil.assure.pixels import missing_veils
from faceveil.assure.traces import TraceLog, Tracer, grey_samples
from faceveil.assure.verify import share_under, verify
from faceveil.decisions import Decision, SelectionRecord
from faceveil.detect.build import build_analyzer
from faceveil.errors import CoverageError, InputError, UsageError, VerificationError
from faceveil.faces import FaceSequence, FrameFaces, Provenance
from faceveil.finding import analyse
from faceveil.frame_range import FrameRange
from faceveil.media.frames import BT709, EncodeOptions, Planes
from faceveil.media.open import open_sink, open_source
from faceveil.pipeline import decide
from faceveil.veils.region import core
from faceveil.veils.styles import STYLE_NAMES, VeilStyle
from testkit.clips import make_clip, write_video
from testkit.veil_removal import (
    Removal,
    analysis_of,
    draw_removal,
    render_without,
    shown_frames,
    true_sequences,
)

WIDTH, HEIGHT, COUNT = 320, 180, 24


class Frame:
    """A picture in memory."""

    def __init__(self, number, picture):
        self.number, self.picture = number, picture
        self.height, self.width = picture.shape[:2]

    def rgb(self):
        return self.picture.copy()

    def planes(self):
        return Planes((self.picture,), 255)


class Pictures:
    """A source of pictures in memory, and a sink for another."""

    path, kind, rate = Path("clip.mp4"), "video", Fraction(25)

    def __init__(self, pictures=()):
        self.pictures, self.problems = list(pictures), []

    @property
    def frame_count(self):
        return len(self.pictures)

    @property
    def width(self):
        return self.pictures[0].shape[1]

    @property
    def height(self):
        return self.pictures[0].shape[0]

    def __iter__(self):
        return (Frame(number, picture.copy()) for number, picture in enumerate(self.pictures))

    def digest(self):
        return "sha256:" + "1" * 64

    def write(self, frame, changed):
        self.pictures.append(frame.rgb())


def blind(picture):
    """An analyzer that sees nobody: what is left is the comparison by pixels."""
    return FrameFaces(picture.shape[1], picture.shape[0])


@pytest.fixture(scope="module")
def scene():
    clip = make_clip(WIDTH, HEIGHT, frame_count=COUNT, seed=3)
    source = Pictures(clip)
    return source, analysis_of(true_sequences(clip.truth), source, COUNT)


def rendered(source, analysis, style, removal=None):
    output = Pictures()
    render_without(source, analysis, output, style, removal)
    return output


@pytest.mark.parametrize("name", STYLE_NAMES)
def test_a_correct_output_has_all_its_veils(scene, name):
    source, analysis = scene
    style = VeilStyle(name)
    result = verify(rendered(source, analysis, style), analysis, blind, style, original=source)
    assert result.violations == []
    assert result.veils == sum(map(len, analysis.sequences))
    assert result.frames == COUNT
    result.require("out.mp4")


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000), whole=st.booleans(), name=st.sampled_from(STYLE_NAMES))
def test_a_veil_removed_by_hand_is_named_on_each_frame_it_is_missing_from(scene, seed, whole, name):
    source, analysis = scene
    style = VeilStyle(name)
    removal = draw_removal(np.random.default_rng(seed), analysis, style, whole=whole)
    output = rendered(source, analysis, style, removal)
    result = verify(output, analysis, blind, style, original=source)
    named = {item.frame for item in result.violations if item.sequence == removal.sequence}
    assert set(shown_frames(analysis, style, removal)) <= named <= set(removal.frames.tolist())
    with pytest.raises(VerificationError, match=f"sequence {removal.sequence}: a veil is missing"):
        result.require("out.mp4")


def test_a_missing_veil_fails_like_missing_coverage(scene):
    """The command answers both with exit code 4."""
    assert issubclass(VerificationError, CoverageError)
    assert VerificationError.exit_code == 4


@pytest.mark.slow
@pytest.mark.parametrize("crf", [18, 32])
def test_encoding_neither_hides_a_missing_veil_nor_looks_like_one(tmp_path, crf):
    clip = make_clip(WIDTH, HEIGHT, frame_count=COUNT, seed=4)
    write_video(clip, tmp_path / "clip.mp4", audio=False)
    source = open_source(tmp_path / "clip.mp4")
    analysis = analysis_of(true_sequences(clip.truth), source, COUNT)
    style = VeilStyle()
    removal = draw_removal(np.random.default_rng(crf), analysis, style, whole=False)
    for name, part in (("whole.mp4", None), ("part.mp4", removal)):
        with open_sink(tmp_path / name, source, EncodeOptions(crf=crf)) as sink:
            render_without(source, analysis, sink, style, part)
    whole = verify(open_source(tmp_path / "whole.mp4"), analysis, blind, style, original=source)
    assert whole.violations == []
    part = verify(open_source(tmp_path / "part.mp4"), analysis, blind, style, original=source)
    assert {item.sequence for item in part.violations} == {removal.sequence}


@given(quarter=st.integers(0, 3), seed=st.integers(0, 99))
def test_a_veil_missing_in_one_quarter_is_missing(quarter, seed):
    random = np.random.default_rng(seed)
    original = random.integers(0, 255, (1, 16, 16), np.uint8)
    veiled = np.full_like(original, 128)
    shown = veiled.copy()
    halves = slice(0, 8), slice(8, 16)
    part = 0, halves[quarter // 2], halves[quarter % 2]
    shown[part] = original[part]
    missing, share = missing_veils(original, veiled, shown)
    assert missing.tolist() == [True]
    assert share[0] == pytest.approx(1)
    missing, share = missing_veils(original, veiled, veiled)
    assert missing.tolist() == [False]
    assert share[0] == 0


def test_what_looks_the_same_with_and_without_its_veil_is_not_judged():
    plain = np.full((1, 16, 16), 20, np.uint8)
    assert missing_veils(plain, plain + 1, plain)[0].tolist() == [False]


def test_slivers_at_the_border_and_veils_outside_the_frame_are_left_out(scene):
    source, _ = scene
    boxes = [[400, 50, 450, 100], [-50, 20, 3, 80], [-50, 20, 5, 80]]
    sequences = [
        FaceSequence(
            np.zeros(1, np.int32),
            np.array([box], np.float32),
            np.ones(1, np.float32),
            np.zeros(1, np.uint8),
        )
        for box in boxes
    ]
    tracer = Tracer.of(analysis_of(sequences, source, COUNT), VeilStyle())
    regions, sequence = tracer.regions(0, WIDTH, HEIGHT)
    assert sequence.tolist() == [2]
    assert regions.tolist() == [[0, 20, 5, 80]]


@given(
    size=st.tuples(st.integers(8, 60), st.integers(8, 60)),
    place=st.tuples(st.floats(0, 20), st.floats(0, 20)),
)
def test_samples_lie_inside_their_region(size, place):
    (width, height), (x, y) = size, place
    region = np.array([[x, y, x + width, y + height]])
    picture = np.zeros((100, 100, 3), np.uint8)
    picture[int(y) : int(np.ceil(y + height)), int(x) : int(np.ceil(x + width))] = 200
    samples = grey_samples(Planes((picture,), 255), region)
    assert samples.shape == (1, 16, 16)
    assert (samples == 200).all()


def test_brightness_is_the_same_in_whatever_form_a_frame_is_stored():
    """A video made of pictures is compared with the pictures."""
    region = np.array([[0.0, 0, 32, 32]])
    grey = np.full((32, 32), 150, np.uint8)
    deep = np.full((32, 32), 4 * (16 + 150 * 219 // 255), np.uint16)
    chroma = np.full((16, 16), 512, np.uint16)
    forms = (
        Planes((grey,), 255),
        Planes((np.dstack([grey] * 3),), 255),
        Planes((np.dstack([grey, grey // 2]),), 255),
        Planes((np.dstack([grey, grey, grey, grey // 2]),), 255),
        Planes((deep, chroma, chroma), 1023, BT709),
    )
    for planes in forms:
        assert np.abs(grey_samples(planes, region).astype(int) - 150).max() <= 1


def test_traces_taken_while_rendering_are_those_of_the_input(scene):
    source, analysis = scene
    style = VeilStyle()
    log, tracer = TraceLog(analysis, style), Tracer.of(analysis, style)
    for frame in source:
        log.add(frame)
    for _ in range(2):
        for trace, frame in zip(log, source, strict=True):
            again = tracer.trace(frame)
            assert (trace.number, trace.width, trace.height) == (frame.number, WIDTH, HEIGHT)
            assert np.array_equal(trace.original, again.original)
            assert np.array_equal(trace.veiled, again.veiled)
    output = rendered(source, analysis, style)
    assert verify(output, analysis, blind, style, original=log).violations == []
    bare = verify(source, analysis, blind, style, original=log).violations
    assert {item.sequence for item in bare} == set(range(len(analysis.sequences)))


def test_a_frame_nobody_knows_must_be_veiled_whole(scene):
    """Policy 1: its detections are missing and no sequence spans it."""
    source, _ = scene
    nobody = replace(analysis_of([], source, COUNT), unknown_frames=np.array([5], np.int32))
    result = verify(source, nobody, blind, VeilStyle(), original=source)
    assert [(item.frame, item.kind) for item in result.violations] == [(5, "unveiled")]
    assert result.violations[0].box == (0, 0, WIDTH, HEIGHT)


def test_output_and_input_of_other_lengths_or_sizes_are_refused(scene):
    source, analysis = scene
    output = rendered(source, analysis, VeilStyle())
    short = Pictures(output.pictures[:-1])
    small = Pictures([picture[::2, ::2] for picture in output.pictures])
    for other, words in ((short, "fewer frames"), (small, "before scaling")):
        with pytest.raises(InputError, match=words):
            verify(other, analysis, blind, VeilStyle(), original=source)
    with pytest.raises(InputError, match="23 frames can be read"):
        verify(short, analysis, blind, VeilStyle())
    with pytest.raises(UsageError):
        verify(output, analysis, blind, VeilStyle(), every=0)


@pytest.mark.parametrize(("first", "last", "more"), [(8, 12, {10}), (8, 14, set()), (0, 3, set())])
def test_every_nth_frame_and_one_of_each_sequence_are_looked_at(scene, first, last, more):
    source, _ = scene
    frames = np.arange(first, last + 1, dtype=np.int32)
    boxes = np.tile(np.array([[50, 50, 90, 90]], np.float32), (len(frames), 1))
    ones = np.ones(len(frames), np.float32)
    alone = [FaceSequence(frames, boxes, ones, np.zeros(len(frames), np.uint8))]
    looked = []

    def note(picture):
        looked.append(picture)
        return blind(picture)

    result = verify(source, analysis_of(alone, source, COUNT), note, VeilStyle(), every=7)
    assert result.looked_at == len(looked) == len(more | set(range(0, COUNT, 7)))
    assert result.veils == 0  # there was no input to compare with


def test_of_unrelated_pictures_every_one_is_looked_at(scene):
    """No picture says anything about another, as a frame of a video does."""
    source, analysis = scene
    stills = replace(analysis, source=replace(analysis.source, kind="stills"))
    assert verify(source, stills, blind, VeilStyle(), every=7).looked_at == COUNT


@pytest.mark.parametrize("name", ["round", "square"])
def test_how_much_of_a_box_lies_under_veils(name):
    style = VeilStyle(name)
    box = np.array([[100, 100, 140, 150]], np.float32)
    away = box + 200
    assert share_under(box, core(box, style), style).tolist() == [1.0]
    assert share_under(away, core(box, style), style).tolist() == [0.0]
    assert share_under(box, core(np.zeros((0, 4), np.float32), style), style).tolist() == [0.0]
    half = np.array([[100, 20, 120, 230]], np.float32)
    square = VeilStyle("square", margin=0, head=0)
    assert share_under(box, core(half, square), square)[0] == pytest.approx(0.5)


# With real networks: a clip of three people, found and followed by the default analyzer.


@pytest.fixture(scope="module")
def analyzer():
    return build_analyzer()


@pytest.fixture(scope="module")
def found(analyzer):
    source = Pictures(make_clip(640, 360, frame_count=16, seed=5))
    return source, decide(analyse(source, analyzer), source)


@pytest.mark.slow
@pytest.mark.parametrize("name", STYLE_NAMES)
def test_veils_themselves_raise_no_alarm(found, analyzer, name):
    source, analysis = found
    style = VeilStyle(name)
    output = rendered(source, analysis, style)
    result = verify(output, analysis, analyzer, style, original=source, every=1)
    assert result.violations == []
    assert result.looked_at == 16
    assert result.recognised


@pytest.mark.slow
def test_without_the_input_a_bare_face_is_recognised_where_its_veil_should_be(
    found, analyzer, tmp_path
):
    source, analysis = found
    style = VeilStyle()
    index = max(
        range(len(analysis.sequences)), key=lambda i: analysis.sequences[i].boxes[:, 3].max()
    )
    frames = analysis.sequences[index].frames
    output = rendered(source, analysis, style, Removal(index, frames, whole=True))
    result = verify(output, analysis, analyzer, style, every=1, crops=tmp_path / "crops")
    assert {(item.kind, item.sequence) for item in result.violations} == {("recognised", index)}
    assert {item.frame for item in result.violations} == set(frames.tolist())
    crops = list((tmp_path / "crops").iterdir())
    assert len(crops) == len(frames)
    assert all(path.stat().st_mode & 0o077 == 0 for path in crops)


@pytest.mark.slow
def test_a_face_that_no_sequence_knows_is_uncovered(found, analyzer):
    """As when the detector of the analysis missed it on every frame."""
    source, analysis = found
    left_out = analysis.sequences[0]
    others = analysis_of(list(analysis.sequences[1:]), source, 16)
    style = VeilStyle()
    result = verify(rendered(source, others, style), others, analyzer, style, every=1)
    uncovered = {item.frame for item in result.violations if item.sequence is None}
    assert uncovered == set(left_out.frames.tolist())
    for item in result.violations:
        assert np.allclose(item.box, left_out.box_at(item.frame), atol=12)


@pytest.mark.slow
def test_where_only_some_are_veiled_a_face_nobody_chose_is_only_doubtful(found, analyzer):
    source, analysis = found
    style = VeilStyle()
    rows = zip(analysis.sequences, analysis.identities, strict=True)
    mine, rest = [], []
    for sequence, identity in rows:
        (mine if identity == analysis.identities[0] else rest).append(sequence)
    others = analysis_of(rest, source, 16)
    output = rendered(source, others, style)
    frames = {
        frame
        for sequence in mine
        for frame in sequence.frames[sequence.provenance == Provenance.DETECTED].tolist()
    }
    for times, free in (((), set(range(16))), ((FrameRange(0, 8),), set(range(8)))):
        chosen = replace(others, selection=SelectionRecord("only", times=times))
        result = verify(output, chosen, analyzer, style, every=1)
        assert {frame for frame, _ in result.doubtful} >= frames & free
        assert {item.frame for item in result.violations} >= frames - free
        assert not {item.frame for item in result.violations} & free


@pytest.mark.slow
def test_people_who_are_kept_are_no_violation(found, analyzer):
    source, analysis = found
    kept = [Decision(False, "kept"), *analysis.decisions[1:]]
    chosen = analysis.decided_again(kept)
    style = VeilStyle()
    output = rendered(source, chosen, style)
    assert verify(output, chosen, analyzer, style, original=source, every=1).violations == []


@pytest.mark.slow
def test_features_of_another_recogniser_are_refused(found, analyzer):
    source, analysis = found

    def other(picture):
        faces = analyzer(picture)
        return FrameFaces(
            faces.width,
            faces.height,
            faces.models,
            faces.boxes,
            faces.scores,
            faces.landmarks,
            np.ones((len(faces), 7), np.float32),
        )

    with pytest.raises(InputError, match="recogniser of the analysis"):
        verify(source, analysis, other, VeilStyle())


def test_a_report_holds_plain_data_only(scene):
    source, analysis = scene
    result = verify(source, analysis, blind, VeilStyle(), original=source)
    document = result.to_dict()
    assert document["frames"] == COUNT
    assert len(document["violations"]) == len(result.violations) > 0
    assert set(document["violations"][0]) == {"kind", "frame", "box", "measure", "sequence"}
