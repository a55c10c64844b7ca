"""Clips with detections taken away, and the faces that show because of it.

Each trial damages one face of one clip and runs the whole pipeline over what is left: with
tracking by pixels, as on a desk, and without, as in a job over detections. What then shows is known
from the truth.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from benchmarks.quality.clips import Condition
from benchmarks.quality.detections import Detections, Detectors, Shown
from benchmarks.quality.source import HeldSource, KnownShots, Remembered
from faceveil.analysis import Analysis
from faceveil.boxes import overlaps
from faceveil.evaluation.coverage import coverage_of_output
from faceveil.evaluation.judging import judge_coverage
from faceveil.evaluation.output import output_of_analysis
from faceveil.evaluation.truth import Truth
from faceveil.faces import FrameFaces
from faceveil.finding import analyse
from faceveil.pipeline import decide
from faceveil.tracking.track import TrackOptions

Frames = NDArray[np.bool_]
_ON_THE_FACE = 0.3
LEAST_FRAMES = 12
"""Faces seen in fewer frames are not damaged."""


def _at_random(seen: NDArray[np.int32], random: np.random.Generator) -> NDArray[np.bool_]:
    return random.random(len(seen)) < 0.5


def _in_runs(seen: NDArray[np.int32], random: np.random.Generator) -> NDArray[np.bool_]:
    lost = np.zeros(len(seen), bool)
    for _ in range(2):
        length = int(random.integers(5, 31))
        start = int(random.integers(0, len(seen)))
        lost[start : start + length] = True
    return lost


def _a_part(seen: NDArray[np.int32], random: np.random.Generator) -> NDArray[np.bool_]:
    """A quarter to three quarters of the face's frames, at its start, end or between."""
    length = int(len(seen) * random.uniform(0.25, 0.75))
    start = (0, len(seen) - length, int(random.integers(0, len(seen) - length + 1)))
    lost = np.zeros(len(seen), bool)
    first = start[int(random.integers(3))]
    lost[first : first + length] = True
    return lost


def _all_of_it(seen: NDArray[np.int32], random: np.random.Generator) -> NDArray[np.bool_]:
    return np.ones(len(seen), bool)


DAMAGES: dict[str, Callable[[NDArray[np.int32], np.random.Generator], NDArray[np.bool_]]] = {
    "half of its frames, at random": _at_random,
    "two runs of 5 to 30 frames": _in_runs,
    "a quarter to three quarters in one piece": _a_part,
    "all of its frames in the shot": _all_of_it,
}
WITHOUT_TRACE = "all of its frames in the shot"


@dataclass(frozen=True, eq=False)
class Trial:
    """An analysis of damaged detections, and how many faces show in each frame because of it.

    `damage` is empty where nothing was taken away; `tracked` is whether faces were followed by
    their pixels.
    """

    clip: str
    damage: str
    tracked: bool
    analysis: Analysis
    exposed: NDArray[np.int64]


def trials(clip: Condition, detectors: Detectors, each: int) -> Iterator[Trial]:
    """The clip as it is, and `each` trials of every damage, the first of them also tracked."""
    footage, truth = clip.footage, clip.footage.truth
    detections = detectors("default", Shown(footage))
    source = HeldSource(footage)
    starts, _ = source.shot_starts()

    def trial(damage: str, frames: Sequence[FrameFaces], *, tracked: bool) -> Trial:
        found = analyse(
            source,
            partial(Remembered(source.pictures, Detections(list(frames), 0))),
            shots=KnownShots(starts),
            tracking=TrackOptions() if tracked else None,
            workers=1,
        )
        analysis = decide(found, source)
        return Trial(clip.clip, damage, tracked, analysis, _exposed(truth, analysis))

    yield trial("", detections.frames, tracked=True)
    yield trial("", detections.frames, tracked=False)
    faces = _faces(truth)
    if not faces:
        return
    for number, (name, damage) in enumerate(DAMAGES.items()):
        random = np.random.default_rng([number, len(detections.frames), len(truth)])
        for count in range(each):
            rows = faces[int(random.integers(len(faces)))]
            lost = rows[damage(truth.frames[rows], random)]
            frames = _without(detections.frames, truth, lost)
            yield trial(name, frames, tracked=False)
            if count == 0:  # tracking takes most of the time
                yield trial(name, frames, tracked=True)


def _faces(truth: Truth) -> list[NDArray[np.intp]]:
    """The rows of each face that is followed through a shot and counts."""
    counted = (truth.visible >= 0.5) & ~truth.ignore
    rows = [np.flatnonzero((truth.track == track) & counted) for track in np.unique(truth.track)]
    return [part for part in rows if len(part) >= LEAST_FRAMES]


def _without(
    frames: Sequence[FrameFaces], truth: Truth, lost: NDArray[np.intp]
) -> list[FrameFaces]:
    """The detections without those on these rows of the truth, low scores included."""
    left = list(frames)
    for row in lost.tolist():
        number = int(truth.frames[row])
        faces = left[number]
        on_it = overlaps(truth.boxes[row : row + 1], faces.boxes)[0] >= _ON_THE_FACE
        left[number] = faces.select(~on_it)
    return left


def _exposed(truth: Truth, analysis: Analysis) -> NDArray[np.int64]:
    verdict = judge_coverage(truth, coverage_of_output(truth, output_of_analysis(analysis)))
    return np.bincount(truth.frames[verdict.missed], minlength=truth.frame_count)
