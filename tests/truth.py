"""What is true in a synthetic clip, and how well an output agrees with it.

`Truth` says where every face is in every frame and which part of it can be seen. Coverage of the
faces by veils is measured from what is planned (`coverage_of_analysis`, `coverage_of_boxes`) or
from the pixels of an output (`coverage_of_pixels`); `evaluate` turns it into recall and the two
kinds of wrong decision.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from faceveil.analysis import Analysis
from faceveil.faces import Floats, Image, Ints
from faceveil.veil.region import core
from faceveil.veil.styles import VeilStyle

GRID = 24
ENCODED = 7.0
"""Mean difference in grey levels that a veil exceeds, and encoding at high quality does not."""


def _ellipse() -> NDArray[np.bool_]:
    offset = (np.arange(GRID) + 0.5) / GRID * 2 - 1
    return offset[:, None] ** 2 + offset[None, :] ** 2 <= 1


ELLIPSE = _ellipse()
"""bool [GRID, GRID]: which sample points of a face box lie in its inscribed ellipse, the face."""


@dataclass(frozen=True, eq=False)
class Truth:
    """Every face of a clip as columns, one row per person and frame she is in, frames rising.

    frames int32 [n], person int32 [n] (index into `people`), boxes float32 [n, 4] in pixels, not
    clipped to the frame. seen bool [n, GRID, GRID]: which sample points of the face's ellipse are
    inside the frame and not behind somebody. shot_starts int32 [s]: first frame of each shot.
    """

    width: int
    height: int
    frame_count: int
    people: tuple[str, ...]
    shot_starts: Ints
    frames: Ints
    person: Ints
    boxes: Floats
    seen: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.frames)

    @property
    def visible(self) -> Floats:
        """float32 [n]: the share of each face that can be seen."""
        share: Floats = (self.seen.sum(axis=(1, 2)) / ELLIPSE.sum()).astype(np.float32)
        return share

    @property
    def shots(self) -> Ints:
        """int32 [n]: the shot each row lies in."""
        index = np.searchsorted(self.shot_starts, self.frames, side="right") - 1
        return index.astype(np.int32)

    def rows_of(self, people: Collection[str]) -> NDArray[np.bool_]:
        """bool [n]: the rows of these people."""
        unknown = set(people) - set(self.people)
        if unknown:
            raise KeyError(f"not in this clip: {sorted(unknown)}")
        return np.isin(self.person, [self.people.index(name) for name in people])

    def repeated(self, times: int) -> Truth:
        """The truth of the same clip played several times in a row."""
        offsets = np.arange(times, dtype=np.int32) * np.int32(self.frame_count)
        return replace(
            self,
            frame_count=self.frame_count * times,
            shot_starts=(offsets[:, None] + self.shot_starts).ravel(),
            frames=(offsets[:, None] + self.frames).ravel(),
            person=np.tile(self.person, times),
            boxes=np.tile(self.boxes, (times, 1)),
            seen=np.tile(self.seen, (times, 1, 1)),
        )


def grid_points(boxes: NDArray[np.floating]) -> NDArray[np.float64]:
    """The sample points float64 [n, GRID, GRID, 2] (x, y) of boxes [n, 4], in pixels."""
    boxes = np.asarray(boxes, np.float64)
    step = (np.arange(GRID) + 0.5) / GRID
    x = boxes[:, None, 0] + step * (boxes[:, None, 2] - boxes[:, None, 0])
    y = boxes[:, None, 1] + step * (boxes[:, None, 3] - boxes[:, None, 1])
    columns, rows = np.broadcast_arrays(x[:, None, :], y[:, :, None])
    return np.stack([columns, rows], axis=-1)


def _share_covered(truth: Truth, covered: NDArray[np.bool_]) -> Floats:
    seen = truth.seen.sum(axis=(1, 2))
    hit = (truth.seen & covered).sum(axis=(1, 2))
    share: Floats = (hit / np.maximum(seen, 1)).astype(np.float32)
    return share


def coverage_of_boxes(
    truth: Truth, frames: Ints, boxes: Floats, shape: Literal["ellipse", "box"] = "box"
) -> Floats:
    """The share float32 [n] of each true face's seen part that veils cover, from a plan.

    frames int32 [m] and boxes float32 [m, 4] are the veiled regions with their margin;
    `shape` "ellipse" takes the ellipse inscribed in each, as a round veil does.
    """
    covered = np.zeros(truth.seen.shape, bool)
    # Pair every true face with every veil of its frame, all at once.
    order = np.argsort(frames, kind="stable")
    frames, boxes = np.asarray(frames)[order], np.asarray(boxes, np.float64)[order]
    first = np.searchsorted(frames, truth.frames, side="left")
    count = np.searchsorted(frames, truth.frames, side="right") - first
    for nth in range(count.max(initial=0)):
        rows = np.flatnonzero(count > nth)
        veils = boxes[first[rows] + nth][:, None, None, :]
        centre, half = (veils[..., :2] + veils[..., 2:]) / 2, (veils[..., 2:] - veils[..., :2]) / 2
        offset = (grid_points(truth.boxes[rows]) - centre) / np.maximum(half, 1e-6)
        if shape == "ellipse":
            covered[rows] |= (offset**2).sum(axis=-1) <= 1
        else:
            covered[rows] |= (np.abs(offset) <= 1).all(axis=-1)
    return _share_covered(truth, covered)


def coverage_of_analysis(truth: Truth, analysis: Analysis, style: VeilStyle) -> Floats:
    """The share float32 [n] of each true face's seen part under the opaque part of a veil."""
    frames, boxes, sequence = planned_boxes(analysis)
    veiled = analysis.veiled[sequence]
    shape: Literal["ellipse", "box"] = "ellipse" if style.is_round else "box"
    opaque = core(boxes[veiled], style).astype(np.float32)
    return coverage_of_boxes(truth, frames[veiled], opaque, shape)


def planned_boxes(analysis: Analysis) -> tuple[Ints, Floats, Ints]:
    """All boxes of an analysis as columns: frames int32 [m], boxes float32 [m, 4], sequence [m]."""
    lengths = [len(sequence) for sequence in analysis.sequences]
    return (
        np.concatenate([np.zeros(0, np.int32), *(part.frames for part in analysis.sequences)]),
        np.concatenate([np.zeros((0, 4), np.float32), *(p.boxes for p in analysis.sequences)]),
        np.repeat(np.arange(len(lengths), dtype=np.int32), lengths),
    )


def coverage_of_pixels(
    truth: Truth, before: Iterable[Image], after: Iterable[Image], tolerance: float = 0.0
) -> Floats:
    """The share float32 [n] of each true face's seen part that an output has changed.

    `before` and `after` are the frames in order, RGB uint8 [H, W, 3]. A sample counts as changed
    where a channel differs by more than `tolerance` grey levels: 0 for a lossless output,
    `ENCODED` for a video that was encoded again, where the mean difference around the sample is
    compared. Gaps smaller than a fifth of the face are closed: a veil may by chance leave a patch
    of skin as it was.

    Raises ValueError when there are not exactly as many frames as the truth has.
    """
    covered = np.zeros(truth.seen.shape, bool)
    count = 0
    for number, (original, output) in enumerate(zip(before, after, strict=True)):
        rows = np.flatnonzero(truth.frames == number)
        if rows.size:
            covered[rows] = _changed(original, output, truth.boxes[rows], tolerance)
        count = number + 1
    if count != truth.frame_count:
        raise ValueError(f"{count} frames, but the truth has {truth.frame_count}")
    return _share_covered(truth, covered)


def _changed(original: Image, output: Image, boxes: Floats, tolerance: float) -> NDArray[np.bool_]:
    """bool [n, GRID, GRID]: which sample points of the boxes the output has changed."""
    difference = cv2.absdiff(original, output).astype(np.float32)
    if tolerance > 0:
        window = max(3, len(original) // 40)
        difference = cv2.blur(difference, (window, window))
    difference = difference.max(axis=2)
    points = np.floor(grid_points(boxes)).astype(np.intp)
    height, width = difference.shape
    x, y = points[..., 0].clip(0, width - 1), points[..., 1].clip(0, height - 1)
    changed = (difference[y, x] > tolerance).astype(np.uint8)
    gap = np.ones((5, 5), np.uint8)
    closed = [cv2.morphologyEx(mask, cv2.MORPH_CLOSE, gap) for mask in changed]
    return np.array(closed, bool)


@dataclass(frozen=True)
class Evaluation:
    """How an output compares with the truth; counts are of (frame, person) rows.

    recall: share of the faces to veil that are veiled. missed: (frame, person) of those that are
    not. untouched: of the missed, those with hardly any veil, as when the wrong person is kept.
    kept_veiled: (frame, person) where a veil hides a person to keep; kept_veiled_share: the share
    of her frames.
    """

    faces: int
    recall: float
    missed: tuple[tuple[int, str], ...]
    untouched: tuple[tuple[int, str], ...]
    kept_faces: int
    kept_veiled: tuple[tuple[int, str], ...]
    kept_veiled_share: float


def evaluate(
    truth: Truth,
    coverage: Floats,
    keep: Collection[str] = (),
    *,
    min_visible: float = 0.5,
    hit: float = 0.9,
    untouched: float = 0.1,
    kept_limit: float = 0.3,
    margin: float = 0.25,
) -> Evaluation:
    """Compare coverage float32 [n] of the true faces with who is to be kept.

    A face counts when at least `min_visible` of it can be seen, and is veiled when `hit` of what
    can be seen is covered. A kept person's frame counts as wrongly veiled when more than
    `kept_limit` of her face is covered, unless a veiled person's box, grown by `margin` of its
    size to each side as a veil is, overlaps hers (in front or hidden behind).
    """
    counted = truth.visible >= min_visible
    kept = truth.rows_of(keep)
    to_veil = counted & ~kept
    missed = to_veil & (coverage < hit)
    free = counted & kept & ~_near_veiled(truth, kept, margin)
    kept_veiled = free & (coverage > kept_limit)
    return Evaluation(
        faces=int(to_veil.sum()),
        recall=1 - float(missed.sum()) / max(int(to_veil.sum()), 1),
        missed=_named(truth, missed),
        untouched=_named(truth, missed & (coverage < untouched)),
        kept_faces=int(free.sum()),
        kept_veiled=_named(truth, kept_veiled),
        kept_veiled_share=float(kept_veiled.sum()) / max(int(free.sum()), 1),
    )


def _named(truth: Truth, rows: NDArray[np.bool_]) -> tuple[tuple[int, str], ...]:
    return tuple(
        (int(truth.frames[row]), truth.people[truth.person[row]]) for row in rows.nonzero()[0]
    )


def _near_veiled(truth: Truth, kept: NDArray[np.bool_], margin: float) -> NDArray[np.bool_]:
    """bool [n]: which kept rows a veiled person's grown box overlaps in the same frame."""
    near = np.zeros(len(truth), bool)
    veiled = np.flatnonzero(~kept)
    grown = truth.boxes[veiled].astype(np.float64)
    grow = np.tile((grown[:, 2:] - grown[:, :2]) * margin, 2) * (-1, -1, 1, 1)
    grown += grow
    for row in np.flatnonzero(kept):
        same = grown[truth.frames[veiled] == truth.frames[row]]
        box = truth.boxes[row]
        near[row] = ((same[:, :2] < box[2:]) & (same[:, 2:] > box[:2])).all(axis=1).any()
    return near


def match(truth: Truth, frames: Ints, boxes: Floats, min_overlap: float = 0.4) -> Ints:
    """The true row int32 [m] each box lies on (best intersection over union), -1 where none."""
    found = np.full(len(frames), -1, np.int32)
    for index, (frame, box) in enumerate(zip(frames, boxes, strict=True)):
        rows = np.flatnonzero(truth.frames == frame)
        if rows.size:
            overlap = intersection_over_union(box, truth.boxes[rows])
            best = int(overlap.argmax())
            if overlap[best] >= min_overlap:
                found[index] = rows[best]
    return found


def intersection_over_union(box: Floats, boxes: Floats) -> NDArray[np.float64]:
    """float64 [n]: the overlap of one box [4] with boxes [n, 4]."""
    low, high = np.maximum(box[:2], boxes[:, :2]), np.minimum(box[2:], boxes[:, 2:])
    shared = np.prod(np.clip(high - low, 0, None), axis=1, dtype=np.float64)
    sizes = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1, dtype=np.float64)
    return shared / (sizes + float(np.prod(box[2:] - box[:2])) - shared)


@dataclass(frozen=True)
class IdentityErrors:
    """How identity numbers agree with people.

    mixed: boxes whose identity belongs, by most of its boxes, to another person. split: how many
    identities there are more than people. unmatched: boxes that lie on no true face.
    """

    boxes: int
    mixed: int
    split: int
    unmatched: int


def identity_errors(
    truth: Truth, frames: Ints, boxes: Floats, identities: Ints, min_overlap: float = 0.4
) -> IdentityErrors:
    """Compare the identity int32 [m] of boxes float32 [m, 4] on frames int32 [m] with the truth."""
    rows = match(truth, frames, boxes, min_overlap)
    on_face = rows >= 0
    person, identity = truth.person[rows[on_face]], np.asarray(identities)[on_face]
    mixed, people = 0, set()
    names = np.unique(identity)
    for name in names:
        counts = np.bincount(person[identity == name])
        mixed += int(counts.sum() - counts.max())
        people.add(int(counts.argmax()))
    return IdentityErrors(
        boxes=int(on_face.sum()),
        mixed=mixed,
        split=len(names) - len(people),
        unmatched=int((~on_face).sum()),
    )
