"""What detectors have in common: their result, their interface and that of their networks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from faceveil.errors import WeightsError
from faceveil.faces import LOW_SCORE, Floats, Image


class Session(Protocol):
    """An open network; safe to run from several threads."""

    @property
    def inputs(self) -> Mapping[str, tuple[int | str | None, ...]]:
        """The shape of each input; a name or None where a dimension is free."""
        ...

    @property
    def outputs(self) -> Mapping[str, tuple[int | str | None, ...]]: ...

    def run(
        self, feeds: Mapping[str, NDArray[Any]], outputs: Sequence[str] = ()
    ) -> list[NDArray[Any]]:
        """Return the named outputs, or all in the order of the file."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Detected:
    """The faces that a detector found, best score first.

    Attributes
    ----------
    boxes : ndarray of float32 [n, 4]
        Pixels of the picture; boxes may reach over its edges.
    scores : ndarray of float32 [n]
        From 0 to 1.
    landmarks : ndarray of float32 [n, 5, 2]
        x, y in pixels of eyes, nose and mouth corners, left to right as seen in the picture.
    """

    boxes: Floats
    scores: Floats
    landmarks: Floats

    def __len__(self) -> int:
        return len(self.boxes)

    def select(self, index: NDArray[Any]) -> Detected:
        """Return the faces of an index or a mask [n], in that order."""
        return Detected(self.boxes[index], self.scores[index], self.landmarks[index])

    def moved(self, x: float, y: float) -> Detected:
        """Return the same faces in a picture that begins x pixels further left and y further up."""
        shift = np.array([x, y], np.float32)
        return Detected(self.boxes + np.tile(shift, 2), self.scores, self.landmarks + shift)

    @classmethod
    def joined(cls, parts: Sequence[Detected]) -> Detected:
        """Return all faces of several results, one after the other."""
        return cls(
            np.concatenate([part.boxes for part in parts]),
            np.concatenate([part.scores for part in parts]),
            np.concatenate([part.landmarks for part in parts]),
        )


class Detector(Protocol):
    """Detects faces. `detect` is called from several threads at once."""

    @property
    def name(self) -> str: ...

    @property
    def accept_score(self) -> float:
        """The score from which a face counts; faces below it may only extend a sequence."""
        ...

    def detect(self, image: Image) -> Detected:
        """Return the faces of a picture, RGB uint8 [H, W, 3]."""
        ...


def rescale(scores: Floats, accept: float, to: float) -> Floats:
    """Return scores float32 [n] on a scale with accept score `to` instead of `accept`; monotone."""
    own = np.array([0, LOW_SCORE, accept, 1], np.float32)
    return np.interp(scores, own, [0, LOW_SCORE, to, 1]).astype(np.float32)


def require_finite(name: str, outputs: Sequence[NDArray[Any]]) -> None:
    """Raise WeightsError where a network returned NaN or infinity: such a face would be missed."""
    if not all(np.isfinite(output).all() for output in outputs):
        raise WeightsError(
            f"{name}: returned numbers that are not finite (NaN or infinity); use another file, or "
            "one exported in float32 instead of float16"
        )


def unit_rows(rows: Floats) -> Floats:
    """Return rows [n, D] divided by their lengths; a row of zeros stays one."""
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    unit: Floats = (rows / np.maximum(lengths, np.finfo(np.float32).tiny)).astype(np.float32)
    return unit


def run_in_chunks(
    network: Session,
    outputs: Sequence[str],
    input_name: str,
    crops: Image,
    *,
    mean: float,
    scale: float,
    chunk: int,
    padded: bool = False,
) -> list[NDArray[Any]]:
    """Run a network over crops, fed as float32 NCHW (x - mean) * scale.

    Parameters
    ----------
    network : Session
    outputs : sequence of str
    input_name : str
    crops : ndarray of uint8 [n, S, S, 3]
    mean, scale : float
    chunk : int
        Crops in a batch: memory is bounded, and layers stay in the cache.
    padded : bool
        Fill up the last batch, for a network that takes batches of one size only.

    Returns
    -------
    list of ndarray [n, ...]
        One array an output, also where n is 0.
    """
    count, size = crops.shape[:2]
    parts = []
    for start in range(0, max(count, 1), chunk):
        piece = crops[start : start + chunk]
        rows = chunk if padded else max(len(piece), 1)
        batch = np.zeros((rows, 3, size, size), np.float32)
        batch[: len(piece)] = piece.transpose(0, 3, 1, 2)
        batch -= np.float32(mean)
        batch *= np.float32(scale)
        parts.append(network.run({input_name: batch}, outputs))
    return [np.concatenate(part)[:count] for part in zip(*parts, strict=True)]
