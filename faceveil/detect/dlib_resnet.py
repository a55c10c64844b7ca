"""dlib's face recogniser: a ResNet whose descriptors of one person lie within 0.6 of each other.

Its weights are in the public domain. dlib compares descriptors by their Euclidean distance. They
all lie on one side of the origin, so that the cosine of any two is above 0.8. Taken off a centre
(a little short of the mean descriptor of many people) they point in all directions, and the cosine
has about the scale of ArcFace's: see benchmarks/reports/other_networks.md for what that costs.
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
"""Measured: where the landmarks of our detectors lie in the cuttings that dlib makes itself from
its 5-point predictor. Cut so, LFW is told apart as well as in dlib's own cuttings."""


class DlibResNet:
    """Recogniser of 128 numbers. dlib works on one thread at a time."""

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
        """Unit rows float32 [n, 128] of faces RGB uint8 [n, 150, 150, 3] cut like `CHIP`."""
        return directions(self.descriptors(crops), self._centre)

    def descriptors(self, crops: Image) -> NDArray[np.float64]:
        """What dlib itself compares, [n, 128]."""
        rows = np.zeros((len(crops), self.feature_size))
        for start in range(0, len(crops), _BATCH):
            batch = [np.ascontiguousarray(crop) for crop in crops[start : start + _BATCH]]
            with self._lock:
                rows[start : start + _BATCH] = self._network.compute_face_descriptor(batch)
        return rows


def directions(descriptors: NDArray[np.float64], centre: NDArray[np.float64]) -> Floats:
    """Unit rows float32 [n, 128]: where descriptors [n, 128] lie, seen from the centre [128]."""
    rows = descriptors - centre
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.maximum(lengths, np.finfo(np.float32).tiny), np.float32)
