"""SCRFD (Guo et al. 2021, "Sample and Computation Redistribution for Efficient Face Detection").

One network over the whole picture, as in InsightFace's packs. At strides of 8, 16 and 32 pixels it
returns, for each of one or two anchors in each cell, a score, the distances from the corner of the
cell to the four edges of a face and, in most files, to its five landmarks.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faceveil.detect.detector import Detected
from faceveil.detect.one_stage import OneStageDetector, by_columns, cell_corners, usual_landmarks
from faceveil.errors import WeightsError

STRIDES = (8, 16, 32)
SCORE, BOX, LANDMARKS = 1, 4, 10
"""Values of an anchor in each of the three kinds of output."""


class SCRFD(OneStageDetector):
    """Detector of faces from a smallest size on; the parameters are those of its base."""

    mean, scale = (127.5, 127.5, 127.5), 1 / 128

    def _decode(self, outputs: Sequence[NDArray[Any]], width: int, height: int) -> Detected:
        scores, boxes = by_columns(outputs, SCORE), by_columns(outputs, BOX)
        points = by_columns(outputs, LANDMARKS)
        parts = []
        for level, stride in enumerate(STRIDES):
            columns = -(-width // stride)
            anchors, rest = divmod(len(scores[level]), columns * -(-height // stride))
            if rest or not anchors:
                raise WeightsError(
                    f"{self.name}: returns {len(scores[level])} scores at a stride of {stride} for "
                    f"{width} x {height} pixels: it is not an SCRFD network"
                )
            rows = np.flatnonzero(scores[level][:, 0] >= self.lowest)
            corner = cell_corners(rows, columns, anchors, stride)
            reach = boxes[level][rows] * stride
            box = np.concatenate([corner - reach[:, :2], corner + reach[:, 2:]], axis=1)
            if points:
                landmarks = corner[:, None] + points[level][rows].reshape(-1, 5, 2) * stride
            else:
                landmarks = usual_landmarks(box)
            parts.append(Detected(box, scores[level][rows, 0], landmarks))
        return Detected.joined(parts)
