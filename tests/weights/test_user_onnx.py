"""A user's own ONNX file works by path; what does not fit is refused before it is used."""

import numpy as np
import onnx
import pytest
from onnx import helper
from onnx.reference import ReferenceEvaluator

from faceveil.errors import UsageError, WeightsError
from faceveil.weights.session import open_session
from faceveil.weights.store import locate


def centerface_like(model_bytes, channels=(1, 2, 2, 10), size=(10, 3, 32, 32)):
    """A stride-4 network with CenterFace's four outputs and a batch norm after a deconvolution."""
    rng = np.random.default_rng(4)
    weights = {
        "down": rng.normal(0, 0.2, (6, 3, 8, 8)),
        "up": rng.normal(0, 0.5, (6, 5, 2, 2)),
        "gain": rng.uniform(0.5, 2, 5),
        "bias": rng.normal(0, 1, 5),
        "mean": rng.normal(0, 1, 5),
        "variance": rng.uniform(0.5, 2, 5),
        **{f"w{i}": rng.normal(0, 0.3, (c, 5, 1, 1)) for i, c in enumerate(channels)},
    }
    statistics = ["gain", "bias", "mean", "variance"]
    nodes = [
        helper.make_node("Conv", ["image", "down"], ["d"], kernel_shape=[8, 8], strides=[8, 8]),
        helper.make_node("ConvTranspose", ["d", "up"], ["u"], kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("BatchNormalization", ["u", *statistics], ["b"], epsilon=0.01),
        helper.make_node("Relu", ["b"], ["r"]),
        *[helper.make_node("Conv", ["r", f"w{i}"], [f"o{i}"]) for i in range(len(channels))],
    ]
    n, _, h, w = size
    outputs = {f"o{i}": (n, c, h // 4, w // 4) for i, c in enumerate(channels)}
    return model_bytes(nodes, {"image": size}, outputs, weights)


def test_a_recognizer_by_path(tmp_path, cache, recognizer_bytes):
    path = tmp_path / "mine.onnx"
    path.write_bytes(recognizer_bytes)
    located = locate(path, "recognizer")
    network = located.network
    assert (network.input_size, network.feature_size, network.batch_size) == ((112, 112), 4, 1)
    assert (network.mean, network.scale) == (127.5, 1 / 127.5)
    assert network.licence == "user supplied"
    picture = np.random.default_rng(1).normal(0, 1, (1, 3, 112, 112)).astype(np.float32)
    (found,) = open_session(located.files["model"]).run({"data": picture})
    original = ReferenceEvaluator(onnx.ModelProto.FromString(recognizer_bytes))
    np.testing.assert_allclose(
        found, original.run(None, {"data": picture})[0], rtol=1e-3, atol=1e-3
    )


def test_a_recognizer_that_normalises_itself_is_fed_plain_pixels(tmp_path, cache, model_bytes):
    weights = {"shift": [127.5], "kernel": np.ones((2, 3, 112, 112))}
    nodes = [
        helper.make_node("Sub", ["data", "shift"], ["s"]),
        helper.make_node("Conv", ["s", "kernel"], ["c"], kernel_shape=[112, 112]),
        helper.make_node("Flatten", ["c"], ["fc1"]),
    ]
    path = tmp_path / "mine.onnx"
    path.write_bytes(model_bytes(nodes, {"data": ("N", 3, 112, 112)}, {"fc1": ("N", 2)}, weights))
    network = locate(path, "recognizer").network
    assert (network.mean, network.scale, network.batch_size) == (0.0, 1.0, None)


def test_an_old_mxnet_export_is_repaired(tmp_path, cache, model_bytes):
    """MXNet's exporter wrote spatial=0 and slopes [C], which onnxruntime refuses as they stand."""
    rng = np.random.default_rng(6)
    kernel, slope = rng.normal(0, 1, (4, 3, 3, 3)), np.array([0.1, -0.2, 0.3, 0.4])
    statistics = {"gain": np.full(4, 2), "bias": np.ones(4), "mean": np.full(4, 3)}
    weights = {"kernel": kernel, "slope": slope, **statistics, "variance": np.full(4, 4)}
    names = ["gain", "bias", "mean", "variance"]
    nodes = [
        helper.make_node("Conv", ["data", "kernel"], ["c"], kernel_shape=[3, 3]),
        helper.make_node("BatchNormalization", ["c", *names], ["b"], epsilon=0.0, spatial=0),
        helper.make_node("PRelu", ["b", "slope"], ["p"]),
        helper.make_node("Flatten", ["p"], ["fc1"]),
    ]
    path = tmp_path / "old.onnx"
    shapes = {"data": (1, 3, 112, 112)}, {"fc1": (1, 4 * 110 * 110)}
    path.write_bytes(model_bytes(nodes, *shapes, weights, opset=8, ir_version=3))
    picture = rng.normal(0, 1, (1, 3, 112, 112)).astype(np.float32)
    (found,) = open_session(locate(path, "recognizer").files["model"]).run({"data": picture})
    windows = np.lib.stride_tricks.sliding_window_view(picture[0], (3, 3), axis=(1, 2))
    normalised = (np.einsum("chwij,ocij->ohw", windows, kernel) - 3) / 2 * 2 + 1
    expected = np.where(normalised > 0, normalised, normalised * slope[:, None, None])
    np.testing.assert_allclose(found, expected.reshape(1, -1), atol=1e-4)


def test_a_detector_by_path_takes_any_size_and_batch(tmp_path, cache, model_bytes):
    data = centerface_like(model_bytes)
    path = tmp_path / "mine.onnx"
    path.write_bytes(data)
    located = locate(str(path), "detector")
    assert located.network.architecture == "centerface"
    session = open_session(located.files["model"])
    pictures = np.random.default_rng(3).uniform(0, 255, (2, 3, 64, 96)).astype(np.float32)
    found = session.run({"image": pictures})
    traced = tmp_path / "traced.onnx"
    traced.write_bytes(centerface_like(model_bytes, size=pictures.shape))
    expected = open_session(traced).run({"image": pictures})
    assert found[3].shape == (2, 10, 16, 24)
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-3)
    operators = {node.op_type for node in onnx.load(located.files["model"]).graph.node}
    assert "BatchNormalization" not in operators


@pytest.mark.parametrize("channels", [(1, 2, 2), (1, 2, 2, 8)])
def test_a_detector_of_another_form_is_refused(tmp_path, cache, model_bytes, channels):
    path = tmp_path / "yolo.onnx"
    path.write_bytes(centerface_like(model_bytes, channels))
    with pytest.raises(WeightsError, match=r"yolo\.onnx: fits no family of detectors"):
        locate(path, "detector")


def test_a_detector_is_no_recognizer(tmp_path, cache, model_bytes):
    path = tmp_path / "center.onnx"
    path.write_bytes(centerface_like(model_bytes))
    with pytest.raises(WeightsError, match="fits no family of recognisers"):
        locate(path, "recognizer")


@pytest.mark.parametrize("content", [b"", b"this is no network", b"\x08\x07\x12\x02"])
def test_any_other_file_is_refused(tmp_path, cache, content):
    path = tmp_path / "text.onnx"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match=r"text\.onnx: not an ONNX file"):
        locate(path, "recognizer")


def test_a_path_that_does_not_exist_is_a_usage_error(tmp_path):
    with pytest.raises(UsageError, match="or the path of a file that exists"):
        locate(tmp_path / "nothing.onnx", "recognizer")


def test_shots_cannot_come_by_path(tmp_path, recognizer_bytes):
    path = tmp_path / "mine.onnx"
    path.write_bytes(recognizer_bytes)
    with pytest.raises(UsageError, match="transnetv2"):
        locate(path, "shots")
