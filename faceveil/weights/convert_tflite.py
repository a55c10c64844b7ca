"""MobileFaceNet.tflite (sirius-ai's, Chen et al. 2018) to ONNX with a free batch.

TFLite has no PReLU: its exporter writes relu(x) + slope/2 * (x - |x|) as five operators. They
become one PRelu here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from faceveil.errors import WeightsError
from faceveil.weights.onnx_graph import GraphBuilder

PRELU = ["RELU", "ABS", "SUB", "MUL", "ADD"]
DTYPES = {0: np.float32, 2: np.int32}
SAME_PADDING = 0


@dataclass(frozen=True, slots=True)
class Operation:
    """One operator of the file: its name, tensor numbers, and the raw flatbuffer table."""

    name: str
    inputs: list[int]
    outputs: list[int]
    table: Any


class TfliteFile:
    """Reads operators, shapes and constants out of the flatbuffer."""

    def __init__(self, data: bytes) -> None:
        import tflite

        self.model = tflite.Model.GetRootAs(data, 0)
        self.graph = self.model.Subgraphs(0)
        names = {v: k for k, v in vars(tflite.BuiltinOperator).items() if isinstance(v, int)}
        self.operations = [self._operation(i, names) for i in range(self.graph.OperatorsLength())]

    def _operation(self, index: int, names: dict[int, str]) -> Operation:
        table = self.graph.Operators(index)
        code = self.model.OperatorCodes(table.OpcodeIndex())
        name = names[max(code.BuiltinCode(), code.DeprecatedBuiltinCode())]
        inputs, outputs = table.InputsAsNumpy().tolist(), table.OutputsAsNumpy().tolist()
        return Operation(name, inputs, outputs, table)

    def shape(self, tensor: int) -> list[int]:
        table = self.graph.Tensors(tensor)
        return [int(n) for n in table.ShapeAsNumpy()] if table.ShapeLength() else []

    def constant(self, tensor: int) -> NDArray[Any] | None:
        """The values stored in the file, or None for a tensor that is computed."""
        table = self.graph.Tensors(tensor)
        buffer = self.model.Buffers(table.Buffer())
        if not buffer.DataLength():
            return None
        raw = buffer.DataAsNumpy().tobytes()
        return np.frombuffer(raw, DTYPES[table.Type()]).reshape(self.shape(tensor))

    def required(self, tensor: int) -> NDArray[Any]:
        values = self.constant(tensor)
        if values is None:
            raise WeightsError(f"MobileFaceNet.tflite: tensor {tensor} should be a constant")
        return values


def build_network(data: bytes) -> onnx.ModelProto:
    """The network as ONNX: RGB pictures in, features out.

    "input" float32 [N, 3, 112, 112], (x - 127.5) / 128; "feature" [N, 192], not yet normalised.
    Raises WeightsError for an operator that MobileFaceNet does not have.
    """
    file = TfliteFile(data)
    graph = GraphBuilder("mobilefacenet")
    source, target = int(file.graph.Inputs(0)), int(file.graph.Outputs(0))
    values = {source: "input"}
    operations = file.operations
    index = 0
    while index < len(operations):
        operation = operations[index]
        if [step.name for step in operations[index : index + 5]] == PRELU:
            index += 4
            _prelu(graph, file, values, operations[index - 4 : index + 1])
        elif operation.name in ("CONV_2D", "DEPTHWISE_CONV_2D"):
            _convolution(graph, file, values, operation)
        elif operation.name == "ADD":
            left, right = operation.inputs
            values[operation.outputs[0]] = graph.add("Add", values[left], values[right])
        elif operation.name == "RESHAPE":
            flat = graph.add("Flatten", values[operation.inputs[0]], axis=1)
            values[operation.outputs[0]] = flat
        else:
            raise WeightsError(f"MobileFaceNet.tflite: cannot convert operator {operation.name}")
        index += 1
    graph.add("Identity", values[target], output="feature")
    _, height, width, channels = file.shape(source)
    return graph.model(
        {"input": ("N", channels, height, width)}, {"feature": ("N", file.shape(target)[-1])}
    )


def _convolution(
    graph: GraphBuilder, file: TfliteFile, values: dict[int, str], operation: Operation
) -> None:
    import tflite

    depthwise = operation.name == "DEPTHWISE_CONV_2D"
    options = tflite.DepthwiseConv2DOptions() if depthwise else tflite.Conv2DOptions()
    table = operation.table.BuiltinOptions()
    options.Init(table.Bytes, table.Pos)
    if options.FusedActivationFunction() or (
        options.DilationHFactor() != 1 or options.DilationWFactor() != 1
    ):
        raise WeightsError("MobileFaceNet.tflite: fused or dilated convolutions are not expected")
    # TFLite keeps [out, h, w, in], and [1, h, w, channels] where depthwise
    kernel = file.required(operation.inputs[1]).transpose(
        (3, 0, 1, 2) if depthwise else (0, 3, 1, 2)
    )
    _, height, width, channels = file.shape(operation.inputs[0])
    strides = (options.StrideH(), options.StrideW())
    same = options.Padding() == SAME_PADDING
    values[operation.outputs[0]] = graph.add(
        "Conv",
        values[operation.inputs[0]],
        graph.weights(kernel),
        graph.weights(file.required(operation.inputs[2])),
        group=channels if depthwise else 1,
        kernel_shape=kernel.shape[2:],
        strides=strides,
        pads=_same_pads((height, width), kernel.shape[2:], strides) if same else [0, 0, 0, 0],
    )


def _same_pads(size: Sequence[int], kernel: Sequence[int], strides: Sequence[int]) -> list[int]:
    """TensorFlow's "SAME" padding, top, left, bottom, right: the odd pixel goes to the end."""
    total = [
        max((-(-length // stride) - 1) * stride + side - length, 0)
        for length, side, stride in zip(size, kernel, strides, strict=True)
    ]
    before = [pixels // 2 for pixels in total]
    return before + [pixels - first for pixels, first in zip(total, before, strict=True)]


def _prelu(
    graph: GraphBuilder, file: TfliteFile, values: dict[int, str], steps: Sequence[Operation]
) -> None:
    relu, absolute, subtract, multiply, add = steps
    (source,) = relu.inputs
    follows = (
        absolute.inputs == [source]
        and subtract.inputs == [source, *absolute.outputs]
        and set(add.inputs) == {*relu.outputs, *multiply.outputs}
    )
    constants = [c for c in map(file.constant, multiply.inputs) if c is not None]
    if not follows or len(constants) != 1:
        raise WeightsError("MobileFaceNet.tflite: a PReLU is not written the way it was expected")
    slope = graph.weights(2 * constants[0].reshape(-1, 1, 1))
    values[add.outputs[0]] = graph.add("PRelu", values[source], slope)
