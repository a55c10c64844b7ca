"""Footage made of footage: warped, altered, hidden, joined; the truth is changed with it.

Everything here has the shape of `clips.Clip`: width, height, frame_count, frame(number), truth;
`clips.write_video` and `write_frames` take it, and so do these.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from typing import Any, Literal, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from faceveil.faces import Image
from testkit.truth import ELLIPSE, GRID, Truth, grid_points

Transition = Literal["cut", "dissolve", "wipe", "fade"]


class Footage(Protocol):
    """Frames made on demand, RGB uint8 [H, W, 3], and the truth about them."""

    @property
    def width(self) -> int: ...
    @property
    def height(self) -> int: ...
    @property
    def frame_count(self) -> int: ...
    @property
    def truth(self) -> Truth: ...
    def frame(self, number: int) -> Image: ...


class _Frames:
    """Iteration yields every frame in order."""

    def __len__(self: Footage) -> int:
        return self.frame_count

    def __iter__(self: Footage) -> Iterator[Image]:
        return (self.frame(number) for number in range(self.frame_count))


@dataclass(frozen=True, eq=False)
class Warped(_Frames):
    """Footage through another camera: scaled, panned, rolled.

    matrices float64 [frames, 2, 3] take points of a frame (pixels, edges at whole numbers) to
    points of the new one, width x height; what lies outside the old frame is black.
    """

    footage: Footage
    width: int
    height: int
    matrices: NDArray[np.float64]

    @property
    def frame_count(self) -> int:
        return self.footage.frame_count

    def frame(self, number: int) -> Image:
        picture, matrix = self.footage.frame(number), self.matrices[number].copy()
        scale = float(np.sqrt(abs(np.linalg.det(matrix[:, :2]))))
        if scale < 0.8:  # area means first, as a camera has them, not every so many-th pixel
            old = picture.shape[1::-1]
            size = [max(1, round(side * scale)) for side in old]
            small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
            picture = small.astype(np.uint8, copy=False)
            matrix[:, :2] *= np.array(old) / size
        matrix[:, 2] += matrix[:, :2].sum(axis=1) / 2 - 0.5
        warped = cv2.warpAffine(
            picture,
            matrix,
            (self.width, self.height),
            flags=cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_CONSTANT,
        )
        return warped.astype(np.uint8, copy=False)

    @cached_property
    def truth(self) -> Truth:
        old = self.footage.truth
        matrix = self.matrices[old.frames]
        boxes = old.boxes.astype(np.float64)
        centre, half = (boxes[:, :2] + boxes[:, 2:]) / 2, (boxes[:, 2:] - boxes[:, :2]) / 2
        centre = (matrix[:, :, :2] @ centre[:, :, None])[..., 0] + matrix[:, :, 2]
        half = np.sqrt(((matrix[:, :, :2] * half[:, None, :]) ** 2).sum(axis=2))
        new = np.concatenate([centre - half, centre + half], axis=1)
        size = (self.width, self.height)
        inside = np.all(new[:, :2] < size, axis=1) & np.all(new[:, 2:] > 0, axis=1)
        warped = replace(
            old,
            width=self.width,
            height=self.height,
            boxes=new.astype(np.float32),
            seen=_warped_seen(old, new, matrix, size),
        )
        return warped.select(inside)


def _warped_seen(
    old: Truth, boxes: NDArray[np.float64], matrix: NDArray[np.float64], size: tuple[int, int]
) -> NDArray[np.bool_]:
    """What can be seen of each face in its new box, bool [n, GRID, GRID]."""
    points = grid_points(boxes)
    back = np.linalg.inv(matrix[:, :, :2])
    source = np.einsum("nij,nyxj->nyxi", back, points - matrix[:, None, None, :, 2])
    low = old.boxes[:, None, None, :2].astype(np.float64)
    sides = old.boxes[:, None, None, 2:].astype(np.float64) - low
    cell = np.floor((source - low) / sides * GRID).astype(np.intp)
    known = ((cell >= 0) & (cell < GRID)).all(axis=-1)
    x, y = np.moveaxis(cell.clip(0, GRID - 1), -1, 0)
    seen = old.seen[np.arange(len(old))[:, None, None], y, x] & known
    inside = np.all((points >= 0) & (points < size), axis=-1)
    visible: NDArray[np.bool_] = seen & inside & ELLIPSE
    return visible


def scaled(footage: Footage, factor: float) -> Warped:
    """The same footage larger or smaller."""
    matrix = np.array([[factor, 0, 0], [0, factor, 0]])
    size = round(footage.width * factor), round(footage.height * factor)
    return Warped(footage, *size, np.tile(matrix, (footage.frame_count, 1, 1)))


def window(footage: Footage, width: int, height: int, left: NDArray[np.float64]) -> Warped:
    """A window of that size panned over the footage: `left` float64 [frames, 2] is its corner."""
    matrices = np.tile(np.eye(2, 3), (footage.frame_count, 1, 1))
    matrices[:, :, 2] = -left
    return Warped(footage, width, height, matrices)


def rolled(footage: Footage, degrees: NDArray[np.float64]) -> Warped:
    """The camera rolled about the middle of the frame by `degrees` [frames], clockwise."""
    angle = np.radians(np.broadcast_to(degrees, footage.frame_count))
    turn = np.stack([np.cos(angle), -np.sin(angle), np.sin(angle), np.cos(angle)], axis=-1)
    turn = turn.reshape(-1, 2, 2)
    middle = np.array([footage.width, footage.height]) / 2
    shift = middle - turn @ middle
    matrices = np.concatenate([turn, shift[:, :, None]], axis=2)
    return Warped(footage, footage.width, footage.height, matrices)


@dataclass(frozen=True, eq=False)
class Excerpt(_Frames):
    """The frames first … first + frame_count - 1 of footage."""

    footage: Footage
    first: int
    frame_count: int

    @property
    def width(self) -> int:
        return self.footage.width

    @property
    def height(self) -> int:
        return self.footage.height

    def frame(self, number: int) -> Image:
        return self.footage.frame(self.first + number)

    @cached_property
    def truth(self) -> Truth:
        old, end = self.footage.truth, self.first + self.frame_count
        rows = old.select((old.frames >= self.first) & (old.frames < end))
        starts = old.shot_starts[(old.shot_starts > self.first) & (old.shot_starts < end)]
        return replace(
            rows,
            frame_count=self.frame_count,
            frames=rows.frames - np.int32(self.first),
            shot_starts=np.append(0, starts - self.first).astype(np.int32),
            labelled=old.labelled[self.first : end],
        )


@dataclass(frozen=True, eq=False)
class Altered(_Frames):
    """Footage whose pixels are changed, `effect(picture, random)`; faces stay where they are.

    where: bool [frames], the frames that are changed; default: all.
    """

    footage: Footage
    effect: Callable[[Image, np.random.Generator], Image]
    seed: int = 0
    where: NDArray[np.bool_] | None = None

    @property
    def width(self) -> int:
        return self.footage.width

    @property
    def height(self) -> int:
        return self.footage.height

    @property
    def frame_count(self) -> int:
        return self.footage.frame_count

    def frame(self, number: int) -> Image:
        picture = self.footage.frame(number)
        if self.where is not None and not self.where[number]:
            return picture
        return self.effect(picture, np.random.default_rng([self.seed, number]))

    @property
    def truth(self) -> Truth:
        return self.footage.truth


@dataclass(frozen=True, eq=False)
class Hidden(_Frames):
    """Footage with things in front: boxes float64 [things, frames, 4], of one colour each."""

    footage: Footage
    things: NDArray[np.float64]
    colours: Sequence[tuple[int, int, int]]

    @property
    def width(self) -> int:
        return self.footage.width

    @property
    def height(self) -> int:
        return self.footage.height

    @property
    def frame_count(self) -> int:
        return self.footage.frame_count

    def frame(self, number: int) -> Image:
        picture = self.footage.frame(number)
        boxes = np.rint(self.things[:, number]).astype(int)
        for (x1, y1, x2, y2), colour in zip(boxes.tolist(), self.colours, strict=True):
            picture[max(y1, 0) : max(y2, 0), max(x1, 0) : max(x2, 0)] = colour
        return picture

    @cached_property
    def truth(self) -> Truth:
        old = self.footage.truth
        points = grid_points(old.boxes)
        seen = old.seen.copy()
        for thing in np.rint(self.things)[:, old.frames]:
            box = thing[:, None, None, :]
            seen &= ~((points >= box[..., :2]) & (points < box[..., 2:])).all(axis=-1)
        return replace(old, seen=seen)


@dataclass(frozen=True)
class Part:
    """Footage, and how it follows the part before: over `frames` frames."""

    footage: Footage
    transition: Transition = "cut"
    frames: int = 0


@dataclass(frozen=True, eq=False)
class Joined(_Frames):
    """Parts of one size one after the other. A dissolve or wipe lets two overlap; a fade goes
    through black, half of it in each part.

    A face counts as seen in full while at least half of its light is there.
    """

    parts: Sequence[Part]

    @property
    def width(self) -> int:
        return self.parts[0].footage.width

    @property
    def height(self) -> int:
        return self.parts[0].footage.height

    @cached_property
    def starts(self) -> list[int]:
        """The first frame of each part."""
        starts = [0]
        for before, part in pairwise(self.parts):
            overlap = part.frames if part.transition in ("dissolve", "wipe") else 0
            starts.append(starts[-1] + before.footage.frame_count - overlap)
        return starts

    @property
    def frame_count(self) -> int:
        return self.starts[-1] + self.parts[-1].footage.frame_count

    @property
    def transitions(self) -> list[tuple[Transition, int, int]]:
        """(kind, first frame that is not only the old part, first that is only the new)."""
        found = []
        for part, start in list(zip(self.parts, self.starts, strict=True))[1:]:
            half = part.frames // 2 if part.transition == "fade" else 0
            end = start + (half if part.transition == "fade" else part.frames)
            found.append((part.transition, start - half, end))
        return found

    def frame(self, number: int) -> Image:
        shown = [i for i in range(len(self.parts)) if self._holds(i, number)]
        pictures = [
            self.parts[i].footage.frame(number - self.starts[i]).astype(np.float32) for i in shown
        ]
        if len(shown) == 1:
            light = self._light(shown[0], np.array([number]))[0]
            dimmed: Image = np.rint(pictures[0] * light).astype(np.uint8)
            return dimmed
        part, progress = self.parts[shown[1]], self._progress(shown[1], np.array([number]))[0]
        if part.transition == "wipe":
            edge = round(progress * self.width)
            pictures[0][:, :edge] = pictures[1][:, :edge]
            return pictures[0].astype(np.uint8)
        mixed = pictures[0] * (1 - progress) + pictures[1] * progress
        picture: Image = np.rint(mixed).astype(np.uint8)
        return picture

    def _holds(self, index: int, number: int) -> bool:
        return 0 <= number - self.starts[index] < self.parts[index].footage.frame_count

    def _progress(self, index: int, numbers: NDArray[np.integer]) -> NDArray[np.float64]:
        """How far the overlap at the start of a part has gone, 0 to 1."""
        return ((numbers - self.starts[index] + 1) / (self.parts[index].frames + 1)).clip(0, 1)

    def _light(self, index: int, numbers: NDArray[np.integer]) -> NDArray[np.float64]:
        """How bright a part is where no other is mixed in: less than 1 in its fades."""
        light = np.ones(len(numbers))
        first, end = self.starts[index], self.starts[index] + self.parts[index].footage.frame_count
        for at, distance in ((index, numbers - first), (index + 1, end - 1 - numbers)):
            if 0 < at < len(self.parts) and self.parts[at].transition == "fade":
                half = max(self.parts[at].frames // 2, 1)
                light *= ((distance + 0.5) / half).clip(0, 1)
        return light

    @cached_property
    def truth(self) -> Truth:
        people = tuple(sorted({name for part in self.parts for name in part.footage.truth.people}))
        columns = [self._columns(index, people) for index in range(len(self.parts))]
        joined: dict[str, Any] = {
            name: np.concatenate([column[name] for column in columns]) for name in columns[0]
        }
        order = np.argsort(joined["frames"], kind="stable")
        starts = [
            part.footage.truth.shot_starts[1:] + start
            for part, start in zip(self.parts, self.starts, strict=True)
        ]
        middles = [(first + end) // 2 for _, first, end in self.transitions]
        return Truth(
            width=self.width,
            height=self.height,
            frame_count=self.frame_count,
            people=people,
            shot_starts=np.sort(np.concatenate([[0], middles, *starts])).astype(np.int32),
            **{name: column[order] for name, column in joined.items()},
        )

    def _columns(self, index: int, people: tuple[str, ...]) -> dict[str, Any]:
        """The rows of one part as they are in the whole."""
        truth, first = self.parts[index].footage.truth, self.starts[index]
        before = sum(int(p.footage.truth.track.max(initial=-1)) + 1 for p in self.parts[:index])
        names = np.array([people.index(name) for name in truth.people], np.int32)
        frames = truth.frames + np.int32(first)
        light, seen = self._light(index, frames), truth.seen.copy()
        for at, is_new in ((index, True), (index + 1, False)):
            if not 0 < at < len(self.parts):
                continue
            kind, progress = self.parts[at].transition, self._progress(at, frames)
            if kind == "dissolve":
                light *= progress if is_new else 1 - progress
            elif kind == "wipe":
                edge = np.rint(progress * self.width)[:, None, None]
                left = grid_points(truth.boxes)[..., 0] < edge
                seen &= left if is_new else ~left
        return {
            "frames": frames,
            "person": names[truth.person],
            "boxes": truth.boxes,
            "seen": seen,
            "track": truth.track + np.int32(before),
            "visibility": np.minimum(truth.visibility, (2 * light).clip(0, 1)).astype(np.float32),
            "ignore": truth.ignore,
        }
