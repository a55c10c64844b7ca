"""A frame in, faces out: detection, alignment and recognition joined (thesis 3.1.2 and 3.1.3)."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import orjson
from numpy.typing import NDArray

from faceveil.boxes import clip, sides
from faceveil.detect.align import ARCFACE, aligned
from faceveil.detect.also import AlsoDetector, with_objects
from faceveil.detect.detector import Detected, Detector
from faceveil.detect.pyramid import Pyramid
from faceveil.faces import FIRST_ENGINE, Floats, FrameFaces, Image, Models


class Recognizer(Protocol):
    """Turns aligned faces into features. Called from several threads at once.

    A recogniser whose crops differ from those of ArcFace has an attribute `alignment`
    (`align.Alignment`).
    """

    @property
    def name(self) -> str: ...

    @property
    def feature_size(self) -> int:
        """Length of a feature."""
        ...

    def features(self, crops: Image) -> Floats:
        """Return the features of faces.

        Parameters
        ----------
        crops : ndarray of uint8 [n, 112, 112, 3]
            RGB; of another size where the alignment has one.

        Returns
        -------
        ndarray of float32 [n, feature_size]
            L2-normalised.
        """
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Unrecognised:
    """The faces of a picture before they are recognised.

    Attributes
    ----------
    faces : FrameFaces
        Their features are zeros, to be filled in.
    rows : ndarray of intp [k]
        The faces that are accepted, and so can be recognised.
    crops : ndarray of uint8 [k, S, S, 3]
        Those faces aligned for the recogniser, RGB.
    """

    faces: FrameFaces
    rows: NDArray[np.intp]
    crops: Image


class FaceAnalyzer:
    """Detects all faces of a picture and computes their features. Safe in several threads.

    Parameters
    ----------
    detector : Detector
    recognizer : Recognizer
    digest : str, optional
        Digest of weights and settings; by default of the names of the two only.
    also : sequence of AlsoDetector
        What detects objects of other kinds beside the faces.
    engine : str
        What runs the networks, as `Models` names it.

    Notes
    -----
    OpenCV's own threads (cv2.setNumThreads) are left as the process has them.
    """

    def __init__(
        self,
        detector: Detector,
        recognizer: Recognizer,
        digest: str | None = None,
        also: Sequence[AlsoDetector] = (),
        engine: str = FIRST_ENGINE,
    ) -> None:
        self._also = tuple(also)
        self.detector = detector
        self.recognizer = recognizer
        self._alignment = getattr(recognizer, "alignment", ARCFACE)
        parts = [detector.name, recognizer.name, detector.accept_score]
        self.models = Models(
            detector=", ".join([detector.name, *(part.detector.name for part in self._also)]),
            recognizer=recognizer.name,
            digest=digest or digest_of(parts),
            accept_score=detector.accept_score,
            engine=engine,
        )

    def __call__(self, image: Image) -> FrameFaces:
        """Return the faces of a picture.

        Parameters
        ----------
        image : ndarray of uint8 [H, W, 3]
            RGB.

        Returns
        -------
        FrameFaces
            Best score first, boxes within the picture. Faces below the accept score are included,
            with a feature of zeros.

        Raises
        ------
        InputError
            For an array of another shape or type.
        """
        return self.analyse([image])[0]

    def analyse(self, images: Sequence[Image]) -> list[FrameFaces]:
        """Return the faces of several pictures, whose features are computed in one batch."""
        frames = [self.detect(image) for image in images]
        if frames:
            features = self.recognise(np.concatenate([frame.crops for frame in frames]))
            ends = np.cumsum([len(frame.rows) for frame in frames])
            for frame, end in zip(frames, ends.tolist(), strict=True):
                frame.faces.features[frame.rows] = features[end - len(frame.rows) : end]
        return [frame.faces for frame in frames]

    def detect(self, image: Image) -> Unrecognised:
        """Return the faces of a picture, RGB uint8 [H, W, 3], before they are recognised.

        Raises InputError for an array of another shape or type.
        """
        pyramid = Pyramid(image)
        found = _within(self.detector.detect(image), pyramid)
        rows = np.flatnonzero(found.scores >= np.float32(self.models.accept_score))
        crops = aligned(pyramid, found.landmarks[rows], self._alignment)
        faces = self._frame(pyramid, found)
        if self._also:
            faces = with_objects(faces, image, self._also, self.models.accept_score)
        return Unrecognised(faces, rows, crops)

    def recognise(self, crops: Image) -> Floats:
        """Return the features float32 [n, D] of crops that `detect` returned."""
        if len(crops):
            return self.recognizer.features(crops)
        return np.zeros((0, self.recognizer.feature_size), np.float32)

    def _frame(self, pyramid: Pyramid, found: Detected) -> FrameFaces:
        return FrameFaces(
            width=pyramid.width,
            height=pyramid.height,
            models=self.models,
            boxes=found.boxes,
            scores=found.scores,
            landmarks=found.landmarks,
            features=np.zeros((len(found), self.recognizer.feature_size), np.float32),
            thumbnail=pyramid.thumbnail(),
        )


def _within(found: Detected, pyramid: Pyramid) -> Detected:
    """Faces with boxes clipped to the picture, without those outside it."""
    boxes = clip(found.boxes, pyramid.width, pyramid.height)
    seen = np.flatnonzero(sides(boxes).min(axis=1) >= 1)
    return Detected(boxes, found.scores, found.landmarks).select(seen)


def digest_of(parts: list[object]) -> str:
    """Return the digest of what decides the results of an analyzer."""
    return "sha256:" + hashlib.sha256(orjson.dumps(parts)).hexdigest()
