"""InsightFace's packs by path: found by role, and refused until their licence is accepted."""

import hashlib

import numpy as np
import pytest
from PIL import Image

from faceveil.cli.main import main
from faceveil.detect.build import AnalyzerOptions, build_analyzer
from faceveil.errors import LicenceError, WeightsError
from faceveil.weights import packs
from faceveil.weights.store import locate
from testkit.insightface_pack import detector, expected, paint, recognizer, write_pack


@pytest.fixture
def pack(tmp_path, cache):
    return write_pack(tmp_path / "buffalo_l")


@pytest.mark.parametrize(
    ("role", "architecture", "file_name"),
    [("detector", "scrfd", "det_10g.onnx"), ("recognizer", "arcface", "w600k_r50.onnx")],
)
def test_a_folder_holds_one_network_of_each_role(pack, cache, role, architecture, file_name):
    with pytest.raises(LicenceError, match=r"non-commercial research purposes.*--accept-licence"):
        locate(pack, role)
    assert not list(cache.rglob("*.onnx")), "nothing is converted before the licence is accepted"
    network = locate(pack, role, accept_licence=True).network
    assert (network.name, network.architecture) == (file_name, architecture)
    assert not network.commercial_use
    assert "without the consent" in network.training_data


@pytest.mark.parametrize("role", ["detector", "recognizer"])
def test_a_file_taken_out_of_its_folder_keeps_its_licence(pack, tmp_path, monkeypatch, role):
    """By its name; renamed, by its sha256. A detector of another name and content, by its form."""
    name = {"detector": "det_10g.onnx", "recognizer": "w600k_r50.onnx"}[role]
    with pytest.raises(LicenceError, match="InsightFace"):
        locate(pack / name, role)
    renamed = tmp_path / "mine.onnx"
    renamed.write_bytes((pack / name).read_bytes())
    (known,) = packs.known_packs()
    digest = hashlib.sha256(renamed.read_bytes()).hexdigest()
    with_file = packs.Pack(
        known.name, known.licence, known.training_data, known.names, frozenset({digest})
    )
    monkeypatch.setattr(packs, "known_packs", lambda: (with_file,))
    with pytest.raises(LicenceError, match="InsightFace"):
        locate(renamed, role)


def test_any_detector_of_scrfd_s_form_needs_the_acceptance(tmp_path, cache):
    path = tmp_path / "mine.onnx"
    path.write_bytes(detector(landmarks=False))
    with pytest.raises(LicenceError, match="trained it yourself, accepting says so"):
        locate(path, "detector")
    assert locate(path, "detector", accept_licence=True).network.architecture == "scrfd"


def test_a_recogniser_of_nobody_s_pack_needs_none(tmp_path, cache):
    path = tmp_path / "mine.onnx"
    path.write_bytes(recognizer())
    assert locate(path, "recognizer").network.commercial_use


def test_the_analyzer_runs_a_pack(pack):
    picture = np.zeros((320, 480, 3), np.uint8)
    paint(picture, 32, 5, 4)
    options = AnalyzerOptions(
        detector=str(pack), recognizer=str(pack), min_face_size=20, accept_licence=True
    )
    seen = build_analyzer(options)(picture)
    box, landmarks = expected(32, 5, 4)
    np.testing.assert_allclose(seen.boxes, [box], atol=1e-3)
    np.testing.assert_allclose(seen.landmarks, [landmarks], atol=1e-3)
    assert (seen.models.detector, seen.models.recognizer) == ("det_10g.onnx", "w600k_r50.onnx")
    assert seen.features.shape == (1, 4)
    np.testing.assert_allclose(np.linalg.norm(seen.features), 1, atol=1e-5)


def test_the_command_refuses_a_pack_and_says_why(pack, tmp_path, capsys):
    frames = tmp_path / "frames"
    frames.mkdir()
    Image.fromarray(np.zeros((64, 64, 3), np.uint8)).save(frames / "1.png")
    arguments = ["veil", str(frames), str(tmp_path / "out"), "--detector", str(pack)]
    assert main([*arguments, "--stills", "--quiet"]) == LicenceError.exit_code
    message = capsys.readouterr().err
    assert "det_10g.onnx" in message
    assert "non-commercial research purposes only" in message
    assert "--accept-licence" in message


def test_a_pack_without_or_with_several_of_a_role_is_refused(pack):
    (pack / "det_500m.onnx").write_bytes(detector())
    with pytest.raises(WeightsError, match=r"found det_10g\.onnx, det_500m\.onnx: give the path"):
        locate(pack, "detector", accept_licence=True)
    (pack / "w600k_r50.onnx").unlink()
    with pytest.raises(WeightsError, match="found none"):
        locate(pack, "recognizer", accept_licence=True)


@pytest.mark.parametrize("side", [33, 100])
def test_a_network_of_a_size_that_its_strides_do_not_fit_is_refused(tmp_path, cache, side):
    path = tmp_path / "det_10g.onnx"
    path.write_bytes(detector(side=side))
    with pytest.raises(WeightsError, match="multiples of 32"):
        locate(path, "detector", accept_licence=True)


def test_a_pack_s_detector_is_no_recognizer(pack):
    with pytest.raises(WeightsError, match="fits no family of recognisers"):
        locate(pack / "det_10g.onnx", "recognizer", accept_licence=True)
    with pytest.raises(WeightsError, match="fits no family of detectors"):
        locate(pack / "w600k_r50.onnx", "detector", accept_licence=True)
