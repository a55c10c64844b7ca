"""Building an ONNX graph node by node, for the converters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

Shape = Sequence[int | str]


class GraphBuilder:
    """Collects nodes and constants; every method that adds one returns the name of its output."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[onnx.TensorProto] = []

    def constant(self, value: NDArray[Any]) -> str:
        """Store an array and name it."""
        name = f"constant{len(self.initializers)}"
        self.initializers.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def weights(self, value: NDArray[Any]) -> str:
        """Store an array as float32 and name it."""
        return self.constant(np.asarray(value, np.float32))

    def shape(self, *dimensions: int) -> str:
        """Store a shape, axes or paddings as int64 and name them."""
        return self.constant(np.array(dimensions, np.int64))

    def add(self, operator: str, *inputs: str, output: str | None = None, **attributes: Any) -> str:  # noqa: ANN401
        """Add a node with one output."""
        output = output or f"{operator.lower()}{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, list(inputs), [output], **attributes))
        return output

    def split(self, value: str, parts: int, axis: int) -> list[str]:
        """Split a value into equal parts along an axis."""
        outputs = [f"split{len(self.nodes)}_{part}" for part in range(parts)]
        self.nodes.append(helper.make_node("Split", [value], outputs, axis=axis))
        return outputs

    def model(
        self,
        inputs: dict[str, Shape],
        outputs: dict[str, Shape],
        opset: int = 13,
        input_type: int = TensorProto.FLOAT,
    ) -> onnx.ModelProto:
        """The finished model, checked."""
        graph = helper.make_graph(
            self.nodes,
            self.name,
            [helper.make_tensor_value_info(name, input_type, s) for name, s in inputs.items()],
            [
                helper.make_tensor_value_info(name, TensorProto.FLOAT, s)
                for name, s in outputs.items()
            ],
            self.initializers,
        )
        model = helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid("", opset)],
            ir_version=8,
            producer_name="faceveil",
        )
        onnx.checker.check_model(model, full_check=True)
        return model
