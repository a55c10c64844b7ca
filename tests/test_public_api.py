"""The front door: what it offers, and that it is as safe as the command."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import orjson
import pytest

import faceveil
from faceveil import veiling
from faceveil.analysis import parse_analysis, to_json
from faceveil.corrections.entries import BoxAt, Decide, Target
from faceveil.decisions import Point, SelectionRecord
from faceveil.detect.analyzer import FaceAnalyzer
from faceveil.errors import InputError, UsageError, VerificationError
from faceveil.frame_range import FrameRange
from faceveil.pipeline import analyse_and_decide
from faceveil.sampling.adaptive import SamplingOptions
from faceveil.sequence.options import SequenceOptions
from testkit.clips import make_clip, write_video

NAMES = [
    "Analysis",
    "AnalyzerOptions",
    "Corrected",
    "Corrections",
    "Decision",
    "FaceSequence",
    "FaceveilError",
    "Found",
    "FrameFaces",
    "Point",
    "Rendered",
    "Selection",
    "SelectionRequest",
    "VeilStyle",
    "VerifyOptions",
    "analyse",
    "apply_corrections",
    "build_analyzer",
    "decide",
    "decide_again",
    "evaluate",
    "follow",
    "open_sink",
    "open_source",
    "read_analysis",
    "read_corrections",
    "render",
    "veil",
    "verify",
    "write_analysis",
    "write_corrections",
]
FRAME_COUNT = 16


@pytest.fixture(scope="module")
def clip():
    return make_clip(320, 180, frame_count=FRAME_COUNT)


@pytest.fixture(scope="module")
def video(clip, tmp_path_factory):
    path = tmp_path_factory.mktemp("api") / "talk.mp4"
    write_video(clip, path)
    return path


@pytest.fixture(scope="module")
def source(video):
    return faceveil.open_source(video)


@pytest.fixture(scope="module")
def found(source):
    return faceveil.analyse(source)


def test_the_list_of_public_names_is_stable():
    assert sorted(faceveil.__all__) == sorted(NAMES)
    for name in NAMES:
        assert getattr(faceveil, name).__doc__, name
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = faceveil.nonsense


def test_corrections_are_applied_by_a_public_function(source, found, tmp_path):
    """What a backend does with the document of a review: read it, apply it, render the result."""
    analysis = faceveil.decide(found, source)
    longest = max(analysis.sequences, key=len)
    at = BoxAt(longest.first, tuple(longest.boxes[0].tolist()))
    made = faceveil.Corrections.of(analysis.source)
    made = made.with_change(Decide(Target(sequence=at), "keep"), by="Ada")
    faceveil.write_corrections(made, tmp_path / "corrections.json")
    read = faceveil.read_corrections(tmp_path / "corrections.json")
    corrected = faceveil.apply_corrections(analysis, read)
    assert isinstance(corrected, faceveil.Corrected)
    assert corrected.unapplied == ()
    assert (corrected.analysis.veiled != analysis.veiled).sum() == 1
    assert analysis.veiled.all(), "the analysis itself stays as it was"
    with pytest.raises(faceveil.FaceveilError, match="another input"):
        faceveil.apply_corrections(analysis, replace(read, digest="sha256:0"))
    with pytest.raises(faceveil.FaceveilError, match="are of 3 frames"):
        faceveil.apply_corrections(analysis, replace(read, frame_count=3))


def test_importing_it_opens_nothing():
    """A backend that imports the package must not pay for networks or video libraries."""
    heavy = "{'numpy', 'cv2', 'av', 'onnxruntime', 'boto3', 'scipy'}"
    code = f"import sys, faceveil; assert not {heavy} & set(sys.modules), sorted(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_names_of_functions_are_never_shadowed_by_packages():
    """A package of the same name would replace the function once it is imported."""
    code = "import faceveil.pipeline, faceveil.evaluation.judging\nfrom faceveil import *\n"
    code += "assert all(map(callable, [veil, evaluate, verify, render, analyse, decide]))"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_every_face_is_recognised_where_someone_is_chosen(source, found, monkeypatch):
    """The more features a sequence has, the sooner one contradicts that it is who may be seen."""
    crops = []
    features = FaceAnalyzer.recognise

    def counted(self, some):
        crops.append(len(some))
        return features(self, some)

    def recognised(request):
        crops.clear()
        analyse_and_decide(source, request, tracking=None)
        return sum(crops)

    monkeypatch.setattr(FaceAnalyzer, "recognise", counted)
    x1, y1, x2, y2 = found.detections.boxes[0].tolist()
    point = Point(int(found.detections.frames[0]), (x1 + x2) / 2, (y1 + y2) / 2)
    with_choice = recognised(faceveil.SelectionRequest(keep_at=(point,)))
    assert with_choice >= len(found.detections)
    assert 0 < recognised(faceveil.SelectionRequest()) < with_choice


def test_veil_follows_by_pixels_and_verifies_unless_told_otherwise(video, tmp_path):
    """The defaults of the command: today's example of three calls lacked both."""
    result = faceveil.veil(video, tmp_path / "out.mp4", report=tmp_path / "report.json")
    assert result.path == tmp_path / "out.mp4"
    assert result.analysis.parameters["tracking"] is not None
    assert result.verification is not None
    assert result.verification.veils > 0
    assert not result.verification.violations
    assert (tmp_path / "report.json").is_file()


def test_an_output_that_shows_a_face_is_not_published(video, tmp_path, monkeypatch):
    monkeypatch.setattr(veiling, "veil_frame_of", lambda *_: False)
    with pytest.raises(VerificationError, match="shows what must be veiled"):
        faceveil.veil(video, tmp_path / "out.mp4")
    assert not (tmp_path / "out.mp4").exists()
    assert (tmp_path / "out.mp4.unverified").exists()


def test_render_verifies_by_default_too(source, found, tmp_path, monkeypatch):
    analysis = faceveil.decide(found, source)
    monkeypatch.setattr(veiling, "veil_frame_of", lambda *_: False)
    sink = faceveil.open_sink(tmp_path / "out.mp4", source)
    with pytest.raises(VerificationError):
        faceveil.render(source, analysis, sink)
    assert not (tmp_path / "out.mp4").exists()


def test_what_was_selected_is_a_field_of_the_analysis_whoever_decides(source, found, clip):
    """Verification reads it: an `only` selection must not be verified as if all were veiled."""
    x1, y1, x2, y2 = clip.truth.boxes[0].tolist()
    point = Point(int(clip.truth.frames[0]), (x1 + x2) / 2, (y1 + y2) / 2)
    analysis = faceveil.decide(found, source, faceveil.Selection("only", points=(point,)))
    assert analysis.selection.mode == "only"
    assert analysis.selection.points == (point,)
    again = faceveil.decide_again(analysis, faceveil.Selection("none"))
    assert again.selection.mode == "none"
    assert not again.veiled.any()
    assert parse_analysis(to_json(analysis), "a.json").selection == analysis.selection


def test_an_only_selection_through_the_library_may_show_the_others(source, found, clip, tmp_path):
    x1, y1, x2, y2 = clip.truth.boxes[0].tolist()
    point = Point(int(clip.truth.frames[0]), (x1 + x2) / 2, (y1 + y2) / 2)
    analysis = faceveil.decide(found, source, faceveil.Selection("only", points=(point,)))
    assert not analysis.veiled.all(), "the clip must show others"
    sink = faceveil.open_sink(tmp_path / "out.mp4", source)
    rendered = faceveil.render(source, analysis, sink)
    assert rendered.verification is not None
    assert not rendered.verification.violations


def test_networks_may_be_of_less_precision_only_where_no_one_can_become_visible(video, tmp_path):
    """In bfloat16 another person was left visible beside the one who was kept."""

    def veiled(name, **options):
        result = faceveil.veil(video, tmp_path / name, verification=None, **options)
        return result.analysis, result.analysis.parameters["networks"]

    analysis, networks = veiled("all.mp4")
    assert networks["everyone_veiled"]
    with pytest.raises(InputError, match="analyse it again to choose people"):
        faceveil.decide_again(analysis, faceveil.Selection("only", identities=frozenset({0})))
    assert not faceveil.decide_again(analysis, faceveil.Selection("none")).veiled.any()
    for name, options in (
        ("none.mp4", {"nobody": True}),
        ("written.mp4", {"analysis": tmp_path / "analysis.json"}),
        ("features.mp4", {"features": tmp_path / "features.npz"}),
        ("sampled.mp4", {"sampling": SamplingOptions()}),
    ):
        assert "everyone_veiled" not in veiled(name, **options)[1], name


def test_deciding_again_keeps_to_the_times(source, found):
    selection = faceveil.SelectionRequest(nobody=True, between=(FrameRange(4, 8),))
    analysis = faceveil.decide(found, source)
    again = faceveil.decide_again(analysis, selection.resolve(None, source.rate))
    for sequence, veiled in zip(again.sequences, again.veiled, strict=True):
        assert veiled == (not 4 <= sequence.first < 8)


def test_a_request_that_contradicts_itself_is_refused_before_any_work():
    with pytest.raises(UsageError, match="choose one"):
        faceveil.SelectionRequest(keep_identity=(1,), nobody=True)
    with pytest.raises(UsageError, match="between limits a choice"):
        faceveil.SelectionRequest(between=(FrameRange(0, 5),))


def test_files_of_version_0_1_still_say_what_was_selected(source, found):
    analysis = faceveil.decide(found, source)
    old = {"mode": "only", "people": ["Ann"], "accept": 0.45, "times": [[0, 8]]}
    for parameters, people in (
        ({"selection": old}, ("Ann",)),
        ({"face_search": {"mode": "only", "people": ["Bob"], "accept": 0.95}}, ("Bob",)),
    ):
        document = orjson.loads(to_json(replace(analysis, parameters=parameters)))
        del document["selection"]
        read = parse_analysis(orjson.dumps(document), "old.json").selection
        assert read.mode == "only"
        assert read.people == people
    del document["parameters"]["face_search"]
    assert parse_analysis(orjson.dumps(document), "x").selection == SelectionRecord()


def test_tracking_is_on_unless_switched_off(video):
    """A face that is detected in the first frames only is followed by its pixels."""
    source = faceveil.open_source(video)
    analyzer = faceveil.build_analyzer(faceveil.AnalyzerOptions(detector="centerface"))
    calls = iter(range(10_000))

    def early(image):
        faces = analyzer(image)
        return faces if next(calls) < 10 else faces.select(np.zeros(len(faces), bool))

    options = SequenceOptions(extension=0)
    followed = faceveil.analyse(source, early, options, workers=1)
    calls = iter(range(10_000))
    alone = faceveil.analyse(source, early, options, tracking=None, workers=1)
    assert max(item.last for item in alone.sequences) == 9
    assert max(item.last for item in followed.sequences) > 9
