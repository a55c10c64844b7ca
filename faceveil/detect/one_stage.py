"""What detectors of one network over the whole picture have in common.

A family of files is a subclass that feeds its network and decodes the answer. The picture is
processed in the size in which the smallest face measures 20 pixels, and in half that size
(`views.detect_in_views`), in tiles where the input of the network has a fixed size.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import cv2
import numpy as np
from numpy.typing import NDArray

from faceveil.boxes import clip, sides, suppress
from faceveil.detect.detector import Detected, Session, require_finite
from faceveil.detect.pyramid import Pyramid
from faceveil.detect.views import Tile, detect_in_views
from faceveil.faces import LOW_SCORE, Floats, Image

_SMALLEST_SEEN = 20
"""Pixels a face should measure in the network's input; the smallest anchors have 16."""
_IN_BOX = np.array(
    [[0.26, 0.39], [0.73, 0.39], [0.49, 0.585], [0.3, 0.74], [0.7, 0.74]], np.float32
)
"""Average places of landmarks in a box, for networks that return none."""


class OneStageDetector(ABC):
    """Detector of faces from a smallest size on.

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
        By `detect`, for a network of another form, or one that returns NaN.
    """

    mean: ClassVar[tuple[float, float, float]] = (0.0, 0.0, 0.0)
    scale: ClassVar[float] = 1.0
    """A pixel is fed as (p - mean) * scale, `mean` in the colour order of the network."""
    colour_order: ClassVar[str] = "RGB"
    channels_last: ClassVar[bool] = False
    multiple: ClassVar[int] = 32
    """Views are padded on the right and below to multiples of this many pixels."""
    fill: ClassVar[int] = 0
    """The grey of the padding."""
    same_iou: ClassVar[float] = 0.4
    """Boxes that overlap by more are one face."""

    def __init__(
        self,
        name: str,
        network: Session,
        min_face_size: float | None = None,
        accept_score: float = 0.5,
    ) -> None:
        self.name = name
        self.accept_score = accept_score
        self.lowest = min(LOW_SCORE, accept_score)
        self._network = network
        self._min_face_size = min_face_size
        self._input_name, shape = next(iter(network.inputs.items()))
        height, width = shape[1:3] if self.channels_last else shape[2:]
        self._fixed = (width, height) if isinstance(width, int) and isinstance(height, int) else ()
        self._tile = Tile(*self._fixed) if self._fixed else Tile()

    def detect(self, image: Image) -> Detected:
        """Return the faces of a picture, RGB uint8 [H, W, 3], best score first."""
        return self.detect_in(Pyramid(image))

    def detect_in(self, pyramid: Pyramid) -> Detected:
        """Return the faces of a picture."""
        scale = min(1.0, _SMALLEST_SEEN / (self._min_face_size or pyramid.smallest_face))
        found = detect_in_views(pyramid, scale, self._tile, self._detect_view)
        found = found.select(suppress(found.boxes, found.scores, self.same_iou))
        boxes = clip(found.boxes, pyramid.width, pyramid.height)
        return Detected(boxes, found.scores, found.landmarks)

    def _detect_view(self, view: Image) -> Detected:
        """Every face in one view; a face may be there several times."""
        height, width = view.shape[:2]
        below, right = -height % self.multiple, -width % self.multiple
        if self._fixed:
            below, right = self._fixed[1] - height, self._fixed[0] - width
        padded = cv2.copyMakeBorder(
            view, 0, below, 0, right, cv2.BORDER_CONSTANT, value=(self.fill,) * 3
        )
        outputs = self._network.run(self._feeds(padded.astype(np.uint8, copy=False)))
        require_finite(self.name, outputs)
        return self._decode(outputs, width + right, height + below)

    def _feeds(self, view: Image) -> Mapping[str, NDArray[Any]]:
        """The inputs of the network for a view of its size."""
        swap = self.colour_order == "BGR"
        blob = cv2.dnn.blobFromImage(view, self.scale, mean=self.mean, swapRB=swap)
        return {self._input_name: blob.transpose(0, 2, 3, 1) if self.channels_last else blob}

    @abstractmethod
    def _decode(self, outputs: Sequence[NDArray[Any]], width: int, height: int) -> Detected:
        """Faces from the score `lowest` on, in pixels of the input, which is width x height."""


def by_columns(outputs: Sequence[NDArray[Any]], size: int) -> list[Floats]:
    """Return the outputs with `size` numbers in a row, float32 [n, size], the longest first."""
    kind = [np.asarray(part, np.float32) for part in outputs if part.shape[-1] == size]
    return sorted((part.reshape(-1, size) for part in kind), key=len, reverse=True)


def cell_corners(rows: NDArray[np.intp], columns: int, anchors: int, stride: int) -> Floats:
    """Return the corners float32 [n, 2] of the cells that hold these anchors, in pixels.

    Anchors are numbered cell by cell, the cells line by line with `columns` in a line.
    """
    row, column = np.divmod(rows // anchors, columns)
    corners: Floats = np.stack([column, row], axis=1).astype(np.float32) * np.float32(stride)
    return corners


def usual_landmarks(boxes: Floats) -> Floats:
    """Return landmarks float32 [n, 5, 2] where an average face has them in boxes [n, 4]."""
    landmarks: Floats = boxes[:, None, :2] + _IN_BOX * sides(boxes)[:, None]
    return landmarks
