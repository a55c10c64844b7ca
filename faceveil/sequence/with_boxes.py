"""Boxes added to a sequence on frames that it has none for."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from faceveil.faces import FaceSequence, Floats, Ints, Provenance


def with_boxes(
    sequence: FaceSequence, frames: Ints, boxes: Floats, provenance: Provenance
) -> FaceSequence:
    """The sequence with boxes on more frames (score 0), which it must not have yet."""
    order = np.argsort(np.concatenate([sequence.frames, frames]))
    return replace(
        sequence,
        frames=np.concatenate([sequence.frames, frames])[order],
        boxes=np.concatenate([sequence.boxes, boxes])[order].astype(np.float32, copy=False),
        scores=np.concatenate([sequence.scores, np.zeros(len(frames), np.float32)])[order],
        provenance=np.concatenate(
            [sequence.provenance, np.full(len(frames), provenance, np.uint8)]
        )[order],
    )
