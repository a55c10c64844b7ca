"""YuNet (Wu et al. 2023, "YuNet: A Tiny Millisecond-level Face Detector"), of OpenCV's model zoo.

At strides of 8, 16 and 32 pixels it returns two scores of each cell, a box and five landmarks.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faceveil.boxes import from_centres
from faceveil.detect.detector import Detected
from faceveil.detect.one_stage import OneStageDetector, by_columns, cell_corners
from faceveil.errors import WeightsError

_STRIDES = (8, 16, 32)


class YuNet(OneStageDetector):
    """Detector of faces from a smallest size on; the parameters are those of its base."""

    colour_order = "BGR"

    def _decode(self, outputs: Sequence[NDArray[Any]], width: int, height: int) -> Detected:
        scores, boxes = by_columns(outputs, 1), by_columns(outputs, 4)
        points = by_columns(outputs, 10)
        parts = []
        for level, stride in enumerate(_STRIDES):
            columns, lines = -(-width // stride), -(-height // stride)
            if len(boxes[level]) != columns * lines:
                raise WeightsError(
                    f"{self.name}: returns {len(boxes[level])} boxes at a stride of {stride} for "
                    f"{width} x {height} pixels: it is not a YuNet network"
                )
            # How face-like a cell is, and how object-like: their geometric mean is the score.
            pair = np.clip([scores[2 * level][:, 0], scores[2 * level + 1][:, 0]], 0, 1)
            score = np.sqrt(pair.prod(axis=0)).astype(np.float32)
            rows = np.flatnonzero(score >= self.lowest)
            corner = cell_corners(rows, columns, 1, stride)
            box = boxes[level][rows] * stride
            found = from_centres(corner + box[:, :2], np.exp(boxes[level][rows, 2:]) * stride)
            landmarks = corner[:, None] + points[level][rows].reshape(-1, 5, 2) * stride
            parts.append(Detected(found, score[rows], landmarks))
        return Detected.joined(parts)
