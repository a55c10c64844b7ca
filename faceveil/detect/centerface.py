"""CenterFace (Xu et al. 2019): one network over the whole picture that detects centres of faces.

It detects small, turned and half hidden faces that MTCNN's first stage never proposes.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from faceveil.boxes import clip, suppress
from faceveil.detect.detector import Detected, Session, require_finite
from faceveil.detect.pyramid import Pyramid
from faceveil.detect.views import Tile, detect_in_views
from faceveil.errors import UsageError
from faceveil.faces import LOW_SCORE, Floats, Image

_STRIDE = 4
_MULTIPLE = 32
_SMALLEST_SEEN = 20
"""Pixels a face should measure in the input of the network. At 1080p (faces of 40 pixels) that is
half size, which costs a quarter of full size and keeps nearly all of its recall."""
_SMALL_PICTURE, _MOST_ENLARGED = 216, 2.0
"""A picture whose shorter side is smaller is enlarged to that, but at most to twice its size: faces
in it measure a few pixels."""
_TILE = Tile()
_SAME_IOU = 0.3


class CenterFace:
    """Detector of faces by the score of their centres.

    Parameters
    ----------
    network : Session
    min_face_size : float, optional
        Pixels; by default it follows the picture (`Pyramid.smallest_face`). Smaller faces are
        returned as well where they are detected.
    accept_score : float
    input_scale : float, optional
        Size of the picture in the network, 1 being full size; by default that in which the smallest
        face measures 20 pixels, and more for a small picture. The picture is processed once more in
        half that size (`views.detect_in_views`).
    """

    name = "centerface"

    def __init__(
        self,
        network: Session,
        min_face_size: float | None = None,
        accept_score: float = 0.5,
        input_scale: float | None = None,
    ) -> None:
        if len(network.outputs) != 4 or len(network.inputs) != 1:
            raise UsageError(
                f"a CenterFace network has 1 input and 4 outputs, this file {len(network.inputs)} "
                f"and {len(network.outputs)}: give the file of another detector"
            )
        self._network = network
        self._input_name = next(iter(network.inputs))
        self._min_face_size = min_face_size
        self._input_scale = input_scale
        self.accept_score = accept_score

    def detect(self, image: Image) -> Detected:
        """Return the faces of a picture, RGB uint8 [H, W, 3], best score first."""
        return self.detect_in(Pyramid(image))

    def detect_in(self, pyramid: Pyramid, lowest: float = LOW_SCORE) -> Detected:
        """Return the faces of a picture from the score `lowest` on."""
        scale = self._input_scale or self._scale(pyramid)
        found = detect_in_views(pyramid, scale, _TILE, lambda view: self._candidates(view, lowest))
        found = found.select(suppress(found.boxes, found.scores, _SAME_IOU))
        boxes = clip(found.boxes, pyramid.width, pyramid.height)
        return Detected(boxes, found.scores, found.landmarks)

    def detect_view(self, view: Image) -> Detected:
        """Return the faces of a view, RGB uint8 [H, W, 3]; boxes may reach over its edges."""
        found = self._candidates(view, LOW_SCORE)
        return found.select(suppress(found.boxes, found.scores, _SAME_IOU))

    def _scale(self, pyramid: Pyramid) -> float:
        """The size in which the picture is processed, 1 being full size."""
        if self._min_face_size is not None:
            return min(1.0, _SMALLEST_SEEN / self._min_face_size)
        enlarged = min(_SMALL_PICTURE / min(pyramid.width, pyramid.height), _MOST_ENLARGED)
        return enlarged if enlarged > 1 else _SMALLEST_SEEN / pyramid.smallest_face

    def _candidates(self, view: Image, lowest: float) -> Detected:
        """Every centre of a face in one view; a face may have several."""
        outputs = self._network.run({self._input_name: _padded(view)})
        require_finite(self.name, outputs)
        return _decode(outputs, min(lowest, self.accept_score))


def _padded(view: Image) -> NDArray[Any]:
    """float32 NCHW RGB 0-255, black on the right and below up to multiples of 32."""
    height, width = view.shape[:2]
    below, right = -height % _MULTIPLE, -width % _MULTIPLE
    if below or right:
        padded = cv2.copyMakeBorder(view, 0, below, 0, right, cv2.BORDER_CONSTANT)
        return cv2.dnn.blobFromImage(padded)
    return cv2.dnn.blobFromImage(view)


def _decode(outputs: list[NDArray[Any]], lowest: float) -> Detected:
    """Faces in pixels of the network's input from its maps (one value per 4 x 4 pixels).

    The maps are the centre's score, log size (height, width), offset of the centre (y, x) and
    landmarks (y, x of each, in sizes of the box from its corner).
    """
    heat, size, offset, points = (output[0] for output in outputs)
    rows, columns = np.nonzero(heat[0] >= lowest)
    cell = np.stack([columns, rows], axis=1).astype(np.float32)
    sides: Floats = np.exp(size[::-1, rows, columns].T) * _STRIDE
    centre = (cell + offset[::-1, rows, columns].T + np.float32(0.5)) * _STRIDE
    corner = centre - sides / 2
    relative = points[:, rows, columns].T.reshape(-1, 5, 2)[..., ::-1]
    landmarks = corner[:, None] + relative * sides[:, None]
    return Detected(
        np.concatenate([corner, corner + sides], axis=1), heat[0, rows, columns], landmarks
    )
