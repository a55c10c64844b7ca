"""Clips with detections taken away, and the faces that show because of it.

Each trial damages one face of one clip and runs the whole pipeline over what is left: with
tracking by pixels, as on a desk, and without, as in a job over detections. What then shows is known
from the truth.

A detector that misses a face mostly still sees something there, with a low score. So each trial is
made twice: once nothing is left of the detections that are taken away, once what the detector left
of faces that it really missed in other clips.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial

import numpy as np
import orjson
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
from faceveil.faces import Floats, FrameFaces
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


NOTHING, AS_MISSED = "nothing", "low scores"
REMAINS = (NOTHING, AS_MISSED)
"""What is left of a detection that is taken away."""


@dataclass(frozen=True, eq=False)
class Damageable:
    """A clip with its detections and shots, known before any trial."""

    clip: Condition
    detections: Sequence[FrameFaces]
    starts: list[bool]

    @property
    def truth(self) -> Truth:
        return self.clip.footage.truth

    @cached_property
    def missed_runs(self) -> list[Floats]:
        """The highest score on each face in each frame of every run in which it was missed.

        A face on which nothing was seen at all has the score 0.
        """
        truth, runs = self.truth, []
        accept = next((x.models.accept_score for x in self.detections if x.models), 1.0)
        for rows in _faces(truth):
            scores = [_score_on(truth, row, self.detections) for row in rows.tolist()]
            lost = np.array(scores) < accept
            for part in np.split(np.arange(len(rows)), np.flatnonzero(np.diff(lost)) + 1):
                if lost[part[0]]:
                    runs += [np.array(scores, np.float32)[part]]
        return runs


def _score_on(truth: Truth, row: int, frames: Sequence[FrameFaces]) -> float:
    faces = frames[int(truth.frames[row])]
    on_it = overlaps(truth.boxes[row : row + 1], faces.boxes)[0] >= _ON_THE_FACE
    return float(faces.scores[on_it].max(initial=0.0))


def damageable(clip: Condition, detectors: Detectors) -> Damageable:
    """The clip with what the default analyzer and the search for shots find in it."""
    shown = Shown(clip.footage)
    found = detectors("default", shown)
    starts = shown.kept("shots", lambda: orjson.dumps(HeldSource(clip.footage).shot_starts()[0]))
    return Damageable(clip, found.frames, orjson.loads(starts))


@dataclass(frozen=True, eq=False)
class Trial:
    """An analysis of damaged detections, and which faces show.

    Attributes
    ----------
    clip, damage, remains : str
        `damage` and `remains` are empty where nothing was taken away.
    tracked : bool
        Whether faces were followed by their pixels.
    analysis : Analysis
    missed : ndarray of bool [m]
        Which faces of the truth show.
    """

    clip: str
    damage: str
    remains: str
    tracked: bool
    analysis: Analysis
    missed: NDArray[np.bool_]


def trials(made: Damageable, others: Sequence[Floats], each: int) -> Iterator[Trial]:
    """The clip as it is, and `each` trials of every damage and of all that may be left of it.

    The first of each damage is also tracked, where low scores are left. `others` are the runs in
    which faces of other clips were missed.
    """
    truth = made.truth
    source = HeldSource(made.clip.footage)

    def trial(damage: str, remains: str, frames: Sequence[FrameFaces], *, tracked: bool) -> Trial:
        found = analyse(
            source,
            partial(Remembered(source.pictures, Detections(list(frames), 0))),
            shots=KnownShots(made.starts),
            tracking=TrackOptions() if tracked else None,
            workers=1,
        )
        analysis = decide(found, source)
        return Trial(made.clip.clip, damage, remains, tracked, analysis, _missed(truth, analysis))

    for tracked in (True, False):
        yield trial("", "", made.detections, tracked=tracked)
    faces = _faces(truth)
    if not faces:
        return
    for number, (name, damage) in enumerate(DAMAGES.items()):
        random = np.random.default_rng([number, len(made.detections), len(truth)])
        for count in range(each):
            rows = faces[int(random.integers(len(faces)))]
            lost = rows[damage(truth.frames[rows], random)]
            for remains in REMAINS:
                scores = np.zeros(len(lost), np.float32)
                if remains == AS_MISSED:
                    scores = _as_missed(truth.frames[lost], others, random)
                frames = _lowered(made.detections, truth, lost, scores)
                yield trial(name, remains, frames, tracked=False)
                if count == 0 and remains == AS_MISSED:  # tracking takes most of the time
                    yield trial(name, remains, frames, tracked=True)


def _as_missed(
    frames: NDArray[np.int32], runs: Sequence[Floats], random: np.random.Generator
) -> Floats:
    """Scores of a face in these frames, taken from runs in which faces were really missed.

    A run is drawn as often as it has frames; a longer stretch is filled with several.
    """
    if not runs:
        return np.zeros(len(frames), np.float32)
    lengths = np.array([len(run) for run in runs], np.float64)
    parts = []
    for stretch in np.split(frames, np.flatnonzero(np.diff(frames) > 1) + 1):
        drawn = np.zeros(0, np.float32)
        while len(drawn) < len(stretch):
            chosen = int(random.choice(len(runs), p=lengths / lengths.sum()))
            drawn = np.concatenate([drawn, runs[chosen]])
        parts.append(drawn[: len(stretch)])
    return np.concatenate(parts)


def _faces(truth: Truth) -> list[NDArray[np.intp]]:
    """The rows of each face that is followed through a shot and counts."""
    counted = (truth.visible >= 0.5) & ~truth.ignore
    rows = [np.flatnonzero((truth.track == track) & counted) for track in np.unique(truth.track)]
    return [part for part in rows if len(part) >= LEAST_FRAMES]


def _lowered(
    frames: Sequence[FrameFaces], truth: Truth, lost: NDArray[np.intp], scores: Floats
) -> list[FrameFaces]:
    """The detections with these scores [n] on these rows [n] of the truth; none where it is 0."""
    left = list(frames)
    for row, score in zip(lost.tolist(), scores.tolist(), strict=True):
        number = int(truth.frames[row])
        faces = left[number]
        overlap = overlaps(truth.boxes[row : row + 1], faces.boxes)[0]
        others = np.flatnonzero(overlap < _ON_THE_FACE)
        if score == 0 or len(others) == len(faces):
            left[number] = faces.select(others)
            continue
        best = int(overlap.argmax())
        changed = faces.scores.copy()
        changed[best] = min(score, changed[best])
        features = faces.features.copy()
        features[best] = 0  # features are of accepted faces alone
        lowered = replace(faces, scores=changed, features=features)
        left[number] = lowered.select(np.append(others, best))
    return left


def _missed(truth: Truth, analysis: Analysis) -> NDArray[np.bool_]:
    return judge_coverage(truth, coverage_of_output(truth, output_of_analysis(analysis))).missed
