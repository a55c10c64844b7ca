"""A folder like InsightFace's packs, with networks whose answers are known exactly.

The detector has SCRFD's outputs. It sees squares of colour: full red in a cell of 8 pixels, full
green in one of 16, full blue in one of 32 is a face of the cell's first anchor, half the colour one
of its second. `BOXES` and `POINTS` are what it answers there, in strides.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

STRIDES = (8, 16, 32)
BOXES = np.array([[1.5, 2, 2.5, 3], [2.5, 3, 3.5, 4.5]], np.float32)
"""Left, top, right, bottom of the cell's corner, of each anchor."""
SHARED = {"one", "half", "zero", "steep", "three", "two", "boxes", "points"}
POINTS = np.array([np.linspace(-1, 2, 10), np.linspace(-2, 3, 10)], np.float32).round(2)


def expected(stride: int, column: int, row: int, anchor: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Box [4] and landmarks [5, 2] of the face in a cell."""
    corner = np.array([column, row], np.float32) * stride
    left, top, right, bottom = BOXES[anchor] * stride
    box = np.array([corner[0] - left, corner[1] - top, corner[0] + right, corner[1] + bottom])
    return box, corner + POINTS[anchor].reshape(5, 2) * stride


def paint(picture: np.ndarray, stride: int, column: int, row: int, anchor: int = 0) -> None:
    """Put a face of the detector into a picture RGB uint8 [H, W, 3]."""
    top, left = row * stride, column * stride
    cell = picture[top : top + stride, left : left + stride]
    cell[..., STRIDES.index(stride)] = 128 if anchor else 255


def detector(
    landmarks: bool = True, anchors: int = 2, batched: bool = False, side: int | str = "side"
) -> bytes:
    """side: "side" for any size of picture; landmarks: 9 outputs, else 6; batched: [1, n, …]."""
    weights = {
        "one": [1.0], "half": [0.5], "shift": [127.5 / 128], "grain": [128 / 255],
        "zero": [0.0], "steep": [6.0], "three": [3.0], "two": [2.0],
        "boxes": BOXES[:anchors], "points": POINTS[:anchors],
    }  # fmt: skip
    shapes = {f"shape{size}": [1, -1, size] if batched else [-1, size] for size in (1, 4, 10)}
    shapes |= {"anchored": [-1, anchors, 1]}
    nodes = [
        helper.make_node("Add", ["input.1", "shift"], ["lifted"]),
        helper.make_node("Mul", ["lifted", "grain"], ["colours"]),
        helper.make_node("Split", ["colours"], ["c8", "c16", "c32"], axis=1, num_outputs=3),
    ]
    for stride in STRIDES:
        nodes += _level(stride, anchors, landmarks)
    sizes = (1, 4, 10) if landmarks else (1, 4)
    outputs = [(f"{size}_{stride}", size) for size in sizes for stride in STRIDES]
    rows = [1, "n"] if batched else ["n"]
    graph = helper.make_graph(
        nodes,
        "scrfd",
        [helper.make_tensor_value_info("input.1", TensorProto.FLOAT, [1, 3, side, side])],
        [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, [*rows, size])
            for name, size in outputs
        ],
        [numpy_helper.from_array(np.array(value, np.float32), k) for k, value in weights.items()]
        + [numpy_helper.from_array(np.array(value, np.int64), k) for k, value in shapes.items()],
    )
    return _bytes(graph)


def _level(stride: int, anchors: int, landmarks: bool) -> list[onnx.NodeProto]:
    """From the mean colour of each cell to its scores, boxes and landmarks."""

    def node(operator: str, inputs: list[str], output: str, **options: Any) -> onnx.NodeProto:
        names = [name if name in SHARED else f"{name}_{stride}" for name in inputs]
        return helper.make_node(operator, names, [f"{output}_{stride}"], **options)

    window: dict[str, Any] = {"kernel_shape": [stride, stride], "strides": [stride, stride]}
    nodes = [
        helper.make_node("AveragePool", [f"c{stride}"], [f"mean_{stride}"], **window),
        # the first anchor: 3 x - 2; the second: 1 - 6 |x - 0.5|
        node("Mul", ["mean", "three"], "tripled"),
        node("Sub", ["tripled", "two"], "first"),
        node("Sub", ["mean", "half"], "off"),
        node("Abs", ["off"], "away"),
        node("Mul", ["away", "steep"], "far"),
        node("Sub", ["one", "far"], "second"),
        node("Concat", ["first", "second"][:anchors], "both", axis=1),
        node("Relu", ["both"], "clipped"),
        node("Transpose", ["clipped"], "cells", perm=[0, 2, 3, 1]),
        helper.make_node("Reshape", [f"cells_{stride}", "shape1"], [f"1_{stride}"]),
        helper.make_node("Reshape", [f"cells_{stride}", "anchored"], [f"by_anchor_{stride}"]),
        node("Mul", ["by_anchor", "zero"], "nothing"),
        node("Add", ["nothing", "boxes"], "reach"),
        helper.make_node("Reshape", [f"reach_{stride}", "shape4"], [f"4_{stride}"]),
    ]
    if landmarks:
        nodes += [
            node("Add", ["nothing", "points"], "marks"),
            helper.make_node("Reshape", [f"marks_{stride}", "shape10"], [f"10_{stride}"]),
        ]
    return nodes


def recognizer() -> bytes:
    """From faces [N, 3, 112, 112] to their mean colour and one number more."""
    kernel = np.concatenate([np.eye(3), np.ones((1, 3))]).reshape(4, 3, 1, 1)
    graph = helper.make_graph(
        [
            helper.make_node("Conv", ["input.1", "kernel"], ["mixed"], kernel_shape=[1, 1]),
            helper.make_node("GlobalAveragePool", ["mixed"], ["mean"]),
            helper.make_node("Flatten", ["mean"], ["683"]),
        ],
        "arcface",
        [helper.make_tensor_value_info("input.1", TensorProto.FLOAT, ["None", 3, 112, 112])],
        [helper.make_tensor_value_info("683", TensorProto.FLOAT, [1, 4])],
        [numpy_helper.from_array(kernel.astype(np.float32), "kernel")],
    )
    return _bytes(graph)


def _bytes(graph: onnx.GraphProto) -> bytes:
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.checker.check_model(model)
    content: bytes = model.SerializeToString()
    return content


def write_pack(folder: Path) -> Path:
    """A folder with the file names of buffalo_l."""
    folder.mkdir()
    (folder / "det_10g.onnx").write_bytes(detector())
    (folder / "w600k_r50.onnx").write_bytes(recognizer())
    for name in ("1k3d68.onnx", "2d106det.onnx", "genderage.onnx"):
        (folder / name).write_bytes(b"not looked at")
    return folder
