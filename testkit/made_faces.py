"""Facial sequences with known features, to cluster and to decide on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from faceveil.faces import FaceSequence, Floats, FrameFaces, Models, Provenance

SIZE = 32


def person(number: int, size: int = SIZE) -> Floats:
    """The feature of a person: people with different numbers are at right angles."""
    feature: Floats = np.eye(size, dtype=np.float32)[number]
    return feature


def between(one: Floats, other: Floats, similarity: float) -> Floats:
    """A feature at the given cosine from `one`, leaning towards `other` (at right angles to it)."""
    feature: Floats = similarity * one + np.sqrt(1 - similarity**2) * other
    return feature.astype(np.float32)


def sequence(
    feature: ArrayLike | None = None,
    *,
    first: int = 0,
    last: int = 9,
    corner: tuple[float, float] = (0, 0),
    side: float = 60,
    quality: float = 1.0,
    **columns: Any,
) -> FaceSequence:
    """A face that stands still; `feature` is one row or None, `columns` replace the usual ones."""
    frames = np.arange(first, last + 1, dtype=np.int32)
    box = np.array([*corner, corner[0] + side, corner[1] + side], np.float32)
    made: dict[str, Any] = {
        "frames": frames,
        "boxes": np.tile(box, (len(frames), 1)),
        "scores": np.ones(len(frames), np.float32),
        "provenance": np.full(len(frames), Provenance.DETECTED, np.uint8),
    } | columns
    if feature is not None:
        made |= {
            "feature_frames": made["frames"][:1],
            "feature_quality": np.array([quality], np.float32),
            "features": np.asarray(feature, np.float32)[None],
        }
    return FaceSequence(**made)


def frame_faces(
    sides: Sequence[float],
    features: ArrayLike | None = None,
    scores: ArrayLike | None = None,
    accept_score: float = 0.7,
) -> FrameFaces:
    """The faces of a photo: squares of the given sides beside each other."""
    count = len(sides)
    boxes = [[300 * i, 10, 300 * i + side, 10 + side] for i, side in enumerate(sides)]
    rows = np.eye(SIZE)[:count] if features is None else np.asarray(features)
    return FrameFaces(
        width=300 * count + 300,
        height=300,
        models=Models("test", "test", "sha256:0", accept_score),
        boxes=np.array(boxes, np.float32).reshape(count, 4),
        scores=np.ones(count, np.float32) if scores is None else np.array(scores, np.float32),
        landmarks=np.zeros((count, 5, 2), np.float32),
        features=rows.astype(np.float32),
    )
