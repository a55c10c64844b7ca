"""A face looked at again, larger and mirrored: chance does not strike twice.

Near its threshold a detector sees faces in hands, cloth and soft veils. From another view nearly
all of those are gone, and faces are still there (benchmarks/reports/verification.md).
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from faceveil.boxes import centres, from_centres, overlaps, sides
from faceveil.faces import Floats, FrameFaces, Image

_FACE_SIZE = 96
_CONTEXT = 2.0
"""The view reaches this many times the face's longer side to each side of its centre."""
_SAME_FACE = 0.35
"""Intersection over union from which a face of the second view is the one looked for."""


def second_look(analyzer: Callable[[Image], FrameFaces], picture: Image, box: Floats) -> float:
    """Score of the face at box float32 [4] in the second view of an RGB picture; 0 where none."""
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
    seen = analyzer(np.asarray(view, np.uint8))
    wanted = from_centres(np.full(2, side / 2), sides(box) * np.float32(scale))
    same = overlaps(seen.boxes, wanted[None])[:, 0] >= _SAME_FACE
    return float(seen.scores[same].max(initial=0.0))
