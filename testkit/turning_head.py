"""A head that turns away and back again, of which the outline is known in every frame.

The head is an ellipsoid with a portrait on its front and hair on its back, which turns about its
neck before a moving background. Its proportions are those of labels/heads/heads.json; it is 0.85
times as deep as it is high.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from faceveil.evaluation.truth import Truth, seen_inside
from faceveil.faces import Image
from testkit.clips import Clip, Scene, make_clip
from testkit.portraits import cutout

RATE = 25
WIDTH, HEIGHT = 480, 270
OUTLINE = np.array([-0.12, -0.22, 1.15, 1.07])
"""The head around a face box, in box sizes."""
_HAIR, _SUIT = np.array([58, 44, 36], np.float32), (48, 50, 60)
_MARGIN = 0.15
"""Beyond so much of the depth, from the middle to the front, the portrait goes over into hair."""


@dataclass(frozen=True, eq=False)
class TurningHead:
    """Footage: seen from the front, turning away, away, turning back, seen from the front.

    Attributes
    ----------
    portrait : str
        Of `testkit.portraits`.
    turn, away : float
        Seconds of a half turn, and between the two.
    front : float
        Seconds before and after.
    size : float
        Height of the face box in pixels.
    """

    portrait: str
    turn: float
    away: float
    front: float = 1.0
    size: float = 90.0

    width, height = WIDTH, HEIGHT

    @cached_property
    def yaw(self) -> NDArray[np.float64]:
        """By how much the head is turned in each frame, in degrees, 0 to 180."""
        ends = np.cumsum([self.front, self.turn, self.away, self.turn, self.front])
        time = np.arange(round(float(ends[-1]) * RATE)) / RATE
        return np.interp(time, ends[:4], [0.0, 180.0, 180.0, 0.0])

    @property
    def frame_count(self) -> int:
        return len(self.yaw)

    @cached_property
    def _backdrop(self) -> Clip:
        scene = Scene(1, ((150, 130, 105), (60, 75, 90)), ())
        return make_clip(WIDTH, HEIGHT, self.frame_count, scenes=(scene,))

    def _placed(self, number: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The middle of the head [2] and its half width, height and depth [3], in pixels."""
        face = cutout(self.portrait).face
        box = np.array([(face[2] - face[0]) / (face[3] - face[1]), 1.0]) * self.size
        half = (OUTLINE[2:] - OUTLINE[:2]) / 2 * box
        sway = np.array([4 * np.sin(number / 9), 2 * np.sin(number / 5)])
        return np.array([0.5 * WIDTH, 0.42 * HEIGHT]) + sway, np.append(half, 0.85 * half[1])

    def frame(self, number: int) -> Image:
        picture = self._backdrop.frame(number)
        centre, (across, down, deep) = self._placed(number)
        neck = (round(centre[0]), round(centre[1] + 2.6 * down))
        cv2.ellipse(picture, neck, (round(2.4 * across), round(1.7 * down)), 0, 0, 360, _SUIT, -1)
        turned = np.deg2rad(self.yaw[number])
        cosine, sine = np.cos(turned), np.sin(turned)
        reach = np.array([max(across, deep), down]) + 3
        (left, top), (right, bottom) = (
            np.floor(centre + side * reach).astype(int).tolist() for side in (-1, 1)
        )
        y, x = np.mgrid[top:bottom, left:right] + 0.5
        x, y = x - centre[0], (y - centre[1]) / down
        # The point of the ellipsoid nearest to the camera, of those seen at x, y.
        a = (sine / across) ** 2 + (cosine / deep) ** 2
        b = x * cosine * sine * (1 / deep**2 - 1 / across**2)
        c = (x * cosine / across) ** 2 + (x * sine / deep) ** 2 + y**2 - 1
        under = b**2 - a * c
        inside = under > 0
        z = (-b + np.sqrt(np.maximum(under, 0))) / a
        side, depth = (x * cosine - z * sine) / across, (x * sine + z * cosine) / deep
        front = np.clip((depth - _MARGIN) / 0.2, 0, 1)[..., None].astype(np.float32)
        head = front * self._face(side, y) + (1 - front) * _hair(side, y, depth)
        edge = cv2.GaussianBlur(inside.astype(np.float32), (3, 3), 0)[..., None]
        part = picture[top:bottom, left:right]
        part[...] = np.rint(edge * head + (1 - edge) * part)
        return picture

    def _face(self, side: NDArray[np.float64], down: NDArray[np.float64]) -> NDArray[np.float32]:
        """The portrait at places of the head, -1 to 1 from ear to ear and from top to chin."""
        person = cutout(self.portrait)
        low, size = person.face[:2], person.face[2:] - person.face[:2]
        level = int(np.clip(np.log2(size[1] / self.size), 0, len(person.levels) - 1))
        places = [
            low[axis] + size[axis] * (OUTLINE[axis] + (share + 1) / 2 * np.ptp(OUTLINE[axis::2]))
            for axis, share in enumerate((side, down))
        ]
        x, y = ((place / 2**level).astype(np.float32) for place in places)
        sampled = cv2.remap(person.levels[level], x, y, cv2.INTER_LINEAR).astype(np.float32)
        through = 1 - sampled[..., 3:] / np.float32(255)
        return np.asarray(sampled[..., :3] + through * _HAIR, np.float32)

    @cached_property
    def truth(self) -> Truth:
        """The outline of the head in each frame, as the truth about a face would be."""
        numbers = np.arange(self.frame_count, dtype=np.int32)
        boxes = np.zeros((len(numbers), 4), np.float32)
        for number in numbers.tolist():
            centre, (across, down, deep) = self._placed(number)
            turned = np.deg2rad(self.yaw[number])
            half = np.array([np.hypot(across * np.cos(turned), deep * np.sin(turned)), down])
            boxes[number] = np.concatenate([centre - half, centre + half])
        return Truth(
            width=WIDTH,
            height=HEIGHT,
            frame_count=self.frame_count,
            people=(self.portrait,),
            shot_starts=np.zeros(1, np.int32),
            frames=numbers,
            person=np.zeros(len(numbers), np.int32),
            boxes=boxes,
            seen=seen_inside(boxes, WIDTH, HEIGHT),
        )


def _hair(
    side: NDArray[np.float64], down: NDArray[np.float64], depth: NDArray[np.float64]
) -> NDArray[np.float32]:
    """Strands, which turn with the head."""
    around = np.arctan2(side, depth)
    waves = np.sin(23 * around + 4 * down) + np.sin(41 * around - 9 * down) + np.sin(17 * down)
    light: NDArray[np.float32] = (1 + 0.16 * waves).astype(np.float32)[..., None]
    return light * _HAIR
