"""MTCNN weights of the PyPI package mtcnn (lz4-compressed joblib) to three ONNX networks.

Zhang et al., "Joint Face Detection and Alignment using Multi-task Cascaded Convolutional
Networks", 2016. Each file is a list of arrays in the order of the layers, as TensorFlow lays
them out: kernels [height, width, in, out]; R-Net and O-Net flatten as (width, height, channel).
"""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from faceveil.weights.onnx_graph import GraphBuilder

LAYERS = {
    "pnet": ("conv", "pool2", "conv", "conv"),
    "rnet": ("conv", "pool3", "conv", "pool3", "conv", "dense"),
    "onet": ("conv", "pool3", "conv", "pool3", "conv", "pool2", "conv", "dense"),
}
INPUT_SIDE = {"pnet": None, "rnet": 24, "onet": 48}
HEADS = {"pnet": ("reg", "prob"), "rnet": ("reg", "prob"), "onet": ("reg", "pts", "prob")}
HEAD_SIZE = {"reg": 4, "prob": 2, "pts": 10}

Array = NDArray[Any]


def read_arrays(data: bytes) -> list[Array]:
    """The arrays of one .lz4 file. It is a pickle: `data` must have passed its hash check."""
    import joblib

    return [np.asarray(array) for array in joblib.load(BytesIO(data))]


def build_network(name: str, arrays: list[Array]) -> onnx.ModelProto:
    """One stage ("pnet", "rnet" or "onet") as ONNX.

    Input "input" float32 [N, 3, H, W] upright RGB, (x - 127.5) / 128; outputs "prob" [N, 2, …]
    (not a face, a face), "reg" [N, 4, …] and for onet "pts" [N, 10], x1..x5 then y1..y5 relative
    to the crop. For pnet H and W are free and the outputs are maps [N, ·, h, w].
    """
    graph = GraphBuilder(name)
    remaining = iter(arrays)
    value, channels = "input", 3
    for layer in LAYERS[name]:
        if layer == "conv":
            value, channels = _convolution(graph, value, remaining)
        elif layer == "dense":
            value = _dense(graph, value, remaining, channels)
        else:
            sides = [int(layer[-1])] * 2
            value = graph.add("MaxPool", value, kernel_shape=sides, strides=[2, 2], ceil_mode=1)
    for head in HEADS[name]:
        _head(graph, value, head, remaining)
    side = INPUT_SIDE[name]
    spatial = ("h", "w") if side is None else ()
    return graph.model(
        {"input": ("N", 3, side or "H", side or "W")},
        {head: ("N", HEAD_SIZE[head], *spatial) for head in HEADS[name]},
    )


def _convolution(graph: GraphBuilder, value: str, arrays: Iterator[Array]) -> tuple[str, int]:
    kernel, bias, slope = next(arrays).transpose(3, 2, 0, 1), next(arrays), next(arrays)
    value = graph.add(
        "Conv", value, graph.weights(kernel), graph.weights(bias), kernel_shape=kernel.shape[2:]
    )
    value = graph.add("PRelu", value, graph.weights(slope.reshape(-1, 1, 1)))
    return value, len(kernel)


def _dense(graph: GraphBuilder, value: str, arrays: Iterator[Array], channels: int) -> str:
    kernel, bias, slope = next(arrays), next(arrays), next(arrays)
    side = round((len(kernel) / channels) ** 0.5)
    # rows (width, height, channel) -> (channel, height, width), the order of ONNX's Flatten
    kernel = kernel.reshape(side, side, channels, -1).transpose(2, 1, 0, 3).reshape(kernel.shape)
    value = graph.add("Flatten", value, axis=1)
    value = graph.add("Gemm", value, graph.weights(kernel), graph.weights(bias))
    return graph.add("PRelu", value, graph.weights(slope))


def _head(graph: GraphBuilder, value: str, head: str, arrays: Iterator[Array]) -> None:
    kernel, bias = next(arrays), next(arrays)
    output = None if head == "prob" else head
    if kernel.ndim == 4:
        kernel = kernel.transpose(3, 2, 0, 1)
        result = graph.add(
            "Conv",
            value,
            graph.weights(kernel),
            graph.weights(bias),
            kernel_shape=[1, 1],
            output=output,
        )
    else:
        result = graph.add("Gemm", value, graph.weights(kernel), graph.weights(bias), output=output)
    if head == "prob":
        graph.add("Softmax", result, axis=1, output="prob")
