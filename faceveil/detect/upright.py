"""A look at the picture turned upright, where faces in it lie on their side or upside down.

Where one person lies down, or the camera is held on its side, others are seldom upright. One such
face says which way they lie, and in the turned picture a detector of upright faces detects what it
overlooked before. A picture of upright faces costs nothing more.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

from faceveil.detect.added import add
from faceveil.detect.detector import Detected, rescale
from faceveil.detect.pyramid import Pyramid
from faceveil.detect.union import PyramidDetector
from faceveil.faces import Floats, Image


class TurnedDetector(Protocol):
    """A detector of faces in a picture turned by quarters."""

    @property
    def accept_score(self) -> float: ...

    def detect_turned(self, pyramid: Pyramid, quarters: int) -> Detected: ...


class UprightLook:
    """All faces of a detector, and those beside them in the picture turned upright.

    Parameters
    ----------
    base : PyramidDetector
    turned : TurnedDetector
        Detects in the picture turned the way in which most of the turned faces of `base` are
        upright.
    """

    def __init__(self, base: PyramidDetector, turned: TurnedDetector) -> None:
        self._base = base
        self._turned = turned
        self.name = base.name
        self.accept_score = base.accept_score

    def detect(self, image: Image) -> Detected:
        """Return the faces of a picture, RGB uint8 [H, W, 3], best score first."""
        return self.detect_in(Pyramid(image))

    def detect_in(self, pyramid: Pyramid) -> Detected:
        """Return the faces of a picture."""
        found = self._base.detect_in(pyramid)
        quarters = quarters_to_upright(
            found.landmarks[found.scores >= np.float32(self.accept_score)]
        )
        if not quarters:
            return found
        more = self._turned.detect_turned(pyramid, quarters)
        scores = rescale(more.scores, self._turned.accept_score, self.accept_score)
        return add(
            found,
            Detected(more.boxes, scores, more.landmarks),
            self.accept_score,
            clearness=more.scores,
        )


def quarters_to_upright(landmarks: Floats) -> int:
    """Return by how many quarters, as `numpy.rot90` counts, a picture is turned upright.

    Parameters
    ----------
    landmarks : ndarray of float32 [n, 5, 2]
        Of its faces; each is as upright as its mouth is below its eyes.

    Returns
    -------
    int
        1 to 3, for most of the faces that are not upright; 0 where all are.
    """
    down = landmarks[:, 3:].mean(axis=1) - landmarks[:, :2].mean(axis=1)
    quarters = np.rint(np.arctan2(-down[:, 0], down[:, 1]) / (np.pi / 2)).astype(int) % 4
    turned = np.bincount(quarters, minlength=4)[1:]
    return int(turned.argmax()) + 1 if turned.any() else 0
