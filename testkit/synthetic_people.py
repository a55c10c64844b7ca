"""People with known paths and features, and what a detector would answer for them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from faceveil.faces import FaceSequence, FrameFaces, Models, Provenance
from faceveil.sequence.follow.build import Built, SequenceBuilder
from faceveil.sequence.options import SequenceOptions

MODELS = Models("synthetic", "synthetic", "sha256:0", accept_score=0.6)
WIDTH, HEIGHT, FEATURE_SIZE = 1280, 720, 32


def feature(person: int) -> np.ndarray:
    """A feature of its own for each number; different people are nearly orthogonal."""
    vector = np.zeros(FEATURE_SIZE)
    vector[person % FEATURE_SIZE] = 1.0
    vector += 0.02 * np.random.default_rng(person).normal(size=FEATURE_SIZE)
    return (vector / np.linalg.norm(vector)).astype(np.float32)


@dataclass
class Face:
    """One face as detected: centre, size, whose feature it has (None: none), score."""

    x: float
    y: float
    size: float = 60.0
    person: int | None = None
    score: float = 0.95

    @property
    def box(self) -> list[float]:
        half = self.size / 2
        return [self.x - half, self.y - half, self.x + half, self.y + half]


def frame_faces(faces: Iterable[Face]) -> FrameFaces:
    faces = list(faces)
    features = np.zeros((len(faces), FEATURE_SIZE), np.float32)
    for row, face in zip(features, faces, strict=True):
        if face.person is not None:
            row[:] = feature(face.person)
    return FrameFaces(
        width=WIDTH,
        height=HEIGHT,
        models=MODELS,
        boxes=np.array([face.box for face in faces], np.float32).reshape(-1, 4),
        scores=np.array([face.score for face in faces], np.float32),
        landmarks=np.zeros((len(faces), 5, 2), np.float32),
        features=features,
    )


def build(
    frames: int,
    faces_at: Callable[[int], list[Face]],
    cuts: Iterable[int] = (),
    options: SequenceOptions | None = None,
) -> Built:
    """Follow the faces that `faces_at` gives for each frame number."""
    builder = SequenceBuilder(options)
    starts = set(cuts)
    for number in range(frames):
        builder.push(number, frame_faces(faces_at(number)), number in starts)
    return builder.finish()


def sequence(
    frames: Iterable[int],
    boxes: np.ndarray,
    provenance: Provenance = Provenance.DETECTED,
    shot: int = 0,
    person: int | None = None,
) -> FaceSequence:
    numbers = np.array(list(frames), np.int32)
    samples = numbers[:1] if person is not None else numbers[:0]
    return FaceSequence(
        frames=numbers,
        boxes=np.asarray(boxes, np.float32).reshape(len(numbers), 4),
        scores=np.full(len(numbers), 0.9, np.float32),
        provenance=np.full(len(numbers), provenance, np.uint8),
        shot=shot,
        feature_frames=samples,
        feature_quality=np.full(len(samples), 60.0, np.float32),
        features=np.array([feature(person or 0)] * len(samples), np.float32).reshape(
            len(samples), FEATURE_SIZE
        ),
    )


def still_box(count: int, x: float = 100.0, y: float = 100.0, size: float = 50.0) -> np.ndarray:
    return np.tile(np.array([x, y, x + size, y + size], np.float32), (count, 1))
