"""SCRFD (Guo et al. 2021, "Sample and Computation Redistribution for Efficient Face Detection").

One network over the whole picture, as in InsightFace's packs. At strides of 8, 16 and 32 pixels it
returns, for each of one or two anchors in each cell, a score, the distances from the corner of the
cell to the four edges of a face and, in most files, to its five landmarks.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from faceveil.boxes import clip, sides, suppress
from faceveil.detect.detector import Detected, Session
from faceveil.detect.pyramid import Pyramid
from faceveil.detect.views import Tile, detect_in_views
from faceveil.errors import WeightsError
from faceveil.faces import LOW_SCORE, Floats, Image

STRIDES = (8, 16, 32)
SCORE, BOX, LANDMARKS = 1, 4, 10
"""Values of an anchor in each of the three kinds of output."""
_SMALLEST_SEEN = 20
"""Pixels a face should measure in the network's input; the smallest anchors have 16."""
_SAME_IOU = 0.4
_IN_BOX = np.array(
    [[0.26, 0.39], [0.73, 0.39], [0.49, 0.585], [0.3, 0.74], [0.7, 0.74]], np.float32
)
"""Average places of landmarks in a box, for networks that return none."""


class SCRFD:
    """Detector of faces from a smallest size on.

    The picture is processed in the size in which the smallest face measures 20 pixels, and in half
    that size (`views.detect_in_views`), in tiles where the input of the network has a fixed size.

    Parameters
    ----------
    name : str
    network : Session
    min_face_size : float, optional
        Pixels; by default it follows the picture (`Pyramid.smallest_face`).
    accept_score : float

    Raises
    ------
    WeightsError
        By `detect`, for a network of another form.
    """

    def __init__(
        self,
        name: str,
        network: Session,
        min_face_size: float | None = None,
        accept_score: float = 0.5,
    ) -> None:
        self.name = name
        self.accept_score = accept_score
        self._network = network
        self._min_face_size = min_face_size
        ((self._input_name, shape),) = network.inputs.items()
        height, width = shape[2:]
        self._fixed = (width, height) if isinstance(width, int) and isinstance(height, int) else ()
        self._tile = Tile(*self._fixed) if self._fixed else Tile()

    def detect(self, image: Image) -> Detected:
        """Return the faces of a picture, RGB uint8 [H, W, 3], best score first."""
        return self.detect_in(Pyramid(image))

    def detect_in(self, pyramid: Pyramid) -> Detected:
        """Return the faces of a picture."""
        scale = min(1.0, _SMALLEST_SEEN / (self._min_face_size or pyramid.smallest_face))
        found = detect_in_views(pyramid, scale, self._tile, self._detect_view)
        found = found.select(suppress(found.boxes, found.scores, _SAME_IOU))
        boxes = clip(found.boxes, pyramid.width, pyramid.height)
        return Detected(boxes, found.scores, found.landmarks)

    def _detect_view(self, view: Image) -> Detected:
        """Every anchor with a face in one view; a face may have several."""
        height, width = view.shape[:2]
        below, right = -height % STRIDES[-1], -width % STRIDES[-1]
        if self._fixed:
            below, right = self._fixed[1] - height, self._fixed[0] - width
        padded = cv2.copyMakeBorder(view, 0, below, 0, right, cv2.BORDER_CONSTANT)
        feed = cv2.dnn.blobFromImage(padded, 1 / 128, mean=(127.5, 127.5, 127.5))
        outputs = self._network.run({self._input_name: feed})
        return self._decode(outputs, width + right, height + below)

    def _decode(self, outputs: Sequence[NDArray[Any]], width: int, height: int) -> Detected:
        """Faces in pixels of the network's input, which is width x height."""
        scores, boxes = _levels(outputs, SCORE), _levels(outputs, BOX)
        points = _levels(outputs, LANDMARKS)
        parts = []
        for level, stride in enumerate(STRIDES):
            columns = -(-width // stride)
            anchors, rest = divmod(len(scores[level]), columns * -(-height // stride))
            if rest or not anchors:
                raise WeightsError(
                    f"{self.name}: returns {len(scores[level])} scores at a stride of {stride} for "
                    f"{width} x {height} pixels: it is not an SCRFD network"
                )
            rows = np.flatnonzero(scores[level][:, 0] >= min(LOW_SCORE, self.accept_score))
            row, column = np.divmod(rows // anchors, columns)
            corner = np.stack([column, row], axis=1).astype(np.float32) * stride
            reach = boxes[level][rows] * stride
            box = np.concatenate([corner - reach[:, :2], corner + reach[:, 2:]], axis=1)
            if points:
                landmarks = corner[:, None] + points[level][rows].reshape(-1, 5, 2) * stride
            else:
                landmarks = box[:, None, :2] + _IN_BOX * sides(box)[:, None]
            parts.append(Detected(box, scores[level][rows, 0], landmarks))
        return Detected.joined(parts)


def _levels(outputs: Sequence[NDArray[Any]], size: int) -> list[Floats]:
    """The outputs of one kind, float32 [cells x anchors, size], finest stride first."""
    kind = [np.asarray(part, np.float32) for part in outputs if part.shape[-1] == size]
    return sorted((part.reshape(-1, size) for part in kind), key=len, reverse=True)
