"""PReLU written as two depthwise 1x1 convolutions, so that onnxruntime keeps its blocked layout.

prelu(x) = a*x + (1 - a)*relu(x). onnxruntime has no PReLU kernel for its blocked (NCHWc) layout
and would convert back and forth around each one; MobileFaceNet runs twice as fast like this. A
PReLU after a fully connected layer stays: its input has no layout to keep.
"""

from __future__ import annotations

from collections import Counter

import numpy as np
import onnx
from onnx import helper, numpy_helper

CHANNEL_OPERATORS = ("Conv", "ConvTranspose", "BatchNormalization")


def rewrite_prelu(model: onnx.ModelProto) -> onnx.ModelProto:
    """The same network, equal to 1e-5, without a PReLU over channels. The model is changed."""
    graph = model.graph
    slopes = {tensor.name: tensor for tensor in graph.initializer}
    producers = {output: node.op_type for node in graph.node for output in node.output}
    nodes: list[onnx.NodeProto] = []
    for node in graph.node:
        slope = slopes.get(node.input[1]) if node.op_type == "PRelu" else None
        if slope is None or not _is_per_channel(slope, producers.get(node.input[0])):
            nodes.append(node)
        else:
            nodes.extend(_depthwise(graph, node, numpy_helper.to_array(slope).reshape(-1)))
    del graph.node[:]
    graph.node.extend(nodes)
    _drop_unused_initializers(graph)
    return model


def _is_per_channel(slope: onnx.TensorProto, producer: str | None) -> bool:
    """Slopes [C, 1, 1], or [C] straight after a layer over channels (old MXNet exports)."""
    if len(slope.dims) == 1:
        return producer in CHANNEL_OPERATORS and slope.dims[0] > 1
    return len(slope.dims) >= 3 and list(slope.dims[-2:]) == [1, 1] and slope.dims[-3] > 1


def _depthwise(
    graph: onnx.GraphProto,
    node: onnx.NodeProto,
    slope: np.ndarray[tuple[int], np.dtype[np.float32]],
) -> list[onnx.NodeProto]:
    value, output, channels = node.input[0], node.output[0], len(slope)
    for suffix, factor in (("slope", slope), ("rest", 1 - slope)):
        kernel = np.ascontiguousarray(factor, np.float32).reshape(channels, 1, 1, 1)
        graph.initializer.append(numpy_helper.from_array(kernel, f"{output}_{suffix}"))

    def scale(source: str, kernel: str, target: str) -> onnx.NodeProto:
        inputs = [source, f"{output}_{kernel}"]
        return helper.make_node("Conv", inputs, [target], group=channels, kernel_shape=[1, 1])

    return [
        helper.make_node("Relu", [value], [f"{output}_positive"]),
        scale(value, "slope", f"{output}_all"),
        scale(f"{output}_positive", "rest", f"{output}_more"),
        helper.make_node("Add", [f"{output}_all", f"{output}_more"], [output]),
    ]


def _drop_unused_initializers(graph: onnx.GraphProto) -> None:
    used = Counter(name for node in graph.node for name in node.input)
    kept = [tensor for tensor in graph.initializer if used[tensor.name]]
    del graph.initializer[:]
    graph.initializer.extend(kept)
