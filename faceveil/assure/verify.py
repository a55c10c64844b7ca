"""Verification (DESIGN policy 5): detector, recogniser and pixels look at the rendered output.

Three questions, each able to catch what the others cannot. Is there a face under no veil? Is a
veiled person still recognised? And, where the input is at hand, is every veil of the plan really
in the picture? The last needs no network and no luck, so it is asked on every frame.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
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
from faceveil.assure.verification import Kind, Verification, Violation
from faceveil.detect.boxes import overlaps
from faceveil.errors import InputError, UsageError
from faceveil.faces import Floats, FrameFaces, Image
from faceveil.identity.select import ACCEPT_SIMILARITY, SAME_FACE_OVERLAP
from faceveil.identity.templates import CLEAR_SCORE, MIN_FACE_SIZE, sequence_templates
from faceveil.media.frames import Frame, FrameSource
from faceveil.parallel import ordered_map
from faceveil.progress import Progress, QuietProgress
from faceveil.veil.plan import PlannedBoxes, VeilPlan
from faceveil.veil.region import Geometry, core, grid, must_cover
from faceveil.veil.render import veil_frame, veil_whole
from faceveil.veil.styles import VeilStyle

Analyzer: TypeAlias = Callable[[Image], FrameFaces]
EVERY = 10
COVERED = 0.5
"""Share of a found face that must lie under veils for it to count as veiled."""
CONFIRMED = 0.65
"""Score in the second look from which a face is one. In correct outputs of real clips hands and
cloth reach 0.31 (at crf 35: 0.58); of true faces, 98.5 % pass."""
_LISTED = 10_000
"""Violations kept in memory and in the report; a longer list tells nobody more."""
_POINTS = 16
"""A found face is sampled at 16 x 16 points to measure how much of it lies under veils."""


def verify(
    output: FrameSource,
    analysis: Analysis,
    analyzer: Analyzer,
    style: VeilStyle,
    *,
    original: FrameSource | None = None,
    every: int = EVERY,
    workers: int = 2,
    crops: Path | None = None,
    progress: Progress | None = None,
) -> Verification:
    """Look at an output rendered from an analysis in this style.

    analyzer (RGB uint8 [H, W, 3] to FrameFaces, called from several threads) sees every `every`-th
    frame, and the first, middle and last of each veiled sequence. It need not be the one of the
    analysis: another may find what that one missed. People are recognised where the sequences of
    the analysis hold features. original is the input of the analysis: with it, each veil of each
    frame is compared by pixels. crops is a folder for pictures of what was found, confidential.

    Violations are returned, not raised: see `Verification.require`. Raises InputError when output,
    original and analysis do not have the same frames, UsageError for `every` below 1.
    """
    if every < 1:
        raise UsageError(f"every {every}: verification looks at every 1st, 2nd, … frame")
    check = _FrameCheck.prepare(analysis, analyzer, style, every)
    pictures = None if crops is None else Crops(crops)
    frames = looked_at = veils = 0
    violations: list[Violation] = []
    doubtful: list[tuple[int, tuple[float, float, float, float]]] = []
    with (progress or QuietProgress()).stage("verify", output.frame_count) as stage:
        for found in ordered_map(check, _pairs(output, original, analysis), workers):
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


def _pairs(
    output: FrameSource, original: FrameSource | None, analysis: Analysis
) -> Iterator[tuple[int, Frame, Frame | None]]:
    """(number, frame of the output, the same frame of the original)."""
    count = 0
    if original is None:
        for frame in output:
            count += 1
            yield frame.number, frame, None
        if count != analysis.source.frame_count:
            raise InputError(
                f"{output.path}: {count} frames can be read, the analysis is of "
                f"{analysis.source.frame_count}: this is not, or not all of, its output"
            )
        return
    for shown, source in zip_longest(output, original):
        if shown is None or source is None:
            side = "fewer" if shown is None else "more"
            raise InputError(
                f"{output.path}: {side} frames can be read than of {original.path}: this is not, "
                "or not all of, its output"
            )
        if (shown.width, shown.height) != (source.width, source.height):
            raise InputError(
                f"{output.path}: frame {source.number} is {shown.width} x {shown.height}, of "
                f"{original.path} {source.width} x {source.height}: verify before scaling"
            )
        yield source.number, shown, source


@dataclass(frozen=True, slots=True, eq=False)
class _People:
    """The veiled identities that can be recognised: numbers int [g], directions float32 [g, D]."""

    numbers: NDArray[np.intp]
    directions: Floats

    @classmethod
    def of(cls, analysis: Analysis) -> _People:
        numbers, group = np.unique(analysis.identities, return_inverse=True)
        templates = sequence_templates(analysis.sequences)
        templates.weights[~analysis.veiled] = 0
        templates.sums[~analysis.veiled] = 0
        people = templates.grouped(group, len(numbers))
        return cls(numbers[people.known].astype(np.intp), people.directions[people.known])


@dataclass(slots=True, eq=False)
class _Found:
    """What one frame shows. `picture` RGB is kept only where there is something to show."""

    looked_at: bool = False
    veils: int = 0
    violations: list[Violation] = field(default_factory=list)
    doubtful: list[tuple[int, tuple[float, float, float, float]]] = field(default_factory=list)
    picture: Image | None = None

    def add(
        self, kind: Kind, frame: int, box: Floats, measure: float, sequence: int | None
    ) -> None:
        self.violations.append(Violation(kind, frame, _plain(box), measure, sequence))


@dataclass(frozen=True, slots=True, eq=False)
class _FrameCheck:
    """Checks one frame at a time, from any thread."""

    analysis: Analysis
    analyzer: Analyzer
    style: VeilStyle
    every: int
    marked: frozenset[int]
    veiled: VeilPlan
    kept: VeilPlan
    people: _People

    @classmethod
    def prepare(
        cls, analysis: Analysis, analyzer: Analyzer, style: VeilStyle, every: int
    ) -> _FrameCheck:
        secret, veiled = analysis.source.digest, analysis.veiled
        marked = [
            int(sequence.frames[place])
            for sequence, veil in zip(analysis.sequences, veiled, strict=True)
            if veil
            for place in (0, len(sequence) // 2, -1)
        ]
        return cls(
            analysis,
            analyzer,
            style,
            every,
            frozenset(marked),
            VeilPlan.build(
                analysis.sequences, veiled, secret=secret, unknown_frames=analysis.unknown_frames
            ),
            VeilPlan.build(analysis.sequences, ~veiled, secret=secret),
            _People.of(analysis),
        )

    def __call__(self, pair: tuple[int, Frame, Frame | None]) -> _Found:
        number, frame, original = pair
        found = _Found()
        planned = self.veiled.at(number)
        whole = self.veiled.whole(number) or number >= self.analysis.source.frame_count
        compare = original is not None and (whole or len(planned) > 0)
        found.looked_at = number % self.every == 0 or number in self.marked
        if not (compare or found.looked_at):
            return found
        picture = frame.rgb()
        if compare and original is not None:
            self._compare(number, picture, original, planned, whole, found)
        if found.looked_at:
            self._look(number, picture, planned, whole, found)
        if found.violations:
            found.picture = picture
        return found

    def _compare(
        self,
        number: int,
        shown: Image,
        original: Frame,
        planned: PlannedBoxes,
        whole: bool,
        found: _Found,
    ) -> None:
        """Are the veils of this frame in its pixels?"""
        before = original.rgb()
        if whole:
            veil_whole(original.planes(), self.veiled.whole_seed, self.style)
            regions = np.array([[0, 0, original.width, original.height]], np.float64)
        else:
            veil_frame(original.planes(), planned.boxes, planned.seeds, self.style)
            regions = must_cover(planned.boxes, self.style)
        missing, share = missing_veils(before, original.rgb(), shown, regions)
        found.veils = len(regions)
        for row in np.flatnonzero(missing):
            sequence = None if whole else int(planned.sequence[row])
            found.add("unveiled", number, regions[row], float(share[row]), sequence)

    def _look(
        self, number: int, picture: Image, planned: PlannedBoxes, whole: bool, found: _Found
    ) -> None:
        """Are there faces or people that may not be seen?"""
        seen = self.analyzer(picture)
        seen = seen.select(seen.accepted & ~self._is_kept(number, seen.boxes, planned))
        cores = core(planned.boxes, self.style)
        hidden = grid(cores, self.style) if self.style.name == "upper" else cores
        covered = whole | (share_under(seen.boxes, hidden, self.style) >= COVERED)
        at = overlaps(seen.boxes, planned.boxes, "minimum") > COVERED
        for row, box in enumerate(seen.boxes):
            under = planned.sequence[at[row]] if covered[row] else planned.sequence[:0]
            sequence = int(under[0]) if len(under) else None
            score, similarity = float(seen.scores[row]), self._similarity(seen, row, under)
            confirmation = 0.0
            if not covered[row] or score >= CLEAR_SCORE:
                confirmation = second_look(self.analyzer, picture, box)
            kind = self._judge(bool(covered[row]), score, confirmation, similarity)
            if kind == "doubtful":
                found.doubtful.append((number, _plain(box)))
            elif kind is not None:
                measure = similarity if kind == "recognised" else score
                found.add(kind, number, box, measure, sequence)

    def _judge(
        self, covered: bool, score: float, confirmation: float, similarity: float
    ) -> Kind | Literal["doubtful"] | None:
        """What a face is, given its scores in both looks and its likeness to veiled people."""
        known = similarity >= ACCEPT_SIMILARITY
        if not covered:
            if confirmation < CONFIRMED:
                return "doubtful"
            return "recognised" if known else "uncovered"
        if known:
            return "recognised"
        # "upper" leaves a face to be seen on purpose; the others leave none.
        plain = min(score, confirmation) >= CLEAR_SCORE and self.style.name != "upper"
        return "uncovered" if plain else None

    def _is_kept(self, number: int, boxes: Floats, planned: PlannedBoxes) -> NDArray[np.bool_]:
        """bool [n]: which faces are of people who stay visible."""
        kept = overlaps(boxes, self.kept.at(number).boxes).max(axis=1, initial=0)
        veiled = overlaps(boxes, planned.boxes).max(axis=1, initial=0)
        return np.asarray((kept >= SAME_FACE_OVERLAP) & (kept > veiled))

    def _similarity(self, seen: FrameFaces, row: int, under: NDArray[np.int32]) -> float:
        """Cosine to the person veiled there, or to the most alike of all who are veiled.

        Only of a face that is large and clear: veiled, dark and small ones all look alike to a
        recogniser.
        """
        box = seen.boxes[row]
        if float((box[2:] - box[:2]).min()) < MIN_FACE_SIZE or seen.scores[row] < CLEAR_SCORE:
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


def _plain(box: NDArray[np.floating]) -> tuple[float, float, float, float]:
    x1, y1, x2, y2 = (round(float(value), 1) for value in box)
    return x1, y1, x2, y2


def share_under(boxes: Floats, cores: Geometry, style: VeilStyle) -> Floats:
    """How much of each box [n, 4] lies under any of the cores [m, 4], float32 [n] from 0 to 1."""
    step = (np.arange(_POINTS) + 0.5) / _POINTS
    sides = boxes[:, 2:] - boxes[:, :2]
    x = (boxes[:, :1] + sides[:, :1] * step)[:, None, None, :]
    y = (boxes[:, 1:2] + sides[:, 1:] * step)[:, None, :, None]
    middle = ((cores[:, :2] + cores[:, 2:]) / 2)[:, :, None, None]
    half = ((cores[:, 2:] - cores[:, :2]) / 2)[:, :, None, None]
    across, down = np.abs(x - middle[:, 0]) / half[:, 0], np.abs(y - middle[:, 1]) / half[:, 1]
    inside = across**2 + down**2 <= 1 if style.is_round else np.maximum(across, down) <= 1
    return np.asarray(inside.any(axis=1).mean(axis=(1, 2)), np.float32)
