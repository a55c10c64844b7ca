"""FaceNet (Schroff et al. 2015) as DeepFace feeds it: prewhitened BGR faces of 160 pixels."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from faceveil.detect.align import Alignment
from faceveil.detect.detector import Session, require_finite, unit_rows
from faceveil.faces import Floats, Image

_CHUNK = 16
_SIZE = 160
_PLACES = np.array([[54, 63], [110, 63], [79, 94], [59, 118], [106, 118]], np.float32)
"""Where the landmarks lie when the box of an average face, as high as the crop, is in its middle:
DeepFace cuts the box out and pads it to a square."""


class FaceNet:
    """Recogniser for ONNX networks that take faces [N, 160, 160, 3] or [N, 3, 160, 160].

    Parameters
    ----------
    name : str
    network : Session
    feature_size : int
    batch_size : int, optional
        The only number of faces the network takes at once; None where any number will do.

    Notes
    -----
    Each face has its own mean subtracted and is divided by its own standard deviation (DeepFace's
    normalisation "Facenet").
    """

    alignment = Alignment(_PLACES, _SIZE)

    def __init__(
        self, name: str, network: Session, feature_size: int, batch_size: int | None = None
    ) -> None:
        self.name = name
        self.feature_size = feature_size
        self._network = network
        self._input_name, shape = next(iter(network.inputs.items()))
        self._channels_last = shape[-1] == 3
        self._chunk, self._padded = batch_size or _CHUNK, batch_size is not None

    def features(self, crops: Image) -> Floats:
        """Return L2-normalised features float32 [n, D] of faces RGB uint8 [n, 160, 160, 3]."""
        rows = np.zeros((len(crops), self.feature_size), np.float32)
        for start in range(0, len(crops), self._chunk):
            fed = prewhitened(crops[start : start + self._chunk, ..., ::-1])
            count = len(fed)
            if self._padded:
                fed = np.resize(fed, (self._chunk, *fed.shape[1:]))
            if not self._channels_last:
                fed = fed.transpose(0, 3, 1, 2)
            (raw,) = self._network.run({self._input_name: np.ascontiguousarray(fed)})
            require_finite(self.name, [raw])
            rows[start : start + count] = raw[:count]
        return unit_rows(rows)


def prewhitened(faces: NDArray[Any]) -> Floats:
    """Return faces [n, ...] float32, each with mean 0 and standard deviation 1."""
    axes = tuple(range(1, faces.ndim))
    values = faces.astype(np.float32)
    mean = values.mean(axis=axes, keepdims=True)
    spread = values.std(axis=axes, keepdims=True)
    least = 1 / np.sqrt(np.float32(values[0].size)) if len(values) else 1
    white: Floats = (values - mean) / np.maximum(spread, least)
    return white
