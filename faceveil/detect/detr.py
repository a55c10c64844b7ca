"""RT-DETR (Zhao et al. 2024, "DETRs Beat YOLOs on Real-time Object Detection") and what followed.

D-FINE and DEIM answer in the same form.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faceveil.detect.detector import Detected
from faceveil.detect.object_detector import ObjectDetector
from faceveil.faces import Image


class DETR(ObjectDetector):
    """RT-DETR, D-FINE and DEIM: labels [1, n], boxes [1, n, 4] in pixels, scores [1, n].

    Their second input is the size of the picture in which the boxes are wanted.
    """

    fill = 0

    def _feeds(self, view: Image) -> Mapping[str, NDArray[Any]]:
        picture, size = self._network.inputs
        (fed,) = super()._feeds(view).values()
        height, width = view.shape[:2]
        return {picture: fed, size: np.array([[width, height]], np.int64)}

    def _decode(self, outputs: Sequence[NDArray[Any]], width: int, height: int) -> Detected:
        (boxes,) = (part[0] for part in outputs if part.ndim == 3)
        flat = [part[0] for part in outputs if part.ndim == 2]
        (labels,) = (part for part in flat if part.dtype.kind == "i")
        (scores,) = (part for part in flat if part.dtype.kind == "f")
        return self.of_classes(boxes, scores, labels)
