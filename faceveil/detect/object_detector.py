"""What detectors of objects have in common: they find several classes, of which some count."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faceveil.detect.detector import Detected, Session
from faceveil.detect.one_stage import OneStageDetector, usual_landmarks
from faceveil.faces import Floats


class ObjectDetector(OneStageDetector):
    """Detector of objects of some classes.

    Parameters
    ----------
    name, network, min_face_size, accept_score
        As those of its base.
    classes : sequence of int
        The numbers of the classes that count; empty for all.
    """

    scale, fill, same_iou = 1 / 255, 114, 0.45

    def __init__(
        self,
        name: str,
        network: Session,
        min_face_size: float | None = None,
        accept_score: float = 0.5,
        classes: Sequence[int] = (),
    ) -> None:
        super().__init__(name, network, min_face_size, accept_score)
        self._classes = np.array(classes, np.int64)

    def of_classes(self, boxes: Floats, scores: Floats, classes: NDArray[Any]) -> Detected:
        """The objects that count, from rows of boxes [n, 4], scores [n] and class numbers [n]."""
        wanted = scores >= self.lowest
        if self._classes.size:
            wanted &= np.isin(classes.astype(np.int64), self._classes)
        found = np.asarray(boxes[wanted], np.float32)
        return Detected(found, np.asarray(scores[wanted], np.float32), usual_landmarks(found))
