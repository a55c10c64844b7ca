"""Facial sequences with known features, to cluster and to decide on."""

import numpy as np

from faceveil.faces import FaceSequence, FrameFaces, Models, Provenance

SIZE = 32


def person(number, size=SIZE):
    """The feature of a person: people with different numbers are at right angles."""
    return np.eye(size, dtype=np.float32)[number]


def between(one, other, similarity):
    """A feature at the given cosine from `one`, leaning towards `other` (at right angles to it)."""
    return (similarity * one + np.sqrt(1 - similarity**2) * other).astype(np.float32)


def sequence(feature=None, *, first=0, last=9, corner=(0, 0), side=60, quality=1.0, **columns):
    """A face that stands still; `feature` is one row or None."""
    frames = np.arange(first, last + 1, dtype=np.int32)
    box = np.array([*corner, corner[0] + side, corner[1] + side], np.float32)
    columns = {
        "frames": frames,
        "boxes": np.tile(box, (len(frames), 1)),
        "scores": np.ones(len(frames), np.float32),
        "provenance": np.full(len(frames), Provenance.DETECTED, np.uint8),
    } | columns
    if feature is not None:
        columns |= {
            "feature_frames": columns["frames"][:1],
            "feature_quality": np.array([quality], np.float32),
            "features": np.asarray(feature, np.float32)[None],
        }
    return FaceSequence(**columns)


def frame_faces(sides, features=None, scores=None, accept_score=0.7):
    """The faces of a photo: squares of the given sides beside each other."""
    count = len(sides)
    boxes = [[300 * i, 10, 300 * i + side, 10 + side] for i, side in enumerate(sides)]
    features = np.eye(SIZE)[:count] if features is None else np.array(features)
    return FrameFaces(
        width=300 * count + 300,
        height=300,
        models=Models("test", "test", "sha256:0", accept_score),
        boxes=np.array(boxes, np.float32).reshape(count, 4),
        scores=np.ones(count, np.float32) if scores is None else np.array(scores, np.float32),
        landmarks=np.zeros((count, 5, 2), np.float32),
        features=features.astype(np.float32),
    )
