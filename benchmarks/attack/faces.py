"""Faces of known people for the attack audit: each in a picture of one size, with its landmarks."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from faceveil.detect.align import TEMPLATE, similarities
from faceveil.detect.analyzer import FaceAnalyzer
from faceveil.faces import Floats, Image
from faceveil.media.pictures import read_picture

SIDE = 200
"""Pixels along a side of every picture."""
_AROUND = 2.2
"""Side of a picture in heights of its face: all of the veil, and what lies around it."""
_MOST = 10
"""Pictures taken of a person; people with fewer than _FEWEST are left out."""
_FEWEST = 4
ALIGNED = 112


@dataclass(frozen=True, slots=True, eq=False)
class Faces:
    """Faces as columns [n]: pictures uint8 RGB [n, SIDE, SIDE, 3], boxes float32 [n, 4] and
    landmarks float32 [n, 5, 2] in pixels of them, people int [n].

    `half` int [n] is 0 or 1: gallery and probes are never of the same half.
    """

    names: list[str]
    pictures: Image
    boxes: Floats
    landmarks: Floats
    people: NDArray[np.intp]
    half: NDArray[np.intp]

    def __len__(self) -> int:
        return len(self.pictures)


def load_faces(folder: Path, analyzer: FaceAnalyzer) -> Faces:
    """The faces of folder/PERSON/*.jpg: of each picture the one nearest to its middle."""
    names: list[str] = []
    pictures, boxes, landmarks, people, half = [], [], [], [], []
    for person in sorted(path for path in folder.iterdir() if path.is_dir()):
        found = [_face(path, analyzer) for path in sorted(person.glob("*.jpg"))[:_MOST]]
        whole = [face for face in found if face is not None]
        if len(whole) < _FEWEST:
            continue
        for number, (picture, box, points) in enumerate(whole):
            pictures.append(picture)
            boxes.append(box)
            landmarks.append(points)
            people.append(len(names))
            half.append(number % 2)
        names.append(person.name)
    return Faces(
        names,
        np.array(pictures),
        np.array(boxes, np.float32),
        np.array(landmarks, np.float32),
        np.array(people),
        np.array(half),
    )


def _face(path: Path, analyzer: FaceAnalyzer) -> tuple[Image, Floats, Floats] | None:
    """A face's picture, box and landmarks; None where no face is found."""
    picture = read_picture(path)
    seen = analyzer(picture)
    seen = seen.select(seen.accepted)
    if not len(seen):
        return None
    middles = (seen.boxes[:, :2] + seen.boxes[:, 2:]) / 2
    row = int(np.abs(middles - np.array(picture.shape[1::-1]) / 2).sum(axis=1).argmin())
    box = seen.boxes[row]
    height = float(box[3] - box[1])
    # The veil reaches further up than down.
    start = middles[row] - np.array([0, height / 8]) - _AROUND / 2 * height
    zoom = SIDE / (_AROUND * height)
    place = np.array([[zoom, 0, -zoom * start[0]], [0, zoom, -zoom * start[1]]])
    if zoom < 1:
        picture = np.asarray(cv2.GaussianBlur(picture, (0, 0), 0.4 / zoom), np.uint8)
    shown = cv2.warpAffine(picture, place, (SIDE, SIDE), borderMode=cv2.BORDER_REPLICATE)
    moved = ((box.reshape(2, 2) - start) * zoom).reshape(4)
    return (
        np.asarray(shown, np.uint8),
        moved.astype(np.float32),
        ((seen.landmarks[row] - start) * zoom).astype(np.float32),
    )


def aligned(picture: Image, landmarks: Floats) -> Image:
    """The face as ArcFace wants it, RGB uint8 [112, 112, 3], by its true landmarks [5, 2]."""
    (place,) = similarities(landmarks[None], TEMPLATE)
    return np.asarray(cv2.warpAffine(picture, place, (ALIGNED, ALIGNED)), np.uint8)
