"""TransNetV2 (Souček and Lokoč, 2020) from its PyTorch checkpoint to ONNX, without PyTorch.

The checkpoint is a zip with a pickle that names tensors and one file of raw numbers for each.
The pickle is read by an unpickler that accepts only tensors and dictionaries.
"""

from __future__ import annotations

import pickle
import zipfile
from collections import OrderedDict
from io import BytesIO
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto

from faceveil.errors import WeightsError
from faceveil.weights.onnx_graph import GraphBuilder

WINDOW = 100
NEIGHBOURS = 50
WIDTH, HEIGHT = 48, 27
BINS = 512
DILATIONS = (1, 2, 4, 8)
BATCH_NORM_EPSILON = 1e-3
STORAGES = {"FloatStorage": np.dtype(np.float32), "LongStorage": np.dtype(np.int64)}

Array = NDArray[Any]


class _TensorUnpickler(pickle.Unpickler):
    """Rebuilds tensors as arrays and refuses anything else that a pickle may name."""

    def __init__(self, archive: zipfile.ZipFile, folder: str) -> None:
        super().__init__(BytesIO(archive.read(f"{folder}data.pkl")))
        self.archive, self.folder = archive, folder

    def find_class(self, module: str, name: str) -> Any:  # noqa: ANN401
        allowed = {
            ("torch._utils", "_rebuild_tensor_v2"): self._tensor,
            ("collections", "OrderedDict"): OrderedDict,
            **{("torch", storage): dtype for storage, dtype in STORAGES.items()},
        }
        if (module, name) not in allowed:
            raise pickle.UnpicklingError(f"{module}.{name} is not allowed in a checkpoint")
        return allowed[module, name]

    def persistent_load(self, identity: Any) -> tuple[np.dtype[Any], str]:  # noqa: ANN401
        _, dtype, key, *_ = identity
        return dtype, str(key)

    def _tensor(
        self,
        storage: tuple[np.dtype[Any], str],
        offset: int,
        shape: tuple[int, ...],
        strides: tuple[int, ...],
        *_: object,
    ) -> Array:
        if strides != tuple(int(np.prod(shape[axis + 1 :])) for axis in range(len(shape))):
            raise pickle.UnpicklingError("a tensor is not stored row by row")
        dtype, key = storage
        values = np.frombuffer(self.archive.read(f"{self.folder}data/{key}"), dtype)
        return values[offset : offset + int(np.prod(shape))].reshape(shape)


def read_checkpoint(data: bytes) -> dict[str, Array]:
    """Return the tensors of a .pth file by name. Raises WeightsError for anything else."""
    try:
        archive = zipfile.ZipFile(BytesIO(data))
        (pickled,) = (name for name in archive.namelist() if name.endswith("/data.pkl"))
        tensors = _TensorUnpickler(archive, pickled.removesuffix("data.pkl")).load()
    except (zipfile.BadZipFile, pickle.UnpicklingError, KeyError, ValueError) as error:
        raise WeightsError(f"not a PyTorch checkpoint of plain tensors: {error}") from error
    return dict(tensors)


def build_network(weights: dict[str, Array]) -> onnx.ModelProto:
    """The network as ONNX: "frames" uint8 [1, 100, 27, 48, 3] RGB, answers in [0, 1].

    "single" [1, 100] is high on one frame of a transition, "many" [1, 100] on all of them.
    """
    graph = GraphBuilder("transnetv2")
    value = graph.add("Cast", "frames", to=TensorProto.FLOAT)
    value = graph.add("Mul", value, graph.weights(np.array(1 / 255)))
    value = graph.add("Transpose", value, perm=[0, 4, 1, 2, 3])
    blocks = []
    for block in range(3):
        value = _block(graph, weights, f"SDDCNN.{block}", value)
        blocks.append(value)
    value = graph.add("Transpose", value, perm=[0, 2, 3, 4, 1])
    flat = graph.add("Reshape", value, graph.shape(1, WINDOW, -1))
    colours = _colour_similarity(graph, weights)
    frames = _frame_similarity(graph, weights, blocks)
    value = graph.add("Concat", colours, frames, flat, axis=2)
    value = graph.add("Relu", _linear(graph, weights, "fc1", value))
    for layer, output in (("cls_layer1", "single"), ("cls_layer2", "many")):
        score = graph.add("Sigmoid", _linear(graph, weights, layer, value))
        graph.add("Squeeze", score, graph.shape(2), output=output)
    return graph.model(
        {"frames": (1, WINDOW, HEIGHT, WIDTH, 3)},
        {"single": (1, WINDOW), "many": (1, WINDOW)},
        opset=16,
        input_type=TensorProto.UINT8,
    )


def _block(graph: GraphBuilder, weights: dict[str, Array], name: str, value: str) -> str:
    """Two dilated convolutions with a shortcut around the second, then half the picture's size."""
    first = graph.add("Relu", _dilated(graph, weights, f"{name}.DDCNN.0", value))
    second = graph.add("Relu", _dilated(graph, weights, f"{name}.DDCNN.1", first))
    total = graph.add("Add", second, first)
    return graph.add("AveragePool", total, kernel_shape=[1, 2, 2], strides=[1, 2, 2])


def _dilated(graph: GraphBuilder, weights: dict[str, Array], name: str, value: str) -> str:
    """Four convolutions (2+1)D that look 1, 2, 4 and 8 frames away, side by side.

    Their spatial halves run as one convolution; batch normalisation goes into the temporal halves.
    """
    gain = weights[f"{name}.bn.weight"] / np.sqrt(
        weights[f"{name}.bn.running_var"] + BATCH_NORM_EPSILON
    )
    bias = weights[f"{name}.bn.bias"] - weights[f"{name}.bn.running_mean"] * gain
    spatial = np.concatenate([weights[f"{name}.Conv3D_{d}.layers.0.weight"] for d in DILATIONS])
    value = graph.add(
        "Conv",
        value,
        graph.weights(spatial),
        kernel_shape=[1, 3, 3],
        pads=[0, 1, 1, 0, 1, 1],
    )
    gains, biases = np.split(gain, 4), np.split(bias, 4)
    branches = []
    for part, dilation in enumerate(DILATIONS):
        kernel = weights[f"{name}.Conv3D_{dilation}.layers.1.weight"]
        kernel = kernel * gains[part].reshape(-1, 1, 1, 1, 1)
        branches.append((dilation, graph.weights(kernel), graph.weights(biases[part])))
    temporal = [
        graph.add(
            "Conv",
            piece,
            kernel,
            bias_name,
            kernel_shape=[3, 1, 1],
            dilations=[dilation, 1, 1],
            pads=[dilation, 0, 0, dilation, 0, 0],
        )
        for piece, (dilation, kernel, bias_name) in zip(
            graph.split(value, 4, axis=1), branches, strict=True
        )
    ]
    return graph.add("Concat", *temporal, axis=1)


def _linear(graph: GraphBuilder, weights: dict[str, Array], name: str, value: str) -> str:
    value = graph.add("MatMul", value, graph.weights(weights[f"{name}.weight"].T))
    bias = weights.get(f"{name}.bias")
    return value if bias is None else graph.add("Add", value, graph.weights(bias))


def _neighbour_similarity(graph: GraphBuilder, vectors: str) -> str:
    """Cosine of every frame with the 50 before and after it: [1, T, F] -> [1, T, 101].

    Rows of the padded [T, T + 100] matrix are read one column further each: with one row's worth
    of zeros appended, the flat values reshape to [T, T + 101], whose first 101 columns are it.
    """
    unit = graph.add("LpNormalization", vectors, axis=2, p=2)
    cosine = graph.add("MatMul", unit, graph.add("Transpose", unit, perm=[0, 2, 1]))
    padded = graph.add("Pad", cosine, graph.shape(0, 0, NEIGHBOURS, 0, 0, NEIGHBOURS))
    flat = graph.add("Reshape", padded, graph.shape(1, -1))
    flat = graph.add("Pad", flat, graph.shape(0, 0, 0, WINDOW))
    span = 2 * NEIGHBOURS + 1
    skewed = graph.add("Reshape", flat, graph.shape(1, WINDOW, WINDOW + span))
    return graph.add("Slice", skewed, graph.shape(0), graph.shape(span), graph.shape(2))


def _frame_similarity(graph: GraphBuilder, weights: dict[str, Array], blocks: list[str]) -> str:
    means = [graph.add("ReduceMean", block, axes=[3, 4], keepdims=0) for block in blocks]
    vectors = graph.add("Transpose", graph.add("Concat", *means, axis=1), perm=[0, 2, 1])
    vectors = _linear(graph, weights, "frame_sim_layer.projection", vectors)
    similarity = _neighbour_similarity(graph, vectors)
    return graph.add("Relu", _linear(graph, weights, "frame_sim_layer.fc", similarity))


def _colour_similarity(graph: GraphBuilder, weights: dict[str, Array]) -> str:
    """Similarity of histograms of 8x8x8 colours, counted with one scatter over all frames."""
    pixels = WIDTH * HEIGHT
    value = graph.add("Cast", "frames", to=TensorProto.INT32)
    value = graph.add("Div", value, graph.constant(np.array(32, np.int32)))
    value = graph.add("Mul", value, graph.constant(np.array([64, 8, 1], np.int32)))
    value = graph.add("ReduceSum", value, graph.shape(4), keepdims=0)
    value = graph.add("Reshape", value, graph.shape(WINDOW, pixels))
    offsets = np.arange(WINDOW, dtype=np.int32).reshape(-1, 1) * BINS
    value = graph.add("Add", value, graph.constant(offsets))
    value = graph.add("Reshape", value, graph.shape(-1))
    counts = graph.add(
        "ScatterElements",
        graph.weights(np.zeros(WINDOW * BINS)),
        value,
        graph.weights(np.ones(WINDOW * pixels)),
        axis=0,
        reduction="add",
    )
    histograms = graph.add("Reshape", counts, graph.shape(1, WINDOW, BINS))
    similarity = _neighbour_similarity(graph, histograms)
    return graph.add("Relu", _linear(graph, weights, "color_hist_layer.fc", similarity))
