"""Verification: the rendered output is checked by detector, recogniser and pixels.

Three checks, each of which can catch what the others cannot. Is there a face under no veil? Is a
veiled person still recognised? And, where the input is available, is every veil of the plan really
in the picture? The last one needs no network and is made on every frame.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from faceveil.analysis import Analysis
from faceveil.assure.crops import Crops
from faceveil.assure.pixels import missing_veils
from faceveil.assure.second_look import second_look
from faceveil.assure.traces import Trace, TraceLog, Tracer, grey_samples
from faceveil.assure.verification import Verdict, Verification, Violation
from faceveil.boxes import centres, overlaps, sides
from faceveil.errors import InputError, UsageError
from faceveil.faces import Floats, FrameFaces, Image, Kind
from faceveil.identity.select import SAME_FACE_OVERLAP
from faceveil.identity.templates import (
    CLEAR_SCORE,
    MIN_FACE_SIZE,
    Templates,
    sequence_templates,
)
from faceveil.identity.thresholds import thresholds_of
from faceveil.media.decoded_frame import DecodedFrame
from faceveil.media.frames import Frame, FrameSource
from faceveil.media.splice import Copies
from faceveil.parallel import ordered_map
from faceveil.progress import Progress, QuietProgress
from faceveil.veils.kinds import by_style
from faceveil.veils.plan import PlannedBoxes, VeilPlan
from faceveil.veils.region import Geometry, core, grid
from faceveil.veils.styles import VeilStyle

Analyzer: TypeAlias = Callable[[Image], FrameFaces]
EVERY = 30
COVERED = 0.5
"""Share of a detected face that must lie under veils for it to count as veiled."""
CONFIRMED = 0.65
"""Score in the second view that confirms a face. In correct outputs of real clips hands and cloth
reach 0.31 (at crf 35: 0.58); of true faces, 98.5 % pass."""
_LISTED = 10_000
"""The most violations kept in memory and in the report."""
_POINTS = 16
"""A detected face is sampled at 16 x 16 points to measure how much of it lies under veils."""


def verify(
    output: FrameSource,
    analysis: Analysis,
    analyzer: Analyzer,
    style: VeilStyle,
    *,
    original: FrameSource | TraceLog | None = None,
    templates: Templates | None = None,
    copies: Copies | None = None,
    every: int = EVERY,
    workers: int = 2,
    crops: Path | None = None,
    progress: Progress | None = None,
) -> Verification:
    """Check an output that was rendered from an analysis in this style.

    Violations are returned, not raised: see `Verification.require`.

    Parameters
    ----------
    output : FrameSource
        The rendered frames.
    analysis : Analysis
    analyzer : callable
        Detects the faces of a frame, RGB uint8 [H, W, 3]; called from several threads. It need not
        be the one of the analysis: another may find what that one missed.
    style : VeilStyle
    original : FrameSource or TraceLog, optional
        The input of the analysis, or traces of it taken while rendering: with it each veil of each
        frame is compared by pixels.
    templates : Templates, optional
        One a sequence, by which people are recognised; by default those of the features that the
        sequences of the analysis hold.
    copies : Copies, optional
        Frames of a video that were copied: each must show what the input shows.
    every : int
        The analyzer checks every so many frames, and at least one frame of each veiled sequence;
        of unrelated pictures all, since none says anything about another.
    workers : int
        Number of threads.
    crops : Path, optional
        Folder for pictures of the violations, which are confidential.
    progress : Progress, optional

    Returns
    -------
    Verification

    Raises
    ------
    InputError
        When output, original and analysis do not have the same frames, or a copied frame shows
        something else.
    UsageError
        For `every` below 1.
    """
    if every < 1:
        raise UsageError(f"every is {every}: it must be 1 (every frame) or more")
    tracer = Tracer.of(analysis, style)
    if templates is None:
        templates = sequence_templates(analysis.sequences)
    check = _FrameCheck.prepare(analysis, templates, analyzer, tracer, every, copies)
    pictures = None if crops is None else Crops(crops)
    frames = looked_at = veils = 0
    violations: list[Violation] = []
    doubtful: list[tuple[int, tuple[float, float, float, float]]] = []
    pairs = _pairs(output, _traces(original, tracer), analysis.source.frame_count)
    with (progress or QuietProgress()).stage("verify", output.frame_count) as stage:
        for found in ordered_map(check, pairs, workers):
            frames += 1
            looked_at += found.looked_at
            veils += found.veils
            violations += found.violations[: _LISTED - len(violations)]
            doubtful += found.doubtful[: _LISTED - len(doubtful)]
            if pictures is not None and found.picture is not None:
                pictures.save(found.picture, found.violations)
            stage.advance()
    recognised = bool(check.people.numbers.size)
    return Verification(frames, looked_at, veils, recognised, violations, doubtful)


def _traces(original: FrameSource | TraceLog | None, tracer: Tracer) -> Iterable[Trace] | None:
    if original is None or isinstance(original, TraceLog):
        return original
    return map(tracer.trace, original)


def _pairs(
    output: FrameSource, traces: Iterable[Trace] | None, frame_count: int
) -> Iterator[tuple[int, Frame, Trace | None]]:
    """Yield (number, frame of the output, trace of the same frame of the input)."""
    if traces is None:
        count = 0
        for frame in output:
            count += 1
            yield frame.number, frame, None
        if count != frame_count:
            raise InputError(
                f"{output.path}: {count} frames can be read, the analysis is of {frame_count}: "
                "this is not, or not all of, its output"
            )
        return
    for shown, trace in zip_longest(output, traces):
        if shown is None or trace is None:
            side = "fewer" if shown is None else "more"
            raise InputError(
                f"{output.path}: {side} frames can be read than of the input: this is not, or not "
                "all of, its output"
            )
        if (shown.width, shown.height) != (trace.width, trace.height):
            raise InputError(
                f"{output.path}: frame {trace.number} is {shown.width} x {shown.height}, of the "
                f"input {trace.width} x {trace.height}: verify before scaling"
            )
        yield trace.number, shown, trace


@dataclass(frozen=True, slots=True, eq=False)
class _People:
    """The veiled identities that can be recognised: numbers int [g], directions float32 [g, D]."""

    numbers: NDArray[np.intp]
    directions: Floats

    @classmethod
    def of(cls, analysis: Analysis, templates: Templates) -> _People:
        numbers, group = np.unique(analysis.identities, return_inverse=True)
        weights = np.where(analysis.veiled, templates.weights, 0).astype(np.float32)
        sums = np.where(analysis.veiled[:, None], templates.sums, 0).astype(np.float32)
        people = Templates(sums, weights).grouped(group, len(numbers))
        return cls(numbers[people.known].astype(np.intp), people.directions[people.known])


@dataclass(slots=True, eq=False)
class _Found:
    """The result for one frame. `picture` RGB is kept only where there are violations."""

    looked_at: bool = False
    veils: int = 0
    violations: list[Violation] = field(default_factory=list)
    doubtful: list[tuple[int, tuple[float, float, float, float]]] = field(default_factory=list)
    picture: Image | None = None

    def add(
        self, kind: Verdict, frame: int, box: Floats, measure: float, sequence: int | None
    ) -> None:
        self.violations.append(Violation(kind, frame, _plain(box), measure, sequence))


@dataclass(frozen=True, slots=True, eq=False)
class _FrameCheck:
    """Checks one frame at a time, from any thread."""

    analysis: Analysis
    analyzer: Analyzer
    tracer: Tracer
    sample: frozenset[int]
    kept: VeilPlan
    people: _People
    free: tuple[range, ...]
    accept: float
    copies: Copies | None

    @classmethod
    def prepare(
        cls,
        analysis: Analysis,
        templates: Templates,
        analyzer: Analyzer,
        tracer: Tracer,
        every: int,
        copies: Copies | None,
    ) -> _FrameCheck:
        veiled = analysis.veiled
        kept = VeilPlan.build(analysis.sequences, ~veiled, secret="")
        sample = _sample(analysis, every)
        people, free = _People.of(analysis, templates), _free_frames(analysis)
        accept = thresholds_of(analysis.models.recognizer if analysis.models else None).accept
        return cls(analysis, analyzer, tracer, sample, kept, people, free, accept, copies)

    def __call__(self, pair: tuple[int, Frame, Trace | None]) -> _Found:
        number, frame, trace = pair
        found = _Found()
        if self.copies is not None and isinstance(frame, DecodedFrame):
            self.copies.check(frame)
        if trace is not None and len(trace.original):
            self._compare(frame, trace, found)
        found.looked_at = number in self.sample
        picture = frame.rgb() if found.looked_at or found.violations else None
        if picture is not None and found.looked_at:
            self._look(number, picture, found)
        if found.violations:
            found.picture = picture
        return found

    def _compare(self, frame: Frame, trace: Trace, found: _Found) -> None:
        """Check by pixels that the veils of this frame are there."""
        regions, sequences = self.tracer.regions(trace.number, trace.width, trace.height)
        shown = grey_samples(frame.planes(), regions)
        missing, share = missing_veils(trace.original, trace.veiled, shown)
        found.veils = len(regions)
        for row in np.flatnonzero(missing).tolist():
            sequence = int(sequences[row]) if sequences[row] >= 0 else None
            found.add("unveiled", trace.number, regions[row], min(1.0, float(share[row])), sequence)

    def _look(self, number: int, picture: Image, found: _Found) -> None:
        """Check that the networks find no face or person that must be veiled."""
        style, whole = self.tracer.style, self.tracer.is_whole(number)
        planned = self.tracer.plan.at(number)
        seen = self.analyzer(picture)
        seen = seen.select(seen.accepted & ~self._is_kept(number, seen, planned))
        kinds = np.zeros(len(seen), np.uint8) if seen.kinds is None else seen.kinds
        covered = np.full(len(seen), whole)
        for rows, own in by_style(planned.kinds, style):
            cores = core(planned.boxes[rows], own)
            hidden = grid(cores, own) if own.name == "upper" else cores
            covered |= share_under(seen.boxes, hidden, own) >= COVERED
        at = overlaps(seen.boxes, planned.boxes, "minimum") > COVERED
        at &= kinds[:, None] == planned.kinds
        for row, box in enumerate(seen.boxes):
            under = planned.sequence[at[row]] if covered[row] else planned.sequence[:0]
            sequence = int(under[0]) if len(under) else None
            score, similarity, kind_of = float(seen.scores[row]), -1.0, Kind(int(kinds[row]))
            if kind_of == Kind.FACE:
                similarity = self._similarity(seen, row, under)
            confirmation = 0.0
            if not covered[row] or score >= CLEAR_SCORE:
                confirmation = second_look(self.analyzer, picture, box, kind_of)
            free = kind_of == Kind.FACE and any(number in frames for frames in self.free)
            kind = self._judge(bool(covered[row]), free, score, confirmation, similarity)
            if kind == "doubtful":
                found.doubtful.append((number, _plain(box)))
            elif kind is not None:
                measure = similarity if kind == "recognised" else score
                found.add(kind, number, box, measure, sequence)

    def _judge(
        self, covered: bool, free: bool, score: float, confirmation: float, similarity: float
    ) -> Verdict | Literal["doubtful"] | None:
        """Judge a face by its scores in both views and its similarity to veiled people."""
        known = similarity >= self.accept
        # "upper" leaves part of a face visible on purpose, and with it the person recognisable.
        upper = self.tracer.style.name == "upper"
        if not covered:
            if confirmation < CONFIRMED or (free and not known):
                return "doubtful"
            return "recognised" if known else "uncovered"
        if known:
            return "doubtful" if upper else "recognised"
        plain = min(score, confirmation) >= CLEAR_SCORE and not upper
        return "uncovered" if plain else None

    def _is_kept(self, number: int, seen: FrameFaces, planned: PlannedBoxes) -> NDArray[np.bool_]:
        """bool [n]: which faces are of people who stay visible; so of other objects."""
        kinds = np.zeros((len(seen), 1), np.uint8)
        if seen.kinds is not None:
            kinds = seen.kinds[:, None]
        kept, veiled = (
            (overlaps(seen.boxes, others.boxes) * (kinds == others.kinds)).max(axis=1, initial=0)
            for others in (self.kept.at(number), planned)
        )
        return np.asarray((kept >= SAME_FACE_OVERLAP) & (kept > veiled))

    def _similarity(self, seen: FrameFaces, row: int, under: NDArray[np.int32]) -> float:
        """Cosine to the person veiled there, or to the most similar of all veiled people.

        -1 for a face that is not large and clear: veiled, dark and small ones are all alike to a
        recogniser.
        """
        box = seen.boxes[row]
        if float(sides(box).min()) < MIN_FACE_SIZE or seen.scores[row] < CLEAR_SCORE:
            return -1.0
        directions = self.people.directions
        if len(under):
            own = np.isin(self.people.numbers, self.analysis.identities[under])
            directions = directions[own]
        if not len(directions):
            return -1.0
        if directions.shape[1] != seen.features.shape[1]:
            raise InputError(
                f"features of {directions.shape[1]} numbers in the analysis, of "
                f"{seen.features.shape[1]} here: verify with the recogniser of the analysis"
            )
        return float((directions @ seen.features[row]).max())


def _sample(analysis: Analysis, every: int) -> frozenset[int]:
    """Every `every`-th frame, and the middle of each veiled sequence that has none of the others;
    of unrelated pictures all.

    Short sequences come first: their middles are likely to lie in longer ones.
    """
    if analysis.source.kind == "stills":
        return frozenset(range(analysis.source.frame_count))
    sample = set(range(0, analysis.source.frame_count, every))
    veiled = [analysis.sequences[index] for index in np.flatnonzero(analysis.veiled).tolist()]
    for sequence in sorted(veiled, key=len):
        if sample.isdisjoint(sequence.frames.tolist()):
            sample.add(int(sequence.frames[len(sequence) // 2]))
    return frozenset(sample)


def _free_frames(analysis: Analysis) -> tuple[range, ...]:
    """Frames in which only selected people are veiled, so that others may be visible."""
    if analysis.selection.mode not in ("only", "none"):
        return ()
    if not analysis.selection.times:
        return (range(analysis.source.frame_count),)
    return tuple(range(item.first, item.end) for item in analysis.selection.times)


def _plain(box: NDArray[np.floating]) -> tuple[float, float, float, float]:
    x1, y1, x2, y2 = (round(float(value), 1) for value in box)
    return x1, y1, x2, y2


def share_under(boxes: Floats, cores: Geometry, style: VeilStyle) -> Floats:
    """Return how much of each box [n, 4] lies under any core [m, 4], float32 [n] from 0 to 1."""
    step = (np.arange(_POINTS) + 0.5) / _POINTS
    lengths = sides(boxes)
    x = (boxes[:, :1] + lengths[:, :1] * step)[:, None, None, :]
    y = (boxes[:, 1:2] + lengths[:, 1:] * step)[:, None, :, None]
    middle, half = centres(cores)[:, :, None, None], sides(cores)[:, :, None, None] / 2
    across, down = np.abs(x - middle[:, 0]) / half[:, 0], np.abs(y - middle[:, 1]) / half[:, 1]
    inside = across**2 + down**2 <= 1 if style.is_round else np.maximum(across, down) <= 1
    return np.asarray(inside.any(axis=1).mean(axis=(1, 2)), np.float32)
