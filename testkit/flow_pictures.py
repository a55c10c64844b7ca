"""A patch of noise before a background of noise, drawn where a box says."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from faceveil.faces import Floats

Grey = NDArray[np.uint8]

WIDTH, HEIGHT = 320, 240


def texture(seed: int, width: int, height: int) -> Grey:
    """Noise as smooth as a face, grey uint8 [height, width]."""
    noise = np.random.default_rng(seed).standard_normal((height // 12, width // 12)).astype("f")
    large = cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.clip(128 + 40 * large, 0, 255).astype(np.uint8)


BACKGROUND, FACE = texture(1, WIDTH, HEIGHT), texture(2, 128, 128)


def draw(box: ArrayLike) -> Grey:
    """The face in a box [4] of any size before the background, grey uint8 [240, 320]."""
    x1, y1, x2, y2 = np.asarray(box, np.float64)
    matrix = np.array([[(x2 - x1) / 128, 0, x1], [0, (y2 - y1) / 128, y1]])
    picture = BACKGROUND.copy()
    drawn = cv2.warpAffine(
        FACE, matrix, (WIDTH, HEIGHT), picture, cv2.INTER_LINEAR, cv2.BORDER_TRANSPARENT
    )
    return drawn.astype(np.uint8, copy=False)


def boxes(centre_x: ArrayLike, centre_y: ArrayLike, size: ArrayLike) -> Floats:
    """Square boxes float32 [..., 4] around their centres."""
    x, y, half = (np.broadcast_to(v, np.shape(centre_x)) for v in (centre_x, centre_y, size))
    return np.stack([x - half / 2, y - half / 2, x + half / 2, y + half / 2], -1).astype("f")
