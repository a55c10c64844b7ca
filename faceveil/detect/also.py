"""What is detected beside faces: objects of other kinds, each kind by a network of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from faceveil.boxes import clip, sides
from faceveil.detect.detector import Detected, Detector, rescale
from faceveil.errors import UsageError
from faceveil.faces import LOW_SCORE, FrameFaces, Image, Kind


@dataclass(frozen=True, slots=True)
class AlsoOptions:
    """A network that detects objects of one kind beside the faces.

    Attributes
    ----------
    network : str
        The path of a user's own file, or a name.
    kind : str
        The word of a `Kind`.
    accept : float, optional
        The score from which an object counts; by default the detector's own.

    Raises
    ------
    UsageError
        For another kind or a score out of range.
    """

    network: str
    kind: str = "other"
    accept: float | None = None

    def __post_init__(self) -> None:
        try:
            kind = Kind.of(self.kind)
        except ValueError as error:
            raise UsageError(f"{self.network}: kind {error}") from error
        if kind == Kind.FACE:
            raise UsageError(f"{self.network}: faces are found by --detector, not by --also")
        if self.accept is not None and not LOW_SCORE < self.accept < 1:
            raise UsageError(
                f"{self.network}: accept {self.accept} is not within {LOW_SCORE} and 1"
            )

    def __str__(self) -> str:
        """The text that `parse` reads."""
        accept = "" if self.accept is None else f",accept={self.accept}"
        return f"{self.network}:kind={self.kind}{accept}"

    @classmethod
    def parse(cls, text: str) -> AlsoOptions:
        """Return the options of a text like plates.onnx:kind=plate,accept=0.4.

        Raises UsageError for any other text.
        """
        network, colon, settings = text.rpartition(":")
        if not colon or "=" not in settings:
            network, settings = text, ""
        values = dict(part.partition("=")[::2] for part in settings.split(",") if part)
        try:
            accept = float(values.pop("accept")) if "accept" in values else None
        except ValueError:
            accept = -1.0
        kind = values.pop("kind", "other")
        if values or not network:
            raise UsageError(
                f"{text!r} is not FILE[:kind=KIND,accept=SCORE], such as "
                "plates.onnx:kind=plate,accept=0.4"
            )
        return cls(network, kind, accept)


@dataclass(frozen=True, slots=True)
class AlsoDetector:
    """A detector of objects of one kind."""

    detector: Detector
    kind: Kind

    def detect(self, image: Image, accept: float) -> Detected:
        """Return the objects, within the picture, their scores on the scale of accept `accept`."""
        found = self.detector.detect(image)
        height, width = image.shape[:2]
        boxes = clip(found.boxes, width, height)
        scores = rescale(found.scores, self.detector.accept_score, accept)
        part = Detected(boxes, scores, found.landmarks)
        return part.select(np.flatnonzero(sides(boxes).min(axis=1) >= 1))


def with_objects(
    faces: FrameFaces, image: Image, detectors: Sequence[AlsoDetector], accept: float
) -> FrameFaces:
    """Return the faces of a frame with the objects that are detected beside them, behind them."""
    parts = [(detector.kind, detector.detect(image, accept)) for detector in detectors]
    objects = Detected.joined([part for _, part in parts])
    if not len(objects):
        return faces
    kinds = [np.full(len(part), kind, np.uint8) for kind, part in parts]
    return replace(
        faces,
        boxes=np.concatenate([faces.boxes, objects.boxes]),
        scores=np.concatenate([faces.scores, objects.scores]),
        landmarks=np.concatenate([faces.landmarks, objects.landmarks]),
        features=np.concatenate(
            [faces.features, np.zeros((len(objects), faces.features.shape[1]), np.float32)]
        ),
        kinds=np.concatenate([np.zeros(len(faces), np.uint8), *kinds]),
    )
