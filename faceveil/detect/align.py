"""Alignment of faces by five landmarks (thesis 3.1.3): every face upright and in the same place.

The similarity is Umeyama's least squares solution (1991). In the plane it has a closed form: with
points as complex numbers, the best turn and zoom is one division.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from faceveil.detect.pyramid import Pyramid
from faceveil.faces import Floats, Image

CROP_SIZE = 112
TEMPLATE: Floats = np.array(
    [
        [38.2946, 51.6963],
        [73.5318, 51.5014],
        [56.0252, 71.7366],
        [41.5493, 92.3655],
        [70.7299, 92.2041],
    ],
    np.float32,
)
"""x, y of eyes, nose and mouth corners in the crops of 112 x 112 pixels that ArcFace takes."""


@dataclass(frozen=True, slots=True, eq=False)
class Alignment:
    """How the faces for a recogniser are cut out.

    The landmarks of each face are mapped onto `template` float32 [5, 2] of a crop of `size` x
    `size` pixels.
    """

    template: Floats
    size: int


ARCFACE = Alignment(TEMPLATE, CROP_SIZE)


def similarities(points: Floats, targets: Floats) -> Floats:
    """Return the similarity transforms that map points nearest to targets.

    Parameters
    ----------
    points : ndarray of float32 [n, k, 2]
    targets : ndarray of float32 [k, 2] or [n, k, 2]

    Returns
    -------
    ndarray of float32 [n, 2, 3]
        They rotate, scale and move but never mirror. Points that all coincide are mapped with scale
        0 onto the centre of the targets.

    Notes
    -----
    Umeyama, 1991, in the closed form of the plane.
    """
    source = _complex(points)
    target = np.broadcast_to(_complex(targets), source.shape)
    source_middle = source.mean(axis=-1, keepdims=True)
    target_middle = target.mean(axis=-1, keepdims=True)
    centred = source - source_middle
    spread = (np.abs(centred) ** 2).sum(axis=-1)
    match = (centred.conj() * (target - target_middle)).sum(axis=-1)
    turn = np.divide(match, spread, out=np.zeros_like(match), where=spread > 0)
    move = target_middle[..., 0] - turn * source_middle[..., 0]
    matrices = np.empty((*turn.shape, 2, 3), np.float32)
    matrices[..., 0, 0] = matrices[..., 1, 1] = turn.real
    matrices[..., 0, 1], matrices[..., 1, 0] = -turn.imag, turn.imag
    matrices[..., 0, 2], matrices[..., 1, 2] = move.real, move.imag
    return matrices


def aligned(pyramid: Pyramid, landmarks: Floats, alignment: Alignment = ARCFACE) -> Image:
    """Return crops uint8 RGB [n, size, size, 3] of faces with landmarks [n, 5, 2]."""
    crop_to_frame = _inverse(similarities(landmarks, alignment.template))
    return pyramid.warp(crop_to_frame, alignment.size)


def _complex(points: Floats) -> np.ndarray[tuple[int, ...], np.dtype[np.complex128]]:
    return points[..., 0] + 1j * points[..., 1].astype(np.float64)


def _inverse(matrices: Floats) -> Floats:
    """Inverses of similarities [n, 2, 3]; all zeros for one of scale 0."""
    a, b = matrices[:, 0, 0].astype(np.float64), matrices[:, 1, 0].astype(np.float64)
    zoom = a * a + b * b
    safe = np.where(zoom > 0, zoom, 1)
    inverse = np.zeros(matrices.shape, np.float64)
    inverse[:, 0, 0] = inverse[:, 1, 1] = a / safe
    inverse[:, 0, 1], inverse[:, 1, 0] = b / safe, -b / safe
    inverse[:, :, 2] = -(inverse[:, :, :2] @ matrices[:, :, 2:].astype(np.float64))[..., 0]
    return inverse.astype(np.float32)
