"""What every detector answers, and what it needs of an inference session."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from faceveil.faces import LOW_SCORE, Floats, Image


class Session(Protocol):
    """An opened network; safe to run from several threads."""

    @property
    def inputs(self) -> Mapping[str, tuple[int | str | None, ...]]:
        """Shape of each input; a name or None where a dimension is free."""
        ...

    @property
    def outputs(self) -> Mapping[str, tuple[int | str | None, ...]]: ...

    def run(
        self, feeds: Mapping[str, NDArray[Any]], outputs: Sequence[str] = ()
    ) -> list[NDArray[Any]]:
        """The named outputs, or all in the file's order."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Detected:
    """Faces a detector found, best score first.

    boxes float32 [n, 4], scores float32 [n] in 0..1, landmarks float32 [n, 5, 2]: pixels of the
    picture; boxes may reach over its edges.
    """

    boxes: Floats
    scores: Floats
    landmarks: Floats

    def __len__(self) -> int:
        return len(self.boxes)

    def select(self, index: NDArray[Any]) -> Detected:
        """The faces picked by an index or a mask, in that order."""
        return Detected(self.boxes[index], self.scores[index], self.landmarks[index])

    def moved(self, x: float, y: float) -> Detected:
        """The same faces in a picture that begins x pixels further left and y further up."""
        shift = np.array([x, y], np.float32)
        return Detected(self.boxes + np.tile(shift, 2), self.scores, self.landmarks + shift)

    @classmethod
    def joined(cls, parts: Sequence[Detected]) -> Detected:
        """All faces of several answers, one after the other."""
        return cls(
            np.concatenate([part.boxes for part in parts]),
            np.concatenate([part.scores for part in parts]),
            np.concatenate([part.landmarks for part in parts]),
        )


class Detector(Protocol):
    """Anything that finds faces. `detect` is called from several threads at once."""

    @property
    def name(self) -> str: ...

    @property
    def accept_score(self) -> float:
        """The score from which a face counts; lower ones may only extend a sequence."""
        ...

    def detect(self, image: Image) -> Detected:
        """Faces of an RGB uint8 [H, W, 3] picture."""
        ...


def rescale(scores: Floats, accept: float, to: float) -> Floats:
    """Scores float32 [n] on a scale whose accept score is `to` instead of `accept`; monotone."""
    own = np.array([0, LOW_SCORE, accept, 1], np.float32)
    return np.interp(scores, own, [0, LOW_SCORE, to, 1]).astype(np.float32)


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
    """Run a network over crops uint8 [n, S, S, 3] as float32 NCHW (x - mean) * scale.

    Chunks keep memory bounded however many crops there are, and the layers in the cache.
    `padded` fills the last one up, for a network that takes batches of one size only. No crop at
    all gives outputs of the right width without rows.
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
