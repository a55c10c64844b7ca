"""A user's file that cannot work is refused before any frame is read, with its own reason."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from faceveil.cli.main import main
from faceveil.errors import WeightsError
from faceveil.weights import trial
from faceveil.weights.store import locate
from testkit import made_networks


def refused(tmp_path, data, role="detector"):
    path = tmp_path / "mine.onnx"
    path.write_bytes(data)
    with pytest.raises(WeightsError) as refusal:
        locate(path, role)
    text = str(refusal.value)
    assert text.startswith("mine.onnx: ")
    return text


def with_nodes(nodes, opset=13, extra_domain=None, initializers=()):
    """A detector whose one output [1, 4] the nodes make of "picture"."""
    info = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes,
        "made",
        [info("picture", TensorProto.FLOAT, [1, 3, "H", "W"])],
        [info("out", TensorProto.FLOAT, None)],
        list(initializers),
    )
    domains = [helper.make_opsetid("", opset)]
    if extra_domain:
        domains.append(helper.make_opsetid(extra_domain, 1))
    return helper.make_model(graph, opset_imports=domains, ir_version=8).SerializeToString()


@pytest.mark.parametrize("share", [0.05, 0.5, 0.9, 0.999])
@pytest.mark.parametrize("role", ["detector", "recognizer"])
def test_a_truncated_file(tmp_path, cache, share, role):
    whole = made_networks.retinaface() if role == "detector" else made_networks.recognizer()
    assert "cut off" in refused(tmp_path, whole[: int(len(whole) * share)], role)


def test_a_newer_opset(tmp_path, cache):
    text = refused(tmp_path, with_nodes([helper.make_node("Relu", ["picture"], ["out"])], 99))
    assert "opset 99" in text
    assert "older opset" in text


def test_custom_operators(tmp_path, cache):
    node = helper.make_node("BatchedNMS", ["picture"], ["out"], domain="mmdeploy")
    text = refused(tmp_path, with_nodes([node], extra_domain="mmdeploy"))
    assert "mmdeploy.BatchedNMS" in text
    assert "standard operators" in text


def test_an_operator_that_does_not_exist(tmp_path, cache):
    text = refused(tmp_path, with_nodes([helper.make_node("Teleport", ["picture"], ["out"])]))
    assert "Teleport" in text


def test_weights_in_another_file(tmp_path, cache):
    tensor = numpy_helper.from_array(np.ones(4, np.float32), "weight")
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="mine.onnx.data")
    node = helper.make_node("Add", ["picture", "weight"], ["out"])
    text = refused(tmp_path, with_nodes([node], initializers=[tensor]))
    assert "save it as one file" in text


def test_a_network_that_wants_ten_gigabytes(tmp_path, cache):
    """2.7 thousand million floats between its layers; this process must not grow."""
    size = numpy_helper.from_array(np.array([1, 3, 30000, 30000], np.int64), "size")
    nodes = [
        helper.make_node("ReduceMean", ["picture"], ["mean"], axes=[2, 3]),
        helper.make_node("Expand", ["mean", "size"], ["huge"]),
        helper.make_node("Sqrt", ["huge"], ["roots"]),
        helper.make_node("ReduceMean", ["roots"], ["out"], axes=[2, 3], keepdims=0),
    ]
    text = refused(tmp_path, with_nodes(nodes, initializers=[size]))
    assert "more than 4 GiB of memory" in text


def test_an_input_of_ten_gigabytes(tmp_path, cache):
    text = refused(tmp_path, made_networks.centerface((28800, 28800)))
    assert "more than 4 GiB of memory" in text


@pytest.mark.parametrize("role", ["detector", "recognizer"])
def test_a_network_that_returns_nan(tmp_path, cache, role):
    """Also in numbers that no face is read from: such a file is broken."""
    data = made_networks.yunet() if role == "detector" else made_networks.recognizer()
    model = onnx.load_from_string(data)
    weight = next(t for t in model.graph.initializer if len(t.dims) in (2, 4) and t.dims[0] > 1)
    broken = numpy_helper.to_array(weight).copy()
    broken[0] = np.nan
    weight.CopyFrom(numpy_helper.from_array(broken, weight.name))
    text = refused(tmp_path, model.SerializeToString(), role)
    assert "not finite" in text


def test_a_network_without_inputs(tmp_path, cache):
    value = numpy_helper.from_array(np.ones((1, 5), np.float32))
    model = onnx.load_from_string(
        with_nodes([helper.make_node("Constant", [], ["out"], value=value)])
    )
    del model.graph.input[:]
    assert "takes no picture" in refused(tmp_path, model.SerializeToString())


def test_an_output_that_is_no_array(tmp_path, cache):
    model = onnx.load_from_string(
        with_nodes([helper.make_node("SplitToSequence", ["picture"], ["out"], axis=1)])
    )
    del model.graph.output[:]
    model.graph.output.append(
        helper.make_tensor_sequence_value_info("out", TensorProto.FLOAT, None)
    )
    text = refused(tmp_path, model.SerializeToString())
    assert "returns a list as out" in text


@pytest.mark.parametrize(
    ("inputs", "seen"),
    [
        ([("picture", TensorProto.INT64)], "picture int64"),
        ([("one", TensorProto.FLOAT), ("other", TensorProto.FLOAT)], "other float32"),
        ([("picture", TensorProto.FLOAT16)], "picture float16"),
    ],
)
def test_inputs_of_no_family_are_named(tmp_path, cache, inputs, seen):
    """Whole numbers, two pictures, half precision from outside: what was seen is said."""
    ports = [helper.make_tensor_value_info(*port, [1, 3, 64, 64]) for port in inputs]
    names = [name for name, _ in inputs]
    node = helper.make_node("Max" if len(names) > 1 else "Identity", names, ["out"])
    output = helper.make_tensor_value_info("out", inputs[0][1], None)
    graph = helper.make_graph([node], "made", ports, [output])
    imports = [helper.make_opsetid("", 13)]
    model = helper.make_model(graph, opset_imports=imports, ir_version=8)
    text = refused(tmp_path, model.SerializeToString())
    assert "fits no family of detectors" in text
    assert seen in text


def test_a_network_that_crashes_is_refused(tmp_path, cache, monkeypatch):
    monkeypatch.setattr(trial.sys, "executable", str(tmp_path / "crash"))
    (tmp_path / "crash").write_text("#!/bin/sh\nkill -SEGV $$\n")
    (tmp_path / "crash").chmod(0o755)
    assert "crashes" in refused(tmp_path, made_networks.yunet())


def test_a_network_that_never_ends_is_refused(tmp_path, cache, monkeypatch):
    monkeypatch.setattr(trial, "TIMEOUT_SECONDS", 0.2)
    assert "takes longer than 0.2 s" in refused(tmp_path, made_networks.yunet())


def test_a_file_is_tried_once(tmp_path, cache, monkeypatch):
    """Every worker process locates the network; the trial takes a second."""
    path = tmp_path / "mine.onnx"
    path.write_bytes(made_networks.yunet())
    first = locate(path, "detector")
    monkeypatch.setattr(trial, "_run", lambda *_: pytest.fail("tried again"))
    assert locate(path, "detector") == first


def test_the_command_says_so_and_writes_nothing(tmp_path, cache, capsys):
    path, clip = tmp_path / "mine.onnx", tmp_path / "clip.mp4"
    path.write_bytes(made_networks.yunet()[:500])
    clip.write_bytes(b"never read")
    code = main(["veil", str(clip), str(tmp_path / "out.mp4"), "--detector", str(path)])
    assert code in (WeightsError.exit_code, 3)
    assert not (tmp_path / "out.mp4").exists()
