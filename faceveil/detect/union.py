"""The union of detectors: a face that any of them detects is a face (privacy needs recall).

MTCNN alone misses small and turned faces, most of which CenterFace detects
(benchmarks/reports/quality.md compares them).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from faceveil.boxes import areas, overlaps
from faceveil.detect.detector import Detected, Detector, rescale
from faceveil.detect.pyramid import Pyramid
from faceveil.faces import Floats, Image

_SAME_IOU = 0.4
_INSIDE, _INSIDE_AREA = 0.75, 0.25
"""Two boxes are one face when this much of the smaller lies in the other and the smaller is not
much smaller: a face in front of another face stays a face of its own."""


class PyramidDetector(Detector, Protocol):
    """A detector that can share the pyramid of a picture with others."""

    def detect_in(self, pyramid: Pyramid) -> Detected: ...


class UnionDetector:
    """All faces of several detectors, each once.

    Parameters
    ----------
    detectors : sequence of PyramidDetector
    accept_score : float
        The accept score of the union.

    Notes
    -----
    Scores are brought to one scale by straight lines from (LOW_SCORE, LOW_SCORE) over (accept score
    of the detector, `accept_score`) to (1, 1), so that a face is accepted when its own detector
    accepts it. Several detectors of one face count as independent: the chance that all are wrong is
    the product of theirs, score = 1 - (1 - a)(1 - b). Box and landmarks are those of the first
    detector that accepts the face, else of the one with the best score.
    """

    def __init__(self, detectors: Sequence[PyramidDetector], accept_score: float = 0.5) -> None:
        self._detectors = tuple(detectors)
        self.name = "+".join(detector.name for detector in detectors)
        self.accept_score = accept_score

    def detect(self, image: Image) -> Detected:
        """Return the faces of a picture, RGB uint8 [H, W, 3], best score first."""
        return self.detect_in(Pyramid(image))

    def detect_in(self, pyramid: Pyramid) -> Detected:
        """Return the faces of a picture."""
        parts = []
        for detector in self._detectors:
            found = detector.detect_in(pyramid)
            scores = rescale(found.scores, detector.accept_score, self.accept_score)
            parts.append(Detected(found.boxes, scores, found.landmarks))
        rank = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
        return merge(Detected.joined(parts), rank, self.accept_score)


def merge(found: Detected, rank: NDArray[np.intp], accept_score: float) -> Detected:
    """Return each face once, best score first; `rank` [n] is the number of each row's detector."""
    accepted = found.scores >= np.float32(accept_score)
    order = np.lexsort((-found.scores, np.where(accepted, rank, rank.max(initial=0) + 1)))
    same = same_face(found.boxes)
    free = np.ones(len(found), bool)
    kept: list[int] = []
    scores: list[float] = []
    for row in order:
        if free[row]:
            group = same[row] & free
            free &= ~group
            doubts = [1 - found.scores[group & (rank == one)].max() for one in set(rank[group])]
            kept.append(int(row))
            scores.append(1 - float(np.prod(doubts)))
    combined = np.array(scores, np.float32)
    best = np.argsort(-combined, kind="stable")
    faces = found.select(np.array(kept, np.intp)[best])
    return Detected(faces.boxes, combined[best], faces.landmarks)


def same_face(boxes: Floats) -> NDArray[np.bool_]:
    """Return bool [n, n]: which boxes [n, 4] are around one face; each and itself always are."""
    area = areas(boxes)
    ratio = np.minimum(area[:, None], area) / np.maximum(np.maximum(area[:, None], area), 1e-6)
    inside = (overlaps(boxes, boxes, "minimum") > _INSIDE) & (ratio > _INSIDE_AREA)
    same: NDArray[np.bool_] = (overlaps(boxes, boxes) > _SAME_IOU) | inside
    np.fill_diagonal(same, True)
    return same
