"""dlib's face recogniser: a ResNet whose descriptors of one person lie within 0.6 of each other.

Its weights are in the public domain. dlib compares descriptors by their Euclidean distance. They
all lie on one side of the origin, so that the cosine of any two is above 0.8. With a centre
subtracted (a little less than the mean descriptor of many people) they point in all directions, and
their cosine has about the scale of ArcFace's: benchmarks/reports/other_networks.md has the cost.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from faceveil.detect.align import TEMPLATE, Alignment
from faceveil.detect.dlib_library import load_dlib
from faceveil.errors import WeightsError
from faceveil.faces import Floats, Image

_BATCH = 16


CHIP = Alignment(TEMPLATE * np.float32(1.5185) + np.array([-9.9, -32.9], np.float32), 150)
"""Measured: where the landmarks of our detectors lie in the crops that dlib makes from its 5-point
predictor. With these crops LFW is recognised as well as with dlib's own."""


class DlibResNet:
    """Recogniser with features of 128 numbers. It runs in one thread at a time."""

    name = "dlib-resnet"
    feature_size = 128
    alignment = CHIP

    def __init__(self, weights: Path, centre: Sequence[float]) -> None:
        try:
            self._network = load_dlib().face_recognition_model_v1(str(weights))
        except RuntimeError as error:
            raise WeightsError(f"{weights.name}: dlib cannot load it: {error}") from error
        self._centre = np.array(centre, np.float64)
        self._lock = Lock()

    def features(self, crops: Image) -> Floats:
        """Return L2-normalised features float32 [n, 128] of faces RGB uint8 [n, 150, 150, 3]."""
        return directions(self.descriptors(crops), self._centre)

    def descriptors(self, crops: Image) -> NDArray[np.float64]:
        """Return the descriptors that dlib itself compares, float64 [n, 128]."""
        rows = np.zeros((len(crops), self.feature_size))
        for start in range(0, len(crops), _BATCH):
            batch = [np.ascontiguousarray(crop) for crop in crops[start : start + _BATCH]]
            with self._lock:
                rows[start : start + _BATCH] = self._network.compute_face_descriptor(batch)
        return rows


def directions(descriptors: NDArray[np.float64], centre: NDArray[np.float64]) -> Floats:
    """Return unit rows float32 [n, 128]: directions of descriptors [n, 128] from a centre [128]."""
    rows = descriptors - centre
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.maximum(lengths, np.finfo(np.float32).tiny), np.float32)
