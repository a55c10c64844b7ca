"""Objects other than faces: followed apart, always veiled, covered, verified and written down."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from PIL import Image as Picture

from faceveil import pipeline
from faceveil.analysis import parse_analysis, to_json
from faceveil.assure.coverage import check_coverage
from faceveil.assure.verify import verify
from faceveil.cli.main import main
from faceveil.cli.parsing import also as parse_also
from faceveil.cli.parsing import region as parse_region
from faceveil.decisions import Point
from faceveil.detect.also import AlsoOptions
from faceveil.detect.build import AnalyzerOptions, build_analyzer
from faceveil.errors import InputError, UsageError, WeightsError
from faceveil.faces import FrameFaces, Kind, Provenance
from faceveil.jobs.steps.packed_analysis import pack, unpack, without_features
from faceveil.media.open import open_source
from faceveil.rendering import VerifyOptions, verifier_networks
from faceveil.sequence.regions import FixedRegion, region_sequences
from faceveil.veils.plan import VeilPlan
from faceveil.veils.styles import VeilStyle
from testkit import made_networks
from testkit.portraits import PORTRAITS, portrait_path

WIDTH, HEIGHT, COUNT = 400, 280, 24
YELLOW = np.array(made_networks.YELLOW)


def plate_box(number):
    """The plate drives to the right; behind frame 10 it is hidden for two frames."""
    left = 40 + 8 * number
    return left, 210, left + 56, 234


@pytest.fixture(scope="module")
def frames(tmp_path_factory):
    """A folder of frames with a face that stays and a bright yellow plate that moves."""
    folder = tmp_path_factory.mktemp("frames")
    portrait = PORTRAITS["obama"]
    photo = np.asarray(Picture.open(portrait_path("obama")).convert("RGB"))
    zoom = 60 / (portrait.face[3] - portrait.face[1])
    photo = cv2.resize(photo, None, fx=zoom, fy=zoom, interpolation=cv2.INTER_AREA)[:180, :WIDTH]
    ground = np.random.default_rng(0).integers(70, 110, (HEIGHT, WIDTH, 3), np.uint8)
    ground = cv2.GaussianBlur(ground, (0, 0), 3)
    ground[: photo.shape[0], : photo.shape[1]] = photo
    for number in range(COUNT):
        picture = ground.copy()
        if number not in (11, 12):
            x1, y1, x2, y2 = plate_box(number)
            picture[y1:y2, x1:x2] = YELLOW
            picture[y1 + 8 : y2 - 8, x1 + 12 : x2 - 12 : 4] = 20
        Picture.fromarray(picture).save(folder / f"img{number + 1:07d}.png")
    return folder


@pytest.fixture(scope="module")
def plates(tmp_path_factory):
    path = tmp_path_factory.mktemp("networks") / "plates.onnx"
    path.write_bytes(made_networks.yellow_detector("n7", names="{0: 'License Plate'}"))
    return path


@pytest.fixture(scope="module")
def networks(plates):
    return AnalyzerOptions(profile="fast", also=(AlsoOptions(str(plates), "plate", 0.4),))


@pytest.fixture(scope="module")
def rendered(frames, networks, tmp_path_factory):
    """The whole command with everyone left visible: only the plate is veiled."""
    folder = tmp_path_factory.mktemp("out")
    return pipeline.veil(
        frames,
        folder / "veiled/",
        nobody=True,
        networks=networks,
        analysis=folder / "analysis.json",
        report=folder / "report.json",
        contact_sheet=folder / "sheet.png",
        check=False,
    )


def yellow_pixels(path):
    picture = np.asarray(Picture.open(path).convert("RGB")).astype(int)
    return int((np.abs(picture - YELLOW).max(axis=2) < 40).sum())


def test_the_plate_is_veiled_in_every_frame_and_the_face_in_none(frames, rendered):
    """Also in the two frames in which it was hidden it is followed, by one sequence."""
    analysis = rendered.analysis
    (plate,) = [item for item in analysis.sequences if item.kind == Kind.PLATE]
    assert plate.frames.tolist() == list(range(COUNT))
    assert set(plate.provenance[[11, 12]].tolist()) <= {Provenance.INTERPOLATED}
    assert len(plate.features) == 0
    assert any(item.kind == Kind.FACE for item in analysis.sequences)
    by_kind = {
        item.kind: decision
        for item, decision in zip(analysis.sequences, analysis.decisions, strict=True)
    }
    assert not by_kind[Kind.FACE].veil
    assert by_kind[Kind.PLATE].veil
    assert by_kind[Kind.PLATE].reason == "plate: always veiled"
    assert rendered.verification is not None
    assert rendered.verification.violations == []
    assert rendered.path == rendered.target
    for number in range(COUNT):
        name = f"img{number + 1:07d}.png"
        before = np.asarray(Picture.open(frames / name).convert("RGB"))
        after = np.asarray(Picture.open(rendered.path / name).convert("RGB"))
        assert yellow_pixels(rendered.path / name) == 0, name
        changed = (before != after).any(axis=2)
        assert not changed[:180].any(), "the face stays as it was, bit for bit"


def test_the_plate_has_corners_and_the_face_has_none(frames, networks, tmp_path):
    """With everyone veiled: an ellipse over the face, a rectangle over the plate."""
    done = pipeline.veil(frames, tmp_path / "veiled/", networks=networks)
    name = "img0000005.png"
    before = np.asarray(Picture.open(frames / name).convert("RGB"))
    after = np.asarray(Picture.open(done.path / name).convert("RGB"))
    changed = (before != after).any(axis=2)
    for part, filled in ((changed[190:], 0.97), (changed[:180], 0.85)):
        rows, columns = np.nonzero(part)
        box = part[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
        assert (box.mean() > filled) == (filled > 0.9)


def test_verification_looks_again_with_the_same_detector(frames, rendered, networks):
    """The input, taken for the output, shows the plate; the face may be seen."""
    analysis = rendered.analysis
    analyzer = build_analyzer(verifier_networks(analysis, VerifyOptions()))
    found = verify(open_source(frames), analysis, analyzer, VeilStyle(), every=6)
    # frames 0, 6, 12 and 18 are looked at; in frame 12 the plate is hidden
    assert [item.frame for item in found.violations] == [0, 6, 18]
    for item in found.violations:
        assert item.kind == "uncovered"
        np.testing.assert_allclose(item.box, plate_box(item.frame), atol=3)


def test_coverage_holds_for_the_plate(rendered):
    """A plan without the plate leaves its detections visible, although a face's veil is there."""
    analysis = rendered.analysis
    veiled = analysis.veiled
    size = {"width": WIDTH, "height": HEIGHT}
    for kept, breaches in ((veiled, 0), (np.zeros_like(veiled), COUNT - 2)):
        plan = VeilPlan.build(analysis.sequences, kept, secret="")
        coverage = check_coverage(analysis.detections, plan, veiled, VeilStyle(), **size)
        assert len(coverage.frames) == breaches
        assert coverage.checked == COUNT - 2


def test_the_analysis_and_its_columns_carry_the_kind(rendered):
    analysis = without_features(rendered.analysis)
    read = parse_analysis(to_json(analysis), "analysis.json")
    unpacked = unpack(pack(analysis), "columns")
    kinds = [item.kind for item in analysis.sequences]
    assert Kind.PLATE in kinds
    for other in (read, unpacked):
        assert [item.kind for item in other.sequences] == kinds
        assert verifier_networks(other, VerifyOptions()).also == (
            AlsoOptions(analysis.parameters["networks"]["also"][0]["network"], "plate", 0.4),
        )
    assert np.unique(analysis.identities).size == len(analysis.sequences)


def test_without_other_kinds_nothing_of_them_is_written(frames, tmp_path):
    """An analysis and detections of faces alone are as they were before there were kinds."""
    source = open_source(frames)
    options = AnalyzerOptions(profile="fast")
    analysis = pipeline.analyse_and_decide(source, pipeline.SelectionRequest(), networks=options)
    text = to_json(analysis)
    assert b'"kind":"plate"' not in text
    assert b'"also"' not in text
    faces = build_analyzer(options)(next(iter(source)).rgb())
    assert b'"version":1' in faces.to_json()
    assert b"kind" not in faces.to_json()


def test_detections_carry_the_kind(networks, frames):
    """Version 2, which an older reader refuses instead of taking the plate for a face."""
    picture = np.asarray(Picture.open(frames / "img0000001.png").convert("RGB"))
    found = build_analyzer(networks)(picture)
    assert found.kinds is not None
    read = FrameFaces.from_json(found.to_json())
    np.testing.assert_array_equal(read.kinds, found.kinds)
    assert b'"version":2' in found.to_json()
    plates = read.of_kind(Kind.PLATE)
    assert len(plates) == 1
    np.testing.assert_allclose(plates.boxes[0], plate_box(0), atol=2)
    assert plates.features.shape == (1, 0)
    assert plates.accepted.all()
    assert read.of_kind(Kind.FACE).kinds is None
    with_other = found.to_json().replace(b'"kind":"plate"', b'"kind":"dragon"')
    with pytest.raises(InputError, match="dragon"):
        FrameFaces.from_json(with_other)


def test_people_are_chosen_among_faces_only(frames, rendered, tmp_path):
    """A point on the plate chooses nobody, so that it cannot be kept."""
    x1, y1, x2, y2 = plate_box(3)
    point = Point(3, (x1 + x2) / 2, (y1 + y2) / 2)
    selection = pipeline.Selection(mode="keep", points=(point,))
    with pytest.raises(InputError, match="frame 3"):
        pipeline.decide_again(rendered.analysis, selection)


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("plates.onnx", AlsoOptions("plates.onnx")),
        ("a:b.onnx:kind=plate", AlsoOptions("a:b.onnx", "plate")),
        ("p.onnx:kind=head,accept=0.4", AlsoOptions("p.onnx", "head", 0.4)),
    ],
)
def test_also_is_parsed(text, options):
    assert parse_also(text) == options


@pytest.mark.parametrize(
    "text",
    ["p.onnx:kind=dragon", "p.onnx:accept=2", "p.onnx:size=3", "p.onnx:kind=face", ":kind=plate"],
)
def test_also_is_refused_with_a_reason(text, tmp_path, capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["veil", str(tmp_path), str(tmp_path / "out/"), "--also", text])
    assert "--also" in capsys.readouterr().err


def test_a_file_of_another_kind_is_refused(plates):
    with pytest.raises(WeightsError, match="License Plate, none of which is of the kind head"):
        build_analyzer(AnalyzerOptions(also=(AlsoOptions(str(plates), "head"),)))


def test_fixed_regions_are_cut_at_shots_and_at_the_end():
    region = parse_region("4-100:0.5,0.5,1,1:screen")
    starts = np.array([0, 10], np.int32)
    size = {"frame_count": 20, "width": 200, "height": 100, "rate": None}
    first, second = region_sequences([region], starts, **size)
    assert (first.first, first.last, first.shot) == (4, 9, 0)
    assert (second.first, second.last, second.shot) == (10, 19, 1)
    np.testing.assert_array_equal(first.boxes[0], [100, 50, 200, 100])
    assert first.kind == Kind.SCREEN
    with pytest.raises(UsageError, match="outside the 20 frames"):
        region_sequences([replace(region, start=30, end=40)], starts, **size)
    with pytest.raises(UsageError, match="in seconds needs"):
        region_sequences([parse_region("0:01-0:02:1,2,30,40")], starts, **size)


def test_a_fixed_region_is_veiled_in_its_frames_only(frames, tmp_path):
    done = pipeline.veil(
        frames,
        tmp_path / "veiled/",
        nobody=True,
        networks=AnalyzerOptions(profile="fast"),
        regions=[FixedRegion(5, 9, False, (300, 20, 380, 60))],
        verification=None,
    )
    for number in (4, 5, 8, 9):
        name = f"img{number + 1:07d}.png"
        before = np.asarray(Picture.open(frames / name).convert("RGB"))
        after = np.asarray(Picture.open(done.path / name).convert("RGB"))
        assert (before != after)[20:60, 300:380].any() == (number in (5, 8))
    (region,) = [item for item in done.analysis.sequences if item.kind == Kind.OTHER]
    assert (region.provenance == Provenance.MANUAL).all()


def test_a_region_hides_nothing_of_an_unknown_frame(rendered):
    """A frame without detections stays veiled whole although a region or plate lies in it."""
    analysis = rendered.analysis
    (plate,) = [item for item in analysis.sequences if item.kind == Kind.PLATE]
    unknown = np.array([3], np.int32)
    plan = VeilPlan.build([plate], np.array([True]), secret="", unknown_frames=unknown)
    assert plan.whole(3)
