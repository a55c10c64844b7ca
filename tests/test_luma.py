"""Brightness as OpenCV computes it, for grey pictures of veils, thumbnails and tracking."""

from __future__ import annotations

import cv2
import numpy as np

from faceveil.luma import luma


def test_luma_agrees_with_opencv_and_ignores_transparency() -> None:
    picture = np.random.default_rng(1).integers(0, 256, (5, 7, 3), np.uint8)
    expected = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float32)
    assert np.abs(luma(picture) - expected).max() <= 1
    with_alpha = np.dstack([picture, np.full((5, 7), 9, np.uint8)])
    assert (luma(with_alpha) == luma(picture)).all()
