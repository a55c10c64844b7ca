"""MXNet MTCNN checkpoints (det1..det4, the thesis's detector) to ONNX, without MXNet.

These checkpoints see upright pictures in BGR order, (x - 127.5) / 128; they are the same numbers
as the original Caffe networks, whose first layer MXNet's converter turned to BGR. The first
layer is turned back here, so that the result takes RGB and is a drop-in for the other MTCNN.
det4 refines the five landmarks and is optional.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Callable
from typing import Any

import onnx
from numpy.typing import NDArray

from faceveil.errors import WeightsError
from faceveil.weights.mxnet_params import read_params
from faceveil.weights.onnx_graph import GraphBuilder

STAGES = {"pnet": "det1", "rnet": "det2", "onet": "det3", "lnet": "det4"}
INPUT_SHAPES: dict[str, tuple[int | str, ...]] = {
    "pnet": ("N", 3, "H", "W"),
    "rnet": ("N", 3, 24, 24),
    "onet": ("N", 3, 48, 48),
    "lnet": ("N", 15, 24, 24),
}
# the order of the heads in each -symbol.json: box, landmarks, probability
HEADS = {
    "pnet": ("reg", "prob"),
    "rnet": ("reg", "prob"),
    "onet": ("pts", "reg", "prob"),
    "lnet": ("pts1", "pts2", "pts3", "pts4", "pts5"),
}
HEAD_SIZE = {"reg": 4, "prob": 2, "pts": 10}

Attributes = dict[str, str]
Parameters = dict[str, NDArray[Any]]


def build_network(stage: str, symbol: bytes, params: bytes) -> onnx.ModelProto:
    """One stage as ONNX, with the interface of convert_mtcnn.

    "lnet" takes five RGB patches side by side, "input" [N, 15, 24, 24], and answers "pts1" to
    "pts5" [N, 2]: x, y of each landmark relative to its patch. Raises WeightsError for files that
    are not such a network.
    """
    name = STAGES[stage]
    parameters = read_params(params, f"{name}-0001.params")
    try:
        document = json.loads(symbol)
        converter = _SymbolConverter(stage, document["nodes"], parameters)
        heads = [
            converter.convert(int(node), int(output)) for node, output, *_ in document["heads"]
        ]
    except (ValueError, KeyError, IndexError, TypeError) as error:
        raise WeightsError(
            f"{name}-symbol.json: not an MTCNN stage that can be converted: {error!r}"
        ) from error
    return converter.model(heads)


class _SymbolConverter:
    """Walks MXNet's list of nodes, which is in the order of computation."""

    def __init__(self, stage: str, nodes: list[dict[str, Any]], parameters: Parameters) -> None:
        self.stage, self.nodes, self.parameters = stage, nodes, parameters
        self.graph = GraphBuilder(stage)
        self.values: dict[tuple[int, int], str] = {}

    def convert(self, node: int, output: int) -> str:
        """The name of one output of one node, converting what it needs first."""
        for index in range(node + 1):
            if (index, 0) not in self.values:
                self._convert_node(index)
        return self.values[node, output]

    def model(self, heads: list[str]) -> onnx.ModelProto:
        names = HEADS[self.stage]
        if len(heads) != len(names):
            raise WeightsError(
                f"{STAGES[self.stage]}-symbol.json: has {len(heads)} outputs, {len(names)} expected"
            )
        for head, name in zip(heads, names, strict=True):
            self.graph.add("Identity", head, output=name)
        spatial = ("h", "w") if self.stage == "pnet" else ()
        return self.graph.model(
            {"input": INPUT_SHAPES[self.stage]},
            {name: ("N", HEAD_SIZE.get(name, 2), *spatial) for name in names},
        )

    def _convert_node(self, index: int) -> None:
        node = self.nodes[index]
        operator = node["op"]
        if operator == "null":
            self.values[index, 0] = "input" if node["name"] == "data" else node["name"]
            return
        attributes = node.get("param") or node.get("attrs") or node.get("attr") or {}
        inputs = [self.values[int(source), int(output)] for source, output, *_ in node["inputs"]]
        if operator == "SliceChannel":
            parts = int(attributes["num_outputs"])
            outputs = self.graph.split(inputs[0], parts, int(attributes.get("axis", 1)))
            self.values.update({(index, part): name for part, name in enumerate(outputs)})
            return
        convert = OPERATORS.get(operator)
        if convert is None:
            raise ValueError(f"operator {operator} is not supported")
        self.values[index, 0] = convert(self, node, attributes, inputs)

    def convolution(self, node: dict[str, Any], attributes: Attributes, inputs: list[str]) -> str:
        kernel, *bias = (self.parameters[name] for name in inputs[1:])
        if self._sees_picture(node):
            kernel = kernel[:, ::-1]  # BGR to RGB
        pads = _numbers(attributes.get("pad", "(0, 0)"))
        return self.graph.add(
            "Conv",
            inputs[0],
            self.graph.weights(kernel),
            *map(self.graph.weights, bias),
            kernel_shape=kernel.shape[2:],
            strides=_numbers(attributes.get("stride", "(1, 1)")),
            dilations=_numbers(attributes.get("dilate", "(1, 1)")),
            pads=pads + pads,
            group=int(attributes.get("num_group", 1)),
        )

    def prelu(self, node: dict[str, Any], attributes: Attributes, inputs: list[str]) -> str:
        if attributes["act_type"] != "prelu":
            raise ValueError(f"activation {attributes['act_type']} is not supported")
        slope = self.parameters[inputs[1]]
        if self._source(node)["op"] != "FullyConnected":
            slope = slope.reshape(-1, 1, 1)
        return self.graph.add("PRelu", inputs[0], self.graph.weights(slope))

    def pooling(self, _node: dict[str, Any], attributes: Attributes, inputs: list[str]) -> str:
        if attributes["pool_type"] != "max" or attributes.get("global_pool", "False") != "False":
            raise ValueError("only max pooling is supported")
        pads = _numbers(attributes.get("pad", "(0, 0)"))
        return self.graph.add(
            "MaxPool",
            inputs[0],
            kernel_shape=_numbers(attributes["kernel"]),
            strides=_numbers(attributes.get("stride", "(1, 1)")),
            pads=pads + pads,
            ceil_mode=int(attributes.get("pooling_convention") == "full"),
        )

    def dense(self, _node: dict[str, Any], _attributes: Attributes, inputs: list[str]) -> str:
        flat = self.graph.add("Flatten", inputs[0], axis=1)
        tensors = [self.graph.weights(self.parameters[name]) for name in inputs[1:]]
        return self.graph.add("Gemm", flat, *tensors, transB=1)

    def softmax(self, _node: dict[str, Any], _attributes: Attributes, inputs: list[str]) -> str:
        return self.graph.add("Softmax", inputs[0], axis=1)

    def concat(self, _node: dict[str, Any], attributes: Attributes, inputs: list[str]) -> str:
        return self.graph.add("Concat", *inputs, axis=int(attributes.get("dim", 1)))

    def _source(self, node: dict[str, Any]) -> dict[str, Any]:
        source: dict[str, Any] = self.nodes[int(node["inputs"][0][0])]
        return source

    def _sees_picture(self, node: dict[str, Any]) -> bool:
        source = self._source(node)
        return bool(source["name"] == "data" or source["op"] == "SliceChannel")


Convert = Callable[[_SymbolConverter, dict[str, Any], Attributes, list[str]], str]
OPERATORS: dict[str, Convert] = {
    "Convolution": _SymbolConverter.convolution,
    "LeakyReLU": _SymbolConverter.prelu,
    "Pooling": _SymbolConverter.pooling,
    "FullyConnected": _SymbolConverter.dense,
    "SoftmaxActivation": _SymbolConverter.softmax,
    "SoftmaxOutput": _SymbolConverter.softmax,
    "Concat": _SymbolConverter.concat,
}


def _numbers(text: str) -> list[int]:
    return [int(number) for number in ast.literal_eval(text)]
