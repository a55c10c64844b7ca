"""The shape of the thesis's handler, for benchmarks/cloud/serving.py to beat.

Pillow decodes; MTCNN makes each level of its pyramid from the whole picture, cuts every candidate
out in a loop, and its networks are used as converted; every face is aligned and represented on its
own; json writes the answer. The thesis ran these networks in MXNet, which is retired: here they run
in onnxruntime, which is quicker, so what is measured flatters the thesis.
"""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
from numpy.typing import NDArray
from PIL import Image as Picture

from benchmarks.cloud.thesis_resnet import write_resnet100
from faceveil.weights.convert_mtcnn import build_network, read_arrays
from faceveil.weights.convert_tflite import build_network as build_recognizer
from faceveil.weights.fetch import fetch_members
from faceveil.weights.manifest import load_manifest
from faceveil.weights.session import Runtime, open_session

THRESHOLDS = (0.6, 0.7, 0.8)
FACTOR = 0.709
CELL, STRIDE = 12, 2
TEMPLATE = np.array(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655],
     [70.7299, 92.2041]], np.float32)  # fmt: skip

Array = NDArray[Any]


def write_networks(folder: Path) -> None:
    """The networks as they were converted, before faceveil rewrites them, and ResNet100."""
    known = load_manifest()
    for name, data in fetch_members(known["mtcnn"], lambda line: None).items():
        onnx.save(build_network(name, read_arrays(data)), folder / f"{name}.onnx")
    data = fetch_members(known["arcface-mobilefacenet"], lambda line: None)["model"]
    onnx.save(build_recognizer(data), folder / "arcface.onnx")
    write_resnet100(folder / "resnet100.onnx")


class ThesisHandler:
    """Bytes of a picture to the thesis's list of {"bbox", "feat"}, as JSON.

    recognizer: "arcface" (faceveil's) or "resnet100" (the thesis's).
    """

    def __init__(self, folder: Path, min_face_size: float, recognizer: str) -> None:
        runtime = Runtime(threads=1)
        names = ("pnet", "rnet", "onet", recognizer)
        self._sessions = {name: open_session(folder / f"{name}.onnx", runtime) for name in names}
        self._recognizer = self._sessions[recognizer]
        self._recognizer_input = next(iter(self._recognizer.inputs))
        self._min_face_size = min_face_size

    def __call__(self, body: bytes) -> bytes:
        picture = np.asarray(Picture.open(io.BytesIO(body)).convert("RGB"))
        boxes, points = self._detect(picture)
        faces = []
        for box, point in zip(boxes, points, strict=True):
            feature = self._feature(picture, point)
            faces.append({"bbox": [float(v) for v in box], "feat": [float(v) for v in feature]})
        return json.dumps(faces).encode()

    def _detect(self, picture: Array) -> tuple[Array, Array]:
        boxes = self._propose(picture)
        regression, score, _ = self._look(picture, boxes, "rnet", 24)
        good = np.flatnonzero(score > THRESHOLDS[1])
        kept = good[suppress(boxes[good], score[good], 0.7)]
        boxes = square(moved(boxes[kept], regression[kept]))
        regression, score, points = self._look(picture, boxes, "onet", 48)
        good = np.flatnonzero(score > THRESHOLDS[2])
        boxes, points, score = boxes[good], points[good], score[good]
        sides = boxes[:, 2:] - boxes[:, :2]
        relative = points.reshape(-1, 2, 5).transpose(0, 2, 1)
        landmarks = boxes[:, None, :2] + relative * sides[:, None]
        faces = moved(boxes, regression[good])
        kept = suppress(faces, score, 0.7)
        return faces[kept], landmarks[kept]

    def _propose(self, picture: Array) -> Array:
        height, width = picture.shape[:2]
        found, scores, regressions = [np.zeros((0, 4))], [np.zeros(0)], [np.zeros((0, 4))]
        scale = CELL / self._min_face_size
        while min(height, width) * scale >= CELL:
            size = (int(np.ceil(width * scale)), int(np.ceil(height * scale)))
            blob = as_input(cv2.resize(picture, size))[None]
            regression, score = self._sessions["pnet"].run({"input": blob}, ("reg", "prob"))
            rows, columns = np.nonzero(score[0, 1] > THRESHOLDS[0])
            corner = np.stack([columns * STRIDE, rows * STRIDE], axis=1)
            boxes = np.concatenate([corner, corner + CELL], axis=1) / scale
            kept = suppress(boxes, score[0, 1, rows, columns], 0.5)
            found.append(boxes[kept])
            scores.append(score[0, 1, rows, columns][kept])
            regressions.append(regression[0, :, rows, columns][kept])
            scale *= FACTOR
        boxes = np.concatenate(found)
        kept = suppress(boxes, np.concatenate(scores), 0.7)
        return square(moved(boxes[kept], np.concatenate(regressions)[kept]))

    def _look(
        self, picture: Array, boxes: Array, network: str, side: int
    ) -> tuple[Array, Array, Array]:
        height, width = picture.shape[:2]
        blob = np.zeros((len(boxes), 3, side, side), np.float32)
        for index, (x1, y1, x2, y2) in enumerate(boxes.astype(int)):
            canvas = np.zeros((max(1, y2 - y1), max(1, x2 - x1), 3), np.uint8)
            left, top, right, bottom = max(0, x1), max(0, y1), min(width, x2), min(height, y2)
            if right > left and bottom > top:
                part = picture[top:bottom, left:right]
                canvas[top - y1 : bottom - y1, left - x1 : right - x1] = part
            blob[index] = as_input(cv2.resize(canvas, (side, side)))
        outputs = ("reg", "prob", "pts") if network == "onet" else ("reg", "prob")
        answers = self._sessions[network].run({"input": blob}, outputs)
        return answers[0], answers[1][:, 1], answers[2] if len(answers) > 2 else np.zeros(0)

    def _feature(self, picture: Array, points: Array) -> Array:
        matrix, _ = cv2.estimateAffinePartial2D(
            points.astype(np.float32), TEMPLATE, method=cv2.LMEDS
        )
        crop = cv2.warpAffine(picture, matrix, (112, 112))
        blob = as_input(crop)[None]
        (feature,) = self._recognizer.run({self._recognizer_input: blob})
        unit: Array = feature[0] / np.linalg.norm(feature[0])
        return unit


def as_input(picture: Array) -> Array:
    scaled: Array = (picture.transpose(2, 0, 1).astype(np.float32) - 127.5) / 128
    return scaled


def moved(boxes: Array, regression: Array) -> Array:
    sides = boxes[:, 2:] - boxes[:, :2]
    refined: Array = boxes + regression * np.concatenate([sides, sides], axis=1)
    return refined


def square(boxes: Array) -> Array:
    middle = (boxes[:, :2] + boxes[:, 2:]) / 2
    half = (boxes[:, 2:] - boxes[:, :2]).max(axis=1, keepdims=True) / 2
    return np.concatenate([middle - half, middle + half], axis=1)


def suppress(boxes: Array, scores: Array, most: float) -> list[int]:
    """Greedy suppression, one box at a time, best first."""
    areas = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
    order = np.argsort(-scores)
    kept = []
    while len(order):
        best, order = order[0], order[1:]
        kept.append(int(best))
        low = np.maximum(boxes[best, :2], boxes[order, :2])
        high = np.minimum(boxes[best, 2:], boxes[order, 2:])
        shared = np.prod(np.maximum(0, high - low), axis=1)
        order = order[shared / (areas[best] + areas[order] - shared) <= most]
    return kept
