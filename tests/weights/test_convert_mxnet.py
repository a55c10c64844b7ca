"""MXNet checkpoints written here byte by byte read back as the same network."""

import json
import struct

import numpy as np
import pytest

from faceveil.errors import WeightsError
from faceveil.weights.mxnet_params import read_params
from faceveil.weights.session import open_session
from faceveil.weights.store import locate
from testkit import mtcnn_reference

V1, V2, V3 = 0xF993FAC8, 0xF993FAC9, 0xF993FACA
ANCIENT = None


def params_bytes(arrays, magic=V2):
    """MXNet's list of named float32 arrays, in one of the forms its versions have written."""
    data = struct.pack("<QQQ", 0x112, 0, len(arrays))
    for values in arrays.values():
        array = np.asarray(values, np.float32)
        if magic is ANCIENT:
            data += struct.pack(f"<I{array.ndim}I", array.ndim, *array.shape)
        else:
            data += struct.pack("<I", magic) + (b"" if magic == V1 else struct.pack("<i", 0))
            data += struct.pack(f"<I{array.ndim}q", array.ndim, *array.shape)
        data += struct.pack("<iii", 1, 0, 0) + array.tobytes()
    data += struct.pack("<Q", len(arrays))
    for name in arrays:
        encoded = f"arg:{name}".encode()
        data += struct.pack("<Q", len(encoded)) + encoded
    return data


class Symbol:
    """Writes MXNet's -symbol.json: nodes that refer to earlier ones by number."""

    def __init__(self):
        self.nodes, self.arrays = [], {}

    def null(self, name, array=None):
        if array is not None:
            self.arrays[name] = array
        return self.node("null", name, [], {})

    def node(self, op, name, inputs, attributes):
        inputs = [source if isinstance(source, list) else [source, 0] for source in inputs]
        self.nodes.append({"op": op, "name": name, "inputs": inputs, "param": attributes})
        return len(self.nodes) - 1

    def layer(self, op, name, source, attributes, **arrays):
        tensors = [self.null(f"{name}_{key}", array) for key, array in arrays.items()]
        return self.node(op, name, [source, *tensors], attributes)

    def write(self, folder, name, heads, magic=V2):
        document = {"nodes": self.nodes, "heads": [[head, 0] for head in heads]}
        (folder / f"{name}-symbol.json").write_text(json.dumps(document))
        (folder / f"{name}-0001.params").write_bytes(params_bytes(self.arrays, magic))


def write_stage(folder, stage, name, arrays, magic):
    """The arrays of mtcnn_reference as MXNet keeps them: BGR in, [out, in, h, w], upright."""
    symbol, arrays = Symbol(), iter(arrays)
    value = symbol.null("data")
    for number, pool in enumerate(mtcnn_reference.POOLS[stage]):
        kernel, bias, slope = next(arrays).transpose(3, 2, 0, 1), next(arrays), next(arrays)
        if number == 0:
            kernel = kernel[:, ::-1]
        size = {"kernel": str(kernel.shape[2:]), "num_filter": str(len(kernel))}
        value = symbol.layer("Convolution", f"c{number}", value, size, weight=kernel, bias=bias)
        prelu = {"act_type": "prelu"}
        value = symbol.layer("LeakyReLU", f"p{number}", value, prelu, gamma=slope.reshape(-1))
        if pool:
            size = {"kernel": f"({pool},{pool})", "stride": "(2,2)", "pool_type": "max"}
            size["pooling_convention"] = "full"
            value = symbol.node("Pooling", f"m{number}", [value], size)
    channels = len(kernel)
    if stage in mtcnn_reference.DENSE:
        kernel, bias, slope = next(arrays), next(arrays), next(arrays)
        side = mtcnn_reference.DENSE[stage][0]
        upright = kernel.reshape(side, side, channels, -1).transpose(3, 2, 1, 0)
        upright = upright.reshape(kernel.shape[1], -1)
        value = symbol.layer("FullyConnected", "f", value, {}, weight=upright, bias=bias)
        value = symbol.layer("LeakyReLU", "fp", value, {"act_type": "prelu"}, gamma=slope)
    heads = {}
    for size in mtcnn_reference.HEADS[stage]:
        kernel, bias = np.squeeze(next(arrays)).T, next(arrays)
        if stage == "pnet":
            attributes, op = {"kernel": "(1,1)"}, "Convolution"
            kernel = kernel[:, :, None, None]
        else:
            attributes, op = {}, "FullyConnected"
        heads[size] = symbol.layer(op, f"head{size}", value, attributes, weight=kernel, bias=bias)
    softmax = "SoftmaxActivation" if stage == "pnet" else "SoftmaxOutput"
    label = [] if stage == "pnet" else [symbol.null("prob1_label")]
    heads[2] = symbol.node(softmax, "prob1", [heads[2], *label], {})
    order = {"pnet": (4, 2), "rnet": (4, 2), "onet": (10, 4, 2)}[stage]
    symbol.write(folder, name, [heads[size] for size in order], magic)


def write_checkpoint(folder, magic=V2):
    folder.mkdir()
    weights = {}
    for stage, name in (("pnet", "det1"), ("rnet", "det2"), ("onet", "det3")):
        weights[stage] = mtcnn_reference.random_weights(stage, seed=5)
        write_stage(folder, stage, name, weights[stage], magic)
    return weights


@pytest.mark.parametrize("magic", [ANCIENT, V1, V2, V3])
def test_arrays_of_every_version_of_the_format(magic):
    arrays = {"a": np.arange(6).reshape(2, 3), "b": np.array([0.5]), "c": np.zeros((1, 2, 1, 2))}
    found = read_params(params_bytes(arrays, magic), "det1-0001.params")
    assert list(found) == ["a", "b", "c"]
    for name, array in arrays.items():
        np.testing.assert_array_equal(found[name], array)


def test_a_checkpoint_by_path_is_the_same_network_and_takes_rgb(tmp_path, cache):
    weights = write_checkpoint(tmp_path / "mxnet")
    located = locate(tmp_path / "mxnet", "detector")
    assert located.network.architecture == "mtcnn"
    assert located.network.licence == "user supplied"
    assert located.network.colour_order == "RGB"
    rng = np.random.default_rng(2)
    for stage, side in (("pnet", 21), ("rnet", 24), ("onet", 48)):
        pictures = rng.uniform(-1, 1, (2, side, side, 3))
        box, *landmarks, probability = mtcnn_reference.run(stage, weights[stage], pictures)
        session = open_session(located.files[stage])
        feeds = {"input": pictures.transpose(0, 3, 1, 2).astype(np.float32)}
        expected = {"reg": box, "prob": probability, **({"pts": landmarks[0]} if landmarks else {})}
        assert set(session.outputs) == set(expected)
        for name, theirs in expected.items():
            (found,) = session.run(feeds, [name])
            np.testing.assert_allclose(found, np.moveaxis(theirs, -1, 1), atol=1e-4)


def test_det4_sees_five_patches_each_in_rgb(tmp_path, cache):
    folder = tmp_path / "mxnet"
    write_checkpoint(folder)
    symbol = Symbol()
    slices = symbol.node(
        "SliceChannel", "slice", [symbol.null("data")], {"axis": "1", "num_outputs": "5"}
    )
    # patch k answers its mean red value plus k, and a constant
    heads = []
    for k in range(5):
        kernel = np.zeros((1, 3, 24, 24))
        kernel[0, 2] = 1 / 24**2  # MXNet's BGR: red is the last
        patch = symbol.layer(
            "Convolution", f"c{k}", [slices, k], {"kernel": "(24,24)"}, weight=kernel, bias=[k]
        )
        heads.append(
            symbol.layer(
                "FullyConnected", f"f{k}", patch, {}, weight=np.array([[1], [0]]), bias=[0, 0.25]
            )
        )
    symbol.write(folder, "det4", heads)
    session = open_session(locate(folder, "detector").files["lnet"])
    patches = np.zeros((1, 5, 3, 24, 24), np.float32)
    patches[0, :, 0] = np.reshape([0.1, 0.2, 0.3, 0.4, 0.5], (5, 1, 1))
    patches[0, :, 1:] = 9
    answers = session.run({"input": patches.reshape(1, 15, 24, 24)})
    expected = [[[k + 0.1 * (k + 1), 0.25]] for k in range(5)]
    np.testing.assert_allclose(answers, expected, atol=1e-5)


def test_another_checkpoint_in_the_same_folder_is_converted_anew(tmp_path, cache):
    folder = tmp_path / "mxnet"
    write_checkpoint(folder)
    first = locate(folder, "detector")
    write_stage(folder, "rnet", "det2", mtcnn_reference.random_weights("rnet", seed=9), V2)
    second = locate(folder, "detector")
    assert first.digest != second.digest
    assert first.files["rnet"].read_bytes() != second.files["rnet"].read_bytes()


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("det1-0001.params", b"", "det1-0001.params"),
        ("det1-0001.params", struct.pack("<QQQ", 0x112, 0, 1000), "det1-0001.params"),
        ("det2-0001.params", b"\x00" * 64, "does not start like one"),
        ("det3-symbol.json", b"{", "det3-symbol.json"),
        ("det3-symbol.json", b'{"nodes": [], "heads": []}', "0 outputs"),
        (
            "det3-symbol.json",
            b'{"nodes": [{"op": "Dropout", "name": "d", "inputs": []}], "heads": [[0, 0]]}',
            "Dropout",
        ),
    ],
)
def test_a_broken_checkpoint_names_the_file(tmp_path, cache, file, content, message):
    folder = tmp_path / "mxnet"
    write_checkpoint(folder)
    (folder / file).write_bytes(content)
    with pytest.raises(WeightsError, match=message) as problem:
        locate(folder, "detector")
    assert file in str(problem.value)


def test_a_missing_stage_names_the_file(tmp_path, cache):
    folder = tmp_path / "mxnet"
    write_checkpoint(folder)
    (folder / "det3-0001.params").unlink()
    with pytest.raises(WeightsError, match=r"det3-0001\.params"):
        locate(folder, "detector")
