"""A second detection of a face in another view, larger and mirrored, to rule out false alarms.

Near its threshold a detector finds faces in hands, cloth and soft veils. In another view nearly all
of those are gone, while true faces are still found (benchmarks/reports/verification.md).
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from faceveil.boxes import centres, from_centres, overlaps, sides
from faceveil.faces import Floats, FrameFaces, Image, Kind

_FACE_SIZE = 96
_CONTEXT = 2.0
"""The view reaches this many times the face's longer side to each side of its centre."""
_SAME_FACE = 0.35
"""Intersection over union from which a face of the second view is the same face."""


def second_look(
    analyzer: Callable[[Image], FrameFaces],
    picture: Image,
    box: Floats,
    kind: Kind = Kind.FACE,
) -> float:
    """Return the score of a face in the second view.

    Parameters
    ----------
    analyzer : callable
        Detects the faces of a picture, RGB uint8 [H, W, 3].
    picture : ndarray of uint8 [H, W, 3]
        RGB.
    box : ndarray of float32 [4]
        The face, in pixels.
    kind : Kind
        What it is; only objects of this kind confirm it.

    Returns
    -------
    float
        0 where the second view has no face there.
    """
    size = float(sides(box).max())
    scale, reach = _FACE_SIZE / size, _CONTEXT * size
    centre = centres(box)
    view_to_picture = np.array(
        [[-1 / scale, 0, centre[0] + reach], [0, 1 / scale, centre[1] - reach]], np.float32
    )
    side = round(2 * _CONTEXT * _FACE_SIZE)
    view = cv2.warpAffine(
        picture,
        view_to_picture,
        (side, side),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    seen = analyzer(np.asarray(view, np.uint8)).of_kind(kind)
    wanted = from_centres(np.full(2, side / 2), sides(box) * np.float32(scale))
    same = overlaps(seen.boxes, wanted[None])[:, 0] >= _SAME_FACE
    return float(seen.scores[same].max(initial=0.0))
