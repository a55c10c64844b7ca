"""A file is of a family by what goes in and comes out; one of none is told what would fit."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from faceveil.cli.main import main
from faceveil.detect.build import AnalyzerOptions, build_analyzer
from faceveil.errors import WeightsError
from faceveil.weights.families import FAMILIES
from faceveil.weights.store import locate
from testkit import made_networks

FILES = {
    "centerface": made_networks.centerface,
    "retinaface": made_networks.retinaface,
    "retinaface-maps": made_networks.retinaface_maps,
    "yunet": made_networks.yunet,
    "yolo": made_networks.yolo,
    "yolo-end-to-end": lambda size=made_networks.FREE: made_networks.yellow_detector("n7", size),
    "detr": lambda size=made_networks.FREE: made_networks.yellow_detector("detr", size),
}


def written(tmp_path, data, name="mine.onnx"):
    path = tmp_path / name
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("size", [made_networks.FREE, (320, 320), (256, 384)])
@pytest.mark.parametrize("family", FILES)
def test_a_detector_by_path_runs(tmp_path, cache, family, size):
    """From the file to faces with landmarks: nothing has to be said about it."""
    path = written(tmp_path, FILES[family](size))
    network = locate(path, "detector", accept_licence=True).network
    assert network.architecture == family
    analyzer = build_analyzer(AnalyzerOptions(detector=str(path), recognizer="none"))
    picture = np.random.default_rng(1).integers(0, 256, (300, 450, 3), np.uint8)
    picture[100:140, 100:180] = made_networks.YELLOW
    found = analyzer(picture)
    assert found.models.detector == "mine.onnx" or family == "centerface"
    assert len(found)
    assert found.landmarks.shape == (len(found), 5, 2)


@pytest.mark.parametrize("form", ["n6", "detr"])
def test_other_forms_of_objects(tmp_path, cache, form):
    network = locate(written(tmp_path, made_networks.yellow_detector(form)), "detector").network
    assert network.architecture == {"n6": "yolo-end-to-end", "detr": "detr"}[form]


@pytest.mark.parametrize(("classes", "landmarks"), [(1, 0), (80, 0), (1, 15), (1, 10), (2, 0)])
def test_the_columns_of_a_raw_yolo_are_told_apart(tmp_path, cache, classes, landmarks):
    path = written(tmp_path, made_networks.yolo((640, 640), classes, landmarks))
    network = locate(path, "detector").network
    assert (network.architecture, network.class_count) == ("yolo", classes)


def test_a_file_that_finds_no_faces_is_no_face_detector(tmp_path, cache):
    names = "{0: 'License Plate'}"
    path = written(tmp_path, made_networks.yellow_detector("n7", names=names))
    with pytest.raises(WeightsError, match="License Plate, none of which is of the kind face"):
        build_analyzer(AnalyzerOptions(detector=str(path), recognizer="none"))


@pytest.mark.parametrize(
    ("architecture", "name", "data"),
    [
        ("arcface", "glint.onnx", made_networks.recognizer()),
        ("adaface", "ir_18.onnx", made_networks.recognizer(lengths=True)),
        ("adaface", "AdaFace_ir_18.onnx", made_networks.recognizer()),
        ("facenet", "mine.onnx", made_networks.recognizer(160, channels_last=True)),
        ("facenet", "mine.onnx", made_networks.recognizer(160)),
    ],
)
def test_a_recogniser_by_path_runs(tmp_path, cache, architecture, name, data, portrait):
    path = written(tmp_path, data, name)
    network = locate(path, "recognizer", accept_licence=True).network
    assert (network.architecture, network.feature_size) == (architecture, 8)
    assert network.colour_order == ("RGB" if architecture == "arcface" else "BGR")
    detector = written(tmp_path, made_networks.yunet(), "yunet.onnx")
    options = AnalyzerOptions(str(detector), str(path), accept_licence=True)
    found = build_analyzer(options)(portrait)
    features = found.features[found.accepted]
    assert len(features)
    np.testing.assert_allclose(np.linalg.norm(features, axis=1), 1, atol=1e-4)


@pytest.mark.parametrize("role", ["detector", "recognizer"])
def test_a_file_of_no_family_is_told_what_was_seen_and_what_fits(tmp_path, cache, role):
    info = helper.make_tensor_value_info
    graph = helper.make_graph(
        [helper.make_node("Flatten", ["words"], ["answer"])],
        "language",
        [info("words", TensorProto.FLOAT, [1, 16, "n"])],
        [info("answer", TensorProto.FLOAT, [1, "m"])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    with pytest.raises(WeightsError) as refusal:
        locate(written(tmp_path, model.SerializeToString()), role)
    text = str(refusal.value)
    assert "words float32 [1, 16, n]" in text
    assert "answer float32 [1, m]" in text
    for family in FAMILIES:
        assert (family.takes in text) == (family.role == role)


def test_the_command_lists_every_family(capsys):
    assert main(["weights", "families"]) == 0
    shown = capsys.readouterr().out
    for family in FAMILIES:
        assert f"\n{family.name}  ({family.role} of faces" in f"\n{shown}"
        assert family.origin in shown


def test_the_names_of_classes_come_from_the_file(tmp_path, cache):
    path = written(tmp_path, made_networks.yellow_detector("n7", names="{0: 'face', 1: 'car'}"))
    assert locate(path, "detector").network.class_names == ("face", "car")
    assert onnx.load(path).metadata_props[0].key == "names"
