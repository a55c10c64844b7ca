"""Longer looks: more faces beside those of a shorter look, and never fewer.

Where boxes of a shorter and a longer look compete, the longer look can lose a face: a box found in
the turned picture replaces a better one, or the box of one face displaces that of another in front
of it. So the shorter look is taken as it is, and the others add to it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from faceveil.detect.detector import Detected, rescale
from faceveil.detect.pyramid import Pyramid
from faceveil.detect.union import PyramidDetector, same_face
from faceveil.faces import Floats, Image


class AddedLooks:
    """All faces of a detector, and those that further looks find beside them.

    Parameters
    ----------
    base : PyramidDetector
    looks : sequence of PyramidDetector
        Each adds to those before it (`add`).
    """

    def __init__(self, base: PyramidDetector, looks: Sequence[PyramidDetector]) -> None:
        self._base = base
        self._looks = tuple(looks)
        self.name = base.name
        self.accept_score = base.accept_score

    def detect(self, image: Image) -> Detected:
        """Return the faces of a picture, RGB uint8 [H, W, 3], best score first."""
        return self.detect_in(Pyramid(image))

    def detect_in(self, pyramid: Pyramid) -> Detected:
        """Return the faces of a picture."""
        found = self._base.detect_in(pyramid)
        for look in self._looks:
            more = look.detect_in(pyramid)
            scores = rescale(more.scores, look.accept_score, self.accept_score)
            rescaled = Detected(more.boxes, scores, more.landmarks)
            found = add(found, rescaled, self.accept_score, clearness=more.scores)
        return found


def add(
    found: Detected, more: Detected, accept_score: float, *, clearness: Floats | None = None
) -> Detected:
    """Return the faces of a look, and those of a further look that are not among them.

    Parameters
    ----------
    found, more : Detected
    accept_score : float
        Of the scores of both.
    clearness : ndarray of float32 [n], optional
        By which the landmarks of `more` are preferred to those of a face with a lower score; by
        default its scores.

    Returns
    -------
    Detected
        Best score first. Every accepted face of `found` with its box; its score, and the landmarks
        by which it is recognised, are those of the better look. An unaccepted one gives way to an
        accepted one of `more` in its place.
    """
    if not len(more):
        return found
    count = len(found)
    every = Detected.joined([found, more])
    accepted = every.scores >= np.float32(accept_score)
    same = same_face(every.boxes)[:count, count:]
    scores, landmarks = every.scores.copy(), every.landmarks.copy()
    again = same & accepted[:count, None]
    scores[:count] = np.maximum(found.scores, np.where(again, more.scores, 0).max(axis=1))
    clear = np.where(again, more.scores if clearness is None else clearness, 0)
    better = np.flatnonzero(clear.max(axis=1) > found.scores)
    landmarks[better] = more.landmarks[clear[better].argmax(axis=1)]
    known = (same & (accepted[:count, None] | ~accepted[count:])).any(axis=0)
    replaced = ~accepted[:count] & (same & ~known).any(axis=1)
    kept = np.flatnonzero(np.concatenate([~replaced, ~known]))
    kept = kept[np.argsort(-scores[kept], kind="stable")]
    return Detected(every.boxes[kept], scores[kept], landmarks[kept])
