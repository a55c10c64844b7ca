"""Boxes moved outwards where smoothing has cut into detected boxes."""

from __future__ import annotations

import numpy as np

from faceveil.faces import FaceSequence, Floats, Provenance


def widen(boxes: Floats, sequence: FaceSequence, window: int) -> Floats:
    """Smoothed boxes [n, 4] of a sequence, moved outwards until they contain its detected boxes.

    Each side moves by the largest deficit in the window around its frame, averaged over the same
    window, which is never less than the deficit of the frame itself.
    """
    from scipy.ndimage import maximum_filter1d, uniform_filter1d

    seen = (sequence.provenance == Provenance.DETECTED) | (
        sequence.provenance == Provenance.LOW_SCORE
    )
    outwards = np.array([-1, -1, 1, 1], np.float32)
    deficit = np.where(seen[:, None], np.maximum((sequence.boxes - boxes) * outwards, 0), 0)
    steady = uniform_filter1d(maximum_filter1d(deficit, window, axis=0), window, axis=0)
    wide = boxes + outwards * steady
    held = np.where(
        outwards < 0, np.minimum(wide, sequence.boxes), np.maximum(wide, sequence.boxes)
    )
    return np.where(seen[:, None], held, wide).astype(np.float32)
