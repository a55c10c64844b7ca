"""dlib's frontal face detector (King 2009; Dalal and Triggs 2005): histograms of gradients.

The weights are part of the library. It detects faces from the front and of some size, far fewer
than the default detectors (benchmarks/reports/other_networks.md). dlib's MMOD network is not used:
on labelled frames it detected 10 of 24 faces, this detector 8, CenterFace 18 in a hundredth of the
time.
Landmarks come from dlib's 5-point predictor (Kazemi and Sullivan 2014). The 68-point predictor of
the same package forbids commercial use and is never loaded.
"""

from __future__ import annotations

from pathlib import Path
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from faceveil.boxes import clip
from faceveil.detect.detector import Detected
from faceveil.detect.dlib_library import load_dlib
from faceveil.detect.dlib_resnet import CHIP
from faceveil.detect.pyramid import Pyramid
from faceveil.detect.regression import refine
from faceveil.errors import WeightsError
from faceveil.faces import LOW_SCORE, Floats, Image

_SMALLEST_SEEN = 80
"""Pixels of the window that the detector slides over a picture and its reductions."""
_MOST_PIXELS = 9_000_000
"""Limit of the enlarged picture, for memory and time; small faces of a larger one are missed."""
_STEEPNESS = 2.0
"""Of the logistic curve from dlib's margin, 0 where it accepts, to a score from 0 to 1."""
_CHIP_PADDING = 0.25
"""Around a face in the crops of dlib's recogniser, in sizes of the face."""
_EDGES = np.array([0.04, -0.18, -0.04, 0.03], np.float32)
"""Measured: the difference of dlib's boxes, from brow to chin, to ours, from hairline to chin, in
their own sizes."""
_LOWEST_MARGIN = float(np.log(LOW_SCORE / (1 - LOW_SCORE)) / _STEEPNESS)


class DlibHOG:
    """Detector of faces that look at the camera. It runs in one thread at a time.

    Parameters
    ----------
    landmarks : Path
        dlib's 5-point predictor.
    min_face_size : float, optional
        Pixels; by default it follows the picture (`Pyramid.smallest_face`). The picture is enlarged
        until such a face measures 80 pixels.
    """

    name = "dlib-hog"
    accept_score = 0.5

    def __init__(self, landmarks: Path, min_face_size: float | None = None) -> None:
        self._dlib = load_dlib()
        self._detector = self._dlib.get_frontal_face_detector()
        try:
            self._predictor = self._dlib.shape_predictor(str(landmarks))
        except RuntimeError as error:
            raise WeightsError(f"{landmarks.name}: dlib cannot load it: {error}") from error
        self._min_face_size = min_face_size
        self._lock = Lock()

    def detect(self, image: Image) -> Detected:
        """Return the faces of a picture, RGB uint8 [H, W, 3], best score first."""
        return self.detect_in(Pyramid(image))

    def detect_in(self, pyramid: Pyramid) -> Detected:
        """Return the faces of a picture."""
        most = float(np.sqrt(_MOST_PIXELS / (pyramid.width * pyramid.height)))
        scale = min(_SMALLEST_SEEN / (self._min_face_size or pyramid.smallest_face), most)
        sides = (max(1, round(side * scale)) for side in (pyramid.width, pyramid.height))
        view = np.ascontiguousarray(pyramid.resized(*sides))
        with self._lock:
            rectangles, margins, _ = self._detector.run(view, 0, _LOWEST_MARGIN)
            shapes = [self._predictor(view, rectangle) for rectangle in rectangles]
        zoom = np.array([pyramid.width / view.shape[1], pyramid.height / view.shape[0]], np.float32)
        corners = [(r.left(), r.top(), r.right() + 1, r.bottom() + 1) for r in rectangles]
        boxes = refine(np.array(corners, np.float32).reshape(-1, 4), _EDGES) * np.tile(zoom, 2)
        scores = 1 / (1 + np.exp(-_STEEPNESS * np.array(margins, np.float32)))
        points = np.array([self._landmarks(shape) for shape in shapes], np.float32)
        landmarks = points.reshape(-1, 5, 2) * zoom
        return Detected(clip(boxes, pyramid.width, pyramid.height), scores, landmarks)

    def _landmarks(self, shape: object) -> Floats:
        """Our five landmarks [5, 2] from dlib's: corners of the eyes and base of the nose.

        dlib derives the crop of a face from its five points. Our landmarks are where they lie in
        that crop of a mean face.
        """
        details = self._dlib.get_face_chip_details(shape, CHIP.size, _CHIP_PADDING)
        rectangle = details.rect
        low = np.array([rectangle.left(), rectangle.top()])
        high = np.array([rectangle.right(), rectangle.bottom()])
        turn = _rotation(details.angle) * ((high[0] - low[0] + 1) / CHIP.size)
        points: Floats = (CHIP.template - CHIP.size / 2) @ turn.T + (low + high) / 2
        return points


def _rotation(angle: float) -> NDArray[np.float64]:
    """Clockwise in a picture, whose y grows downwards."""
    cosine, sine = np.cos(angle), np.sin(angle)
    return np.array([[cosine, -sine], [sine, cosine]])
