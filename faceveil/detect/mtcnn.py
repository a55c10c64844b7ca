"""MTCNN (Zhang et al. 2016; thesis 3.1.2): three small networks, each finer than the one before.

P-Net slides over a pyramid of the picture and proposes boxes; R-Net examines each proposal at 24
pixels; O-Net examines what is left at 48 pixels and adds landmarks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from faceveil.boxes import sides, suppress
from faceveil.detect.detector import Detected, Session, run_in_chunks
from faceveil.detect.pyramid import Pyramid
from faceveil.detect.regression import crop_matrices, refine, squares
from faceveil.faces import LOW_SCORE, Floats, Image

_CELL, _STRIDE = 12, 2
_STRIP = 64
"""Rows of a scale given to P-Net at once: its layers then fit in the cache, and an 8K picture in
memory. Even, so that a strip's cells are those of the whole scale."""
_RNET_SIZE, _RNET_CHUNK = 24, 64
_ONET_SIZE, _ONET_CHUNK = 48, 16


@dataclass(frozen=True, slots=True)
class MTCNNNetworks:
    """The three networks: input "input" float32 NCHW (x - 127.5) / 128 in `colour_order`."""

    pnet: Session
    rnet: Session
    onet: Session
    colour_order: str = "RGB"


class MTCNN:
    """Detector of faces from a smallest size on.

    Parameters
    ----------
    networks : MTCNNNetworks
    min_face_size : float, optional
        Pixels; by default it follows the picture (`Pyramid.smallest_face`).
    thresholds : (float, float, float)
        Of P-Net, R-Net and O-Net. The last is the score from which a face is accepted; faces down
        to `LOW_SCORE` are returned too.
    scale_factor : float
        From each scale of the pyramid to the next.
    times_smallest : float
        Faces of less than this times the smallest size are left to another detector,
    below_times_smallest : float, optional
        and those from this on; by default all are detected.
    """

    name = "mtcnn"

    def __init__(
        self,
        networks: MTCNNNetworks,
        min_face_size: float | None = None,
        thresholds: tuple[float, float, float] = (0.6, 0.7, 0.7),
        scale_factor: float = 0.709,
        times_smallest: float = 1.0,
        below_times_smallest: float | None = None,
    ) -> None:
        self._networks = networks
        self._min_face_size = min_face_size
        self._thresholds = thresholds
        self._scale_factor = scale_factor
        self._times_smallest = times_smallest
        self._below_times_smallest = below_times_smallest
        self.accept_score = thresholds[2]

    def detect(self, image: Image) -> Detected:
        """Return the faces of a picture, RGB uint8 [H, W, 3], best score first."""
        return self.detect_in(Pyramid(image))

    def detect_in(self, pyramid: Pyramid) -> Detected:
        """Return the faces of a picture."""
        return self._examine(pyramid, self._sift(pyramid, self._propose(pyramid)))

    def _propose(self, pyramid: Pyramid) -> Floats:
        """P-Net over all scales: squares float32 [n, 4] that may hold a face."""
        boxes = [np.zeros((0, 4), np.float32)]
        scores = [np.zeros(0, np.float32)]
        regressions = [np.zeros((0, 4), np.float32)]
        smallest = self._min_face_size or pyramid.smallest_face
        scale = _CELL / (self._times_smallest * smallest)
        below = self._below_times_smallest
        least = _CELL / min(pyramid.width, pyramid.height)
        if below is not None:  # the next scale is so near that it finds the same
            least = max(least, _CELL / (below * smallest) * 1.05)
        while scale >= least:
            cells, score, regression = self._propose_at(pyramid, scale)
            kept = suppress(cells, score, 0.5)
            boxes.append(cells[kept])
            scores.append(score[kept])
            regressions.append(regression[kept])
            scale *= self._scale_factor
        found = np.concatenate(boxes)
        kept = suppress(found, np.concatenate(scores), 0.7)
        return squares(refine(found[kept], np.concatenate(regressions)[kept]))

    def _propose_at(self, pyramid: Pyramid, scale: float) -> tuple[Floats, Floats, Floats]:
        """Boxes [n, 4], scores [n] and regressions [n, 4] of one scale's cells above threshold."""
        width = int(np.ceil(pyramid.width * scale))
        height = int(np.ceil(pyramid.height * scale))
        view = pyramid.resized(width, height)
        cells, scores, regressions = [], [], []
        for top in range(0, height - _CELL + _STRIDE, _STRIP):
            strip = view[top : top + _STRIP + _CELL - _STRIDE]
            reg, prob = self._networks.pnet.run({"input": self._input(strip)}, ("reg", "prob"))
            rows, columns = np.nonzero(prob[0, 1] >= self._thresholds[0])
            corner = np.stack([columns * _STRIDE, rows * _STRIDE + top], axis=1)
            cells.append(np.concatenate([corner, corner + _CELL], axis=1))
            scores.append(prob[0, 1, rows, columns])
            regressions.append(reg[0, :, rows, columns])
        zoom = np.array([pyramid.width / width, pyramid.height / height] * 2, np.float32)
        boxes = np.concatenate(cells).astype(np.float32) * zoom
        return boxes, np.concatenate(scores), np.concatenate(regressions)

    def _sift(self, pyramid: Pyramid, boxes: Floats) -> Floats:
        """R-Net over all proposals: the squares [n, 4] it accepts, moved onto the face."""
        inputs = pyramid.warp(crop_matrices(boxes, _RNET_SIZE), _RNET_SIZE)
        reg, prob = self._run(self._networks.rnet, ("reg", "prob"), inputs, _RNET_CHUNK)
        good = np.flatnonzero(prob[:, 1] > self._thresholds[1])
        good = good[suppress(boxes[good], prob[good, 1], 0.7)]
        return squares(refine(boxes[good], reg[good]))

    def _examine(self, pyramid: Pyramid, boxes: Floats) -> Detected:
        """O-Net over what R-Net left: boxes, scores and landmarks."""
        inputs = pyramid.warp(crop_matrices(boxes, _ONET_SIZE), _ONET_SIZE)
        outputs = ("reg", "prob", "pts")
        reg, prob, points = self._run(self._networks.onet, outputs, inputs, _ONET_CHUNK)
        lowest = min(LOW_SCORE, self.accept_score)
        good = np.flatnonzero(prob[:, 1] >= lowest)
        faces = refine(boxes[good], reg[good])
        kept = suppress(faces, prob[good, 1], 0.7, "minimum")
        good = good[kept]
        relative = points[good].reshape(-1, 2, 5).transpose(0, 2, 1)
        landmarks = boxes[good, None, :2] + relative * sides(boxes[good])[:, None]
        return Detected(faces[kept], prob[good, 1], np.asarray(landmarks, np.float32))

    def _run(
        self, network: Session, outputs: tuple[str, ...], crops: Image, chunk: int
    ) -> list[NDArray[Any]]:
        prepared = crops if self._networks.colour_order == "RGB" else crops[..., ::-1]
        return run_in_chunks(
            network, outputs, "input", prepared, mean=127.5, scale=1 / 128, chunk=chunk
        )

    def _input(self, strip: Image) -> NDArray[Any]:
        swap = self._networks.colour_order == "BGR"
        blob: NDArray[Any] = cv2.dnn.blobFromImage(strip, 1 / 128, mean=(127.5,) * 3, swapRB=swap)
        return blob
