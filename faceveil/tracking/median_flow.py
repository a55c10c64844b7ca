"""One face followed through pictures by its pixels: median flow (Kalal et al., 2010).

Points spread over the face are followed by pyramidal Lucas-Kanade optical flow from one picture to
the next and back again. Points that do not come back to where they started are dropped; the median
of the others moves the box, the median change of their distances scales it.
"""

from __future__ import annotations

from collections.abc import Iterable

import cv2
import numpy as np
from numpy.typing import NDArray

from faceveil.boxes import centres, from_centres, sides
from faceveil.faces import Floats, Image

POINTS_A_SIDE = 8
FACE_SIZE = 48.0
"""Faces with a longer side than this, in pixels, are reduced to it."""
MARGIN = 1.0
"""Width of the surroundings on each side, in box sizes: the farthest a face can move at once."""
WINDOW = 13
LEVELS = 2
MOST_ASTRAY = 1.0
"""How many pixels, at FACE_SIZE, a point followed there and back may end from its start."""
LEAST_KEPT = 0.4
LEAST_LIKENESS = 0.6
MOST_GROWTH = 1.08
LEAST_INSIDE = 0.3


def follow_box(pictures: Iterable[Image], box: Floats) -> Floats:
    """Follow a face through pictures until it is lost.

    Parameters
    ----------
    pictures : iterable of ndarray of uint8 [H, W]
        Grey pictures of one size; `box` lies in the first.
    box : ndarray of float32 [4]
        Pixels of the pictures.

    Returns
    -------
    ndarray of float32 [k, 4]
        The boxes in the pictures after the first. There are fewer boxes than pictures when the
        pixels cannot be followed any more, change too much or leave the picture.

    Notes
    -----
    Kalal, Mikolajczyk and Matas, "Forward-Backward Error", 2010.
    """
    found = []
    before: Image | None = None
    for picture in pictures:
        if before is not None:
            moved = step(before, picture, box)
            if moved is None:
                break
            box = moved
            found.append(box)
        before = picture
    return np.array(found, np.float32).reshape(-1, 4)


def step(before: Image, after: Image, box: Floats) -> Floats | None:
    """The box [4] in the next grey picture of the face in `box`; None where it is lost."""
    side = sides(box)
    size = np.array(before.shape[::-1], np.float32)
    low = np.clip(np.floor(box[:2] - MARGIN * side), 0, size).astype(int)
    high = np.clip(np.ceil(box[2:] + MARGIN * side), 0, size).astype(int)
    if (high - low).min() < WINDOW:
        return None
    scale = min(1.0, FACE_SIZE / float(side.max()))
    first, second = (_cut(picture, low, high, scale) for picture in (before, after))
    points = _points((box - np.tile(low, 2)) * scale, first.shape)
    start, end = _flow(first, second, points)
    if len(start) < max(4, LEAST_KEPT * len(points)):
        return None
    shift = np.median(end - start, axis=0) / scale
    moved = from_centres(centres(box) + shift, side * _growth(start, end))
    inside = np.minimum(moved[2:], size) - np.maximum(moved[:2], 0)
    if np.maximum(inside, 0).prod() < LEAST_INSIDE * sides(moved).prod():
        return None
    return moved if _likeness(first, second, start, end) >= LEAST_LIKENESS else None


def _cut(picture: Image, low: NDArray[np.int_], high: NDArray[np.int_], scale: float) -> Image:
    part = picture[low[1] : high[1], low[0] : high[0]]
    if scale < 1.0:
        size = np.maximum(np.rint((high - low) * scale).astype(int), WINDOW)
        small = cv2.resize(part, (int(size[0]), int(size[1])), interpolation=cv2.INTER_AREA)
        return np.asarray(small, np.uint8)
    return np.ascontiguousarray(part)


def _points(box: Floats, shape: tuple[int, ...]) -> Floats:
    """Points float32 [n, 2] over the ellipse inscribed in the box, within the picture."""
    steps = (np.arange(POINTS_A_SIDE) + 0.5) / POINTS_A_SIDE * 2 - 1
    grid = np.stack(np.meshgrid(steps, steps), axis=-1).reshape(-1, 2)
    grid = grid[(grid**2).sum(axis=1) <= 1]
    points = centres(box) + grid * sides(box) / 2
    inside = ((points >= 1) & (points < np.array(shape[1::-1]) - 1)).all(axis=1)
    return np.asarray(points[inside], np.float32)


def _flow(first: Image, second: Image, points: Floats) -> tuple[Floats, Floats]:
    """The points that could be followed there and back, and their ends, float32 [m, 2] each."""
    if not len(points):
        return points, points
    there, seen = _lucas_kanade(first, second, points)
    back, seen_back = _lucas_kanade(second, first, there)
    kept = seen & seen_back & (np.linalg.norm(back - points, axis=1) <= MOST_ASTRAY)
    return points[kept], there[kept]


def _lucas_kanade(first: Image, second: Image, points: Floats) -> tuple[Floats, NDArray[np.bool_]]:
    moved, status, _ = cv2.calcOpticalFlowPyrLK(  # type: ignore[call-overload]
        first, second, points[:, None], None, winSize=(WINDOW, WINDOW), maxLevel=LEVELS
    )
    return moved[:, 0], status[:, 0].astype(bool)


def _growth(start: Floats, end: Floats) -> float:
    """The median factor by which the distances between points have changed."""
    one, other = np.triu_indices(len(start), 1)
    before = np.linalg.norm(start[one] - start[other], axis=1)
    after = np.linalg.norm(end[one] - end[other], axis=1)
    factor = float(np.median(after / np.maximum(before, 1e-6)))
    return min(max(factor, 1 / MOST_GROWTH), MOST_GROWTH)


def _likeness(first: Image, second: Image, start: Floats, end: Floats) -> float:
    """Correlation of the grey values at the points, before and after."""
    a, b = (_grey_at(picture, points) for picture, points in ((first, start), (second, end)))
    a, b = a - a.mean(), b - b.mean()
    norm = float(np.sqrt((a * a).sum() * (b * b).sum()))
    return float((a * b).sum()) / norm if norm > 1.0 else 1.0


def _grey_at(picture: Image, points: Floats) -> NDArray[np.float64]:
    x, y = np.ascontiguousarray(points.T)[..., None]
    return cv2.remap(cv2.blur(picture, (3, 3)), x, y, cv2.INTER_LINEAR).astype(np.float64)
