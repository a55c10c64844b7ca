"""Detections of a made-up video of any length, a shot at a time: what `scale` analyses."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np

from faceveil.faces import THUMBNAIL_HEIGHT, THUMBNAIL_WIDTH, Floats, FrameFaces, Image, Models

WIDTH, HEIGHT, FEATURE_SIZE = 1920, 1080, 192
MODELS = Models("union", "arcface-mobilefacenet", f"sha256:{'0' * 64}", accept_score=0.7)
SHORTEST_SHOT, LONGEST_SHOT = 60, 600
CAST = 12
PLACES = 4
"""People in a shot; each is there for three quarters of it or so, so that a frame has 3 faces."""
MISSED, UNSURE = 0.01, 0.02
"""Shares of faces that the detector misses, and of those with a score too low to count."""


def scene(frames: int, seed: int = 0) -> Iterator[FrameFaces]:
    """The faces of each of so many frames: 192 numbers a face, thumbnail, cuts, people who come
    and go, faces missed for a frame and low scores. Holds one shot at a time."""
    random = np.random.default_rng(seed)
    cast = _normalised(random.standard_normal((CAST, FEATURE_SIZE)))
    made = 0
    while made < frames:
        length = min(int(random.integers(SHORTEST_SHOT, LONGEST_SHOT)), frames - made)
        yield from _shot(random, cast, length)
        made += length


def _shot(random: np.random.Generator, cast: Floats, length: int) -> Iterator[FrameFaces]:
    people = cast[random.choice(CAST, PLACES, replace=False)]
    time = np.arange(length)[:, None]
    there = (time >= _moments(random, length, 0.0, 0.35)) & (
        time < _moments(random, length, 0.75, 1.2)
    )
    there &= random.random((length, PLACES)) >= MISSED
    scores = random.uniform(0.8, 1.0, (length, PLACES))
    unsure = random.random((length, PLACES)) < UNSURE
    scores[unsure] = random.uniform(0.3, 0.6, int(unsure.sum()))
    boxes = _paths(random, time)
    features = _normalised(people + 0.04 * random.standard_normal((length, *people.shape)))
    features[unsure] = 0
    landmarks = boxes.reshape(length, PLACES, 1, 2, 2).mean(axis=3) + np.zeros((5, 2))
    pictures = _pictures(random, length)
    scores, landmarks = scores.astype(np.float32), landmarks.astype(np.float32)
    for number, rows in enumerate(there):
        yield FrameFaces(
            width=WIDTH,
            height=HEIGHT,
            models=MODELS,
            boxes=boxes[number][rows],
            scores=scores[number][rows],
            landmarks=landmarks[number][rows],
            features=features[number][rows],
            thumbnail=pictures[number],
        )


def _moments(random: np.random.Generator, length: int, low: float, high: float) -> Floats:
    return np.asarray(length * random.uniform(low, high, PLACES), np.float32)


def _paths(random: np.random.Generator, time: np.ndarray) -> Floats:
    """Boxes [n, PLACES, 4]: each in its part of the picture, swaying, now and then over others'."""
    size = random.uniform(60, 160, PLACES) * (1 + 0.1 * np.sin(time / 90))
    x = (np.arange(PLACES) + 0.5) * WIDTH / PLACES + random.uniform(-1.5, 1.5, PLACES) * time / 3
    x = x + 40 * np.sin(time / random.uniform(10, 60, PLACES))
    y = HEIGHT / 2 + 150 * np.sin(time / random.uniform(60, 200, PLACES) + np.arange(PLACES))
    centre = np.stack([x, y], axis=-1) + random.normal(0, 1.0, (*x.shape, 2))
    half = np.stack([size, 1.25 * size], axis=-1) / 2
    return np.concatenate([centre - half, centre + half], axis=-1).astype(np.float32)


def _pictures(random: np.random.Generator, length: int) -> Image:
    """Thumbnails [n, 27, 48, 3]: a picture of its own, a person moving in it, a little noise."""
    coarse = random.integers(20, 236, (5, 8, 3)).astype(np.float32)
    still = cv2.resize(coarse, (THUMBNAIL_WIDTH, THUMBNAIL_HEIGHT), interpolation=cv2.INTER_CUBIC)
    noise = random.integers(-2, 3, (16, *still.shape))
    variants = np.clip(still + noise, 0, 255).astype(np.uint8)
    pictures: Image = variants[random.integers(0, len(variants), length)]
    for number, picture in enumerate(pictures):
        left = int(20 + 18 * np.sin(number / 40))
        picture[10:22, left : left + 8] = (200, 160, 140)
    return pictures


def _normalised(vectors: np.ndarray) -> Floats:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=-1, keepdims=True), np.float32)
