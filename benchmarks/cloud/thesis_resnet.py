"""ArcFace's ResNet100 (LResNet100E-IR) with weights of no meaning, for measuring time only.

The thesis's recogniser, a file of 261 MB at a URL. How long a network runs does not depend on its
weights, so this stands in where the file cannot be had.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

STAGES = ((64, 3), (128, 13), (256, 30), (512, 3))
SIDE, FEATURE_SIZE = 112, 512


class Graph:
    """Nodes and weights, one after the other."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []
        self._random = np.random.default_rng(1)

    def weight(self, *shape: int, value: float | None = None) -> str:
        name = f"w{len(self.weights)}"
        data = (
            self._random.normal(0, np.sqrt(1 / np.prod(shape[1:])), shape)
            if value is None
            else np.full(shape, value)
        )
        self.weights.append(numpy_helper.from_array(data.astype(np.float32), name))
        return name

    def add(self, operator: str, *inputs: str, **attributes: object) -> str:
        output = f"x{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, list(inputs), [output], **attributes))
        return output

    def convolve(self, value: str, inputs: int, outputs: int, side: int, stride: int) -> str:
        pad = side // 2
        return self.add(
            "Conv",
            value,
            self.weight(outputs, inputs, side, side),
            kernel_shape=[side, side],
            strides=[stride, stride],
            pads=[pad] * 4,
        )

    def normalise(self, value: str, channels: int) -> str:
        terms = [self.weight(channels, value=v) for v in (1.0, 0.0, 0.0, 1.0)]
        return self.add("BatchNormalization", value, *terms)

    def prelu(self, value: str, channels: int) -> str:
        return self.add("PRelu", value, self.weight(channels, 1, 1, value=0.25))

    def unit(self, value: str, inputs: int, outputs: int, stride: int) -> str:
        inner = self.convolve(self.normalise(value, inputs), inputs, outputs, 3, 1)
        inner = self.prelu(self.normalise(inner, outputs), outputs)
        inner = self.normalise(self.convolve(inner, outputs, outputs, 3, stride), outputs)
        if stride > 1:
            value = self.normalise(self.convolve(value, inputs, outputs, 1, stride), outputs)
        return self.add("Add", inner, value)


def write_resnet100(path: Path) -> None:
    graph = Graph()
    value = graph.prelu(graph.normalise(graph.convolve("input", 3, 64, 3, 1), 64), 64)
    inputs = 64
    for outputs, units in STAGES:
        for index in range(units):
            value = graph.unit(value, inputs, outputs, 2 if index == 0 else 1)
            inputs = outputs
    value = graph.add("Flatten", graph.normalise(value, inputs))
    last = SIDE // 2 ** len(STAGES)
    graph.add("Gemm", value, graph.weight(inputs * last * last, FEATURE_SIZE))
    picture = helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, 3, SIDE, SIDE])
    feature = helper.make_tensor_value_info(
        graph.nodes[-1].output[0], TensorProto.FLOAT, [1, FEATURE_SIZE]
    )
    model = helper.make_graph(graph.nodes, "resnet100", [picture], [feature], graph.weights)
    opset = helper.make_opsetid("", 17)
    onnx.save(helper.make_model(model, opset_imports=[opset], ir_version=8), path)
