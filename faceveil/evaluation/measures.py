"""The single measures of an evaluation: runs, identities, area, jitter, frames."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from faceveil.boxes import centres, sides, sizes
from faceveil.evaluation.coverage import Bools, match
from faceveil.evaluation.output import Output
from faceveil.evaluation.truth import Truth, is_oval
from faceveil.faces import Floats, Ints

SAME_FACE_IOU = 0.3
"""From this overlap a box counts as around a true face, whatever the habits of its program."""
_RASTER = 160
"""Cells across the picture, for areas."""


@dataclass(frozen=True, slots=True)
class Run:
    """Consecutive frames in which one face stays uncovered.

    `size` is the largest height of its box in pixels, `coverage` the least covered share.
    """

    person: str
    track: int
    first: int
    last: int
    size: float
    coverage: float

    @property
    def frames(self) -> int:
        return self.last - self.first + 1


def runs_of(truth: Truth, rows: Bools, coverage: Floats) -> list[Run]:
    """Return the runs of rows bool [n], by track, longest first."""
    chosen = np.flatnonzero(rows)
    chosen = chosen[np.lexsort((truth.frames[chosen], truth.track[chosen]))]
    frames, track = truth.frames[chosen], truth.track[chosen]
    breaks = np.flatnonzero((np.diff(track) != 0) | (np.diff(frames) > 1)) + 1
    height = sides(truth.boxes)[:, 1]
    runs = [
        Run(
            person=truth.people[truth.person[part[0]]],
            track=int(truth.track[part[0]]),
            first=int(truth.frames[part[0]]),
            last=int(truth.frames[part[-1]]),
            size=float(height[part].max()),
            coverage=float(coverage[part].min()),
        )
        for part in np.split(chosen, breaks)
        if len(part)
    ]
    return sorted(runs, key=lambda run: (-run.frames, run.first, run.track))


@dataclass(frozen=True, slots=True)
class IdentityErrors:
    """How identity numbers agree with people, counted in boxes.

    Attributes
    ----------
    boxes : int
        Boxes on a true face.
    mixed : int
        Those whose identity belongs, by most of its boxes, to another person.
    split : int
        How many more identities than people there are.
    unmatched : int
        Boxes on no true face.
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


@dataclass(frozen=True, slots=True)
class Area:
    """Mean shares of the picture: all that is veiled, and what of it is not on any true face."""

    veiled: float
    wasted: float


def measure_area(truth: Truth, output: Output) -> Area:
    """Measure the area on a raster of 160 cells across, over the labelled frames.

    The boxes of ignored faces are left out.
    """
    scale = _RASTER / truth.width
    height = max(1, round(truth.height * scale))
    y, x = (np.mgrid[:height, :_RASTER] + 0.5) / scale
    totals = np.zeros(2)
    numbers = np.flatnonzero(truth.labelled)
    regions, frames = output.regions[output.veiled], output.frames[output.veiled]
    is_round, oval = output.round_rows[output.veiled], is_oval(truth.kinds)
    for number in numbers.tolist():
        start, stop = np.searchsorted(frames, [number, number + 1])
        if np.isin(number, output.whole_frames):
            veils = np.ones(x.shape, bool)
        elif start == stop:
            continue
        else:
            veils = _raster(regions[start:stop], is_round[start:stop], x, y)
        start, stop = np.searchsorted(truth.frames, [number, number + 1])
        boxes, ignored = truth.boxes[start:stop], truth.ignore[start:stop]
        faces = _raster(boxes[~ignored], oval[start:stop][~ignored], x, y)
        veils &= faces | ~_raster(boxes[ignored], np.zeros(ignored.sum(), bool), x, y)
        totals += veils.mean(), (veils & ~faces).mean()
    veiled, wasted = (totals / max(len(numbers), 1)).tolist()
    return Area(veiled, wasted)


def _raster(
    boxes: Floats, is_round: Bools, x: NDArray[np.float64], y: NDArray[np.float64]
) -> Bools:
    covered = np.zeros(x.shape, bool)
    for (x1, y1, x2, y2), oval in zip(boxes.tolist(), is_round.tolist(), strict=True):
        across = (2 * x - x1 - x2) / max(x2 - x1, 1e-6)
        down = (2 * y - y1 - y2) / max(y2 - y1, 1e-6)
        covered |= across**2 + down**2 <= 1 if oval else (np.abs([across, down]) <= 1).all(0)
    return covered


@dataclass(frozen=True, slots=True)
class Jitter:
    """How much boxes tremble around the true motion.

    Root mean square of the second difference of the deviation from the true box, of the centre (in
    face sizes) and of the size (as a logarithm). `steps` is the number of triples of adjacent
    frames measured.
    """

    centre: float
    size: float
    steps: int


def measure_jitter(truth: Truth, output: Output) -> Jitter:
    """Measure jitter where a face is wholly visible and has a box in three frames in a row."""
    rows = np.flatnonzero(output.veiled)
    whole = (truth.visible > 0.99) & truth.labelled[truth.frames]
    face = match(truth, output.frames[rows], output.boxes[rows], SAME_FACE_IOU, rows=whole)
    rows, face = rows[face >= 0], face[face >= 0]
    key = np.lexsort((output.frames[rows], output.sequence[rows], truth.track[face]))
    rows, face = rows[key], face[key]
    true, made = truth.boxes[face], output.boxes[rows]
    size = sizes(true)[:, None]
    apart = np.concatenate(
        [(centres(made) - centres(true)) / size, np.log(sides(made) / sides(true))], axis=1
    )
    same = np.stack([truth.track[face], output.sequence[rows]], axis=1)
    next_to = (np.diff(same, axis=0) == 0).all(axis=1) & (np.diff(output.frames[rows]) == 1)
    triples = next_to[1:] & next_to[:-1]
    second = np.diff(apart, 2, axis=0)[triples].astype(np.float64)
    if len(second) == 0:
        return Jitter(0.0, 0.0, 0)
    centre, scale = (second[:, :2] ** 2).sum(axis=1), (second[:, 2:] ** 2).mean(axis=1)
    return Jitter(float(np.sqrt(centre.mean())), float(np.sqrt(scale.mean())), len(second))


@dataclass(frozen=True, slots=True)
class Frames:
    """Frames as true and false positives and negatives (thesis, tables 4.1-4.4, 4.13 and 4.14)."""

    tp: int
    tn: int
    fp: int
    fn: int

    @property
    def accuracy(self) -> float:
        return (self.tp + self.tn) / max(self.tp + self.tn + self.fp + self.fn, 1)

    @property
    def precision(self) -> float:
        return self.tp / (self.tp + self.fp) if self.tp + self.fp else 1.0

    @property
    def recall(self) -> float:
        return self.tp / (self.tp + self.fn) if self.tp + self.fn else 1.0

    @property
    def f1(self) -> float:
        return 2 * self.tp / max(2 * self.tp + self.fp + self.fn, 1) if self.tp else 0.0


def count_frames(labelled: Bools, missed: Ints, wrong: Ints, veiled: Ints) -> Frames:
    """Count the labelled frames by category, given lists of frame numbers.

    A frame is a false negative where a face is `missed`; else a false positive where a veil is
    `wrong`; else a true positive where faces are `veiled`; else a true negative.
    """
    kind = np.zeros(len(labelled), np.uint8)
    for value, numbers in ((1, veiled), (2, wrong), (3, missed)):
        kind[numbers[numbers < len(kind)]] = value
    tn, tp, fp, fn = np.bincount(kind[labelled], minlength=4).tolist()
    return Frames(tp, tn, fp, fn)


def names_of(truth: Truth, rows: Bools) -> tuple[tuple[int, str], ...]:
    """(frame, person) of the chosen rows."""
    chosen = np.flatnonzero(rows)
    people = [truth.people[person] for person in truth.person[chosen].tolist()]
    return tuple(zip(truth.frames[chosen].tolist(), people, strict=True))
