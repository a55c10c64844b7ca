"""What an attacker has of a veiled face: its pixels, its features, and what a sequence shows."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.attack.faces import Faces, aligned
from benchmarks.attack.ways import Way
from faceveil.detect.analyzer import Recognizer
from faceveil.faces import Floats, Image
from faceveil.veils.region import Geometry

PIXELS, CELLS = 16, 8
"""Samples along a side of what the attacker takes of a picture."""
FRAMES = 8
_MOTION = np.array([0.03, 0.03, 0.015])
"""How far a face moves within its box: in x and y and in size, shares of the box, deviation."""
_DARKEST_FRAME = 0.5
_GREY = 128


def hidden_picture(faces: Faces, row: int, way: Way, seed: int) -> Image:
    """A copy of a face's picture, hidden."""
    picture: Image = faces.pictures[row].copy()
    way.hide(picture, faces.boxes[row], seed)
    return picture


def pixels(picture: Image, part: Geometry, side: int, *, is_round: bool) -> Floats:
    """Area means of a part [4] of a picture, float32 [side * side * 3]; grey beside an ellipse."""
    x1, y1, x2, y2 = part.tolist()
    fine = side * 4
    across, down = (x2 - x1) / fine, (y2 - y1) / fine
    place = np.array(
        [[across, 0, x1 + across / 2 - 0.5], [0, down, y1 + down / 2 - 0.5]], np.float64
    )
    samples = cv2.warpAffine(
        picture,
        place,
        (fine, fine),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    seen = cv2.resize(samples.astype(np.float32), (side, side), interpolation=cv2.INTER_AREA)
    if is_round:
        middle = (np.arange(side) + 0.5) / side * 2 - 1
        seen[np.add.outer(middle**2, middle**2) > (1 - 2**0.5 / side) ** 2] = _GREY
    return np.asarray(seen.ravel(), np.float32)


def hidden_pixels(faces: Faces, way: Way, seed: int, side: int = PIXELS) -> Floats:
    """Of every face [n, side * side * 3] what is hidden, and nothing beside it."""
    rows = []
    for row, box in enumerate(faces.boxes):
        picture = hidden_picture(faces, row, way, seed + row)
        rows.append(pixels(picture, way.part(box), side, is_round=way.is_round))
    return np.array(rows)


def clear_pixels(faces: Faces, way: Way, side: int = CELLS) -> Floats:
    """The same parts of the clear pictures."""
    return np.array(
        [
            pixels(picture, way.part(box), side, is_round=way.is_round)
            for picture, box in zip(faces.pictures, faces.boxes, strict=True)
        ]
    )


def whole_pixels(faces: Faces, way: Way, seed: int) -> Floats:
    """The whole pictures with the faces hidden: hair, clothes and background tell too."""
    whole = np.array([0, 0, *faces.pictures.shape[2:0:-1]], np.float64)
    rows = []
    for row in range(len(faces)):
        picture = hidden_picture(faces, row, way, seed + row)
        rows.append(pixels(picture, whole, PIXELS, is_round=False))
    return np.array(rows)


def features(
    faces: Faces, recognizer: Recognizer, way: Way, seed: int, *, context: bool = False
) -> Floats:
    """Features [n, D] of the hidden faces, aligned by their true landmarks: no detector needed.

    What lies beside the hidden part is grey, unless context is asked for.
    """
    crops = []
    for row, box in enumerate(faces.boxes):
        picture = hidden_picture(faces, row, way, seed + row)
        if not context:
            picture[~_inside(way.part(box), picture.shape[:2], is_round=way.is_round)] = _GREY
        crops.append(aligned(picture, faces.landmarks[row]))
    return recognizer.features(np.array(crops))


def clear_features(faces: Faces, recognizer: Recognizer) -> Floats:
    crops = [
        aligned(picture, landmarks)
        for picture, landmarks in zip(faces.pictures, faces.landmarks, strict=True)
    ]
    return recognizer.features(np.array(crops))


def _inside(part: Geometry, size: tuple[int, int], *, is_round: bool) -> NDArray[np.bool_]:
    """Which samples [h, w] lie wholly within a part of the picture."""
    middle, half = (part[:2] + part[2:]) / 2, (part[2:] - part[:2]) / 2 - 1
    x = np.abs(np.arange(size[1]) + 0.5 - middle[0]) / half[0]
    y = np.abs(np.arange(size[0]) + 0.5 - middle[1]) / half[1]
    if is_round:
        return np.asarray(np.add.outer(y**2, x**2) <= 1)
    return np.asarray(np.logical_and.outer(y <= 1, x <= 1))


def sequences(faces: Faces, way: Way, seed: int, side: int = CELLS) -> tuple[Floats, Floats]:
    """What frames of a face show together: their average [n, d], and what changes [n, 4 d].

    The face moves under its veil by fractions of a pixel and the light fades, by amounts the
    attacker knows exactly. What is fixed stays in the average; what changes with motion in x, in y,
    in size, and with the light, is free of it.
    """
    averages, changes = [], []
    for row, box in enumerate(faces.boxes):
        random = np.random.default_rng((seed, row))
        motion = random.standard_normal((FRAMES, 3)) * _MOTION
        light = random.permutation(np.linspace(_DARKEST_FRAME, 1, FRAMES))
        shown = []
        for (x, y, size), gain in zip(motion, light, strict=True):
            picture = cv2.convertScaleAbs(faces.pictures[row], alpha=gain)
            moved = _moved(box, x, y, size)
            way.hide(picture, moved, seed + row)
            shown.append(pixels(picture, way.part(moved), side, is_round=way.is_round))
        known = np.column_stack([np.ones(FRAMES), motion / _MOTION, light - light.mean()])
        terms = np.linalg.lstsq(known, np.array(shown), rcond=None)[0]
        averages.append(np.mean(shown, axis=0))
        changes.append(terms[1:].ravel())
    return np.array(averages, np.float32), np.array(changes, np.float32)


def _moved(box: Floats, x: float, y: float, size: float) -> Floats:
    width, height = box[2] - box[0], box[3] - box[1]
    move = np.array([x * width, y * height, x * width, y * height])
    grow = np.array([-width, -height, width, height]) * size / 2
    return np.asarray(box + move + grow, np.float32)
