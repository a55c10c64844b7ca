"""YOLO (Redmon et al. 2016 and many since), in the two forms in which its files answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faceveil.boxes import from_centres
from faceveil.detect.detector import Detected, Session
from faceveil.detect.object_detector import ObjectDetector
from faceveil.detect.one_stage import usual_landmarks

_BOX = 4
_LANDMARKS = 5


class YOLOEndToEnd(ObjectDetector):
    """YOLO with suppression in the file.

    Rows are [picture, x1, y1, x2, y2, class, score] (open-image-models) or
    [x1, y1, x2, y2, score, class] (YOLOv10 and later).
    """

    def _decode(self, outputs: Sequence[NDArray[Any]], width: int, height: int) -> Detected:
        rows = outputs[0].reshape(-1, outputs[0].shape[-1])
        if rows.shape[1] == 7:
            return self.of_classes(rows[:, 1:5], rows[:, 6], rows[:, 5])
        return self.of_classes(rows[:, :_BOX], rows[:, 4], rows[:, 5])


class YOLO(ObjectDetector):
    """YOLOv8, v9 and v11 as they are trained: [1, 4 + classes (+ landmarks), n] or transposed.

    Parameters
    ----------
    name, network, min_face_size, accept_score, classes
        As those of its base.
    class_count : int
        The columns that are scores of classes; what follows them are five landmarks.
    """

    def __init__(
        self,
        name: str,
        network: Session,
        min_face_size: float | None = None,
        accept_score: float = 0.5,
        classes: Sequence[int] = (),
        class_count: int = 1,
    ) -> None:
        super().__init__(name, network, min_face_size, accept_score, classes)
        self._class_count = class_count

    def _decode(self, outputs: Sequence[NDArray[Any]], width: int, height: int) -> Detected:
        table = outputs[0][0]
        if table.shape[0] < table.shape[1]:
            table = table.T
        ends = _BOX + self._class_count
        columns = self._classes if self._classes.size else np.arange(self._class_count)
        scores = table[:, _BOX + columns].max(axis=1)
        rows = np.flatnonzero(scores >= self.lowest)
        box = from_centres(table[rows, :2], table[rows, 2:_BOX])
        landmarks = usual_landmarks(box)
        if table.shape[1] > ends:
            # x, y and in most files how visible each landmark is
            landmarks = table[rows, ends:].reshape(len(rows), _LANDMARKS, -1)[..., :2]
        return Detected(
            box, np.asarray(scores[rows], np.float32), np.asarray(landmarks, np.float32)
        )
