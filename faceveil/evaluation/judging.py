"""How well an output agrees with the truth: which faces are veiled, and how long others are not.

A privacy tool is judged by the one frame it missed, so each face in each frame counts: it is
veiled when 90 % of its visible part is covered. Beside that there are the thesis's frames as true
and false positives and negatives (tables 4.1-4.4, 4.13, 4.14), identities, wasted area and jitter.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from faceveil.boxes import sides
from faceveil.evaluation.coverage import Bools, coverage_of_output, match, near_veiled, on_ignored
from faceveil.evaluation.measures import (
    SAME_FACE_IOU,
    Area,
    Frames,
    IdentityErrors,
    Jitter,
    Run,
    count_frames,
    identity_errors,
    measure_area,
    measure_jitter,
    runs_of,
)
from faceveil.evaluation.output import Output
from faceveil.evaluation.truth import Truth
from faceveil.faces import Floats, Ints, Kind

SIZE_BOUNDS = (24, 48, 96)
"""Heights of faces in pixels that divide them into the classes of `by_size`."""


@dataclass(frozen=True, slots=True)
class Rules:
    """The limits by which faces are judged. All are shares.

    Attributes
    ----------
    min_visible : float
        A face counts when at least this much of it is visible.
    hit : float
        It is veiled when at least this much of its visible part is covered.
    bare : float
        It is bare when less than this is covered.
    kept_limit : float
        A person to keep is wrongly veiled when more of the face than this is covered,
    margin : float
        unless the box of a veiled person, grown by this, overlaps the face.
    """

    min_visible: float = 0.5
    hit: float = 0.9
    bare: float = 0.1
    kept_limit: float = 0.3
    margin: float = 0.25


@dataclass(frozen=True, slots=True, eq=False)
class Verdict:
    """The judgement of each row of the truth.

    Attributes
    ----------
    coverage : ndarray of float32 [n]
        Covered share of each face.
    to_veil, missed : ndarray of bool [n]
        Faces that must be veiled, and those of them that are not.
    kept, kept_veiled : ndarray of bool [n]
        Faces of people to keep that count, and those of them that are wrongly veiled.
    """

    coverage: Floats
    to_veil: Bools
    missed: Bools
    kept: Bools
    kept_veiled: Bools


def judge_coverage(
    truth: Truth, coverage: Floats, keep: Collection[str] = (), rules: Rules = Rules()
) -> Verdict:
    """Judge the coverage float32 [n] of the true faces.

    Raises KeyError for people to keep who are not in the clip.
    """
    labelled = truth.labelled[truth.frames]
    counted = (truth.visible >= rules.min_visible) & ~truth.ignore & labelled
    kept = truth.rows_of(keep)
    to_veil = counted & ~kept
    free = counted & kept & ~near_veiled(truth, kept, rules.margin)
    return Verdict(
        coverage=coverage,
        to_veil=to_veil,
        missed=to_veil & (coverage < rules.hit),
        kept=free,
        kept_veiled=free & (coverage > rules.kept_limit),
    )


@dataclass(frozen=True, slots=True)
class Share:
    """`hits` of `faces`."""

    faces: int
    hits: int

    @property
    def recall(self) -> float:
        return self.hits / self.faces if self.faces else 1.0


@dataclass(frozen=True, slots=True)
class KindShares:
    """How the objects of one kind are veiled, which all have to be.

    Attributes
    ----------
    veils : Share
        Objects, counted once in each frame, and those that are veiled.
    longest_run : int
        Frames of the longest uncovered run.
    boxes : Share
        Veils of this kind in labelled frames, and those on an object of it.
    area : Area
        Of the veils of this kind.
    """

    veils: Share
    longest_run: int
    boxes: Share
    area: Area


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """How an output compares with the truth. Faces are counted once in each frame.

    All but `by_kind` is about faces.

    Attributes
    ----------
    veils : Share
        Faces to veil, and those that are veiled.
    by_person, by_size : mapping of str to Share
        The same, by person and by height in pixels.
    bare : int
        Missed faces that are hardly covered at all.
    coverage : float
        Mean covered share of the faces to veil.
    runs : sequence of Run
        Each uncovered run, longest first.
    tracks : Share
        Faces followed through a shot, and those never exposed.
    kept : Share
        Faces of people to keep, and those left visible.
    wrong_kept : int
        Boxes left visible on the face of a person to veil.
    boxes : Share
        Veils in labelled frames, and those on a true face.
    identities : IdentityErrors, optional
        None where the output has no identities.
    area : Area
    jitter : Jitter
    frames : Frames
        The thesis's categories.
    frames_by_person : mapping of str to Frames
    by_kind : mapping of str to KindShares
        Each other kind that the truth labels, by its word.
    """

    veils: Share
    by_person: Mapping[str, Share]
    by_size: Mapping[str, Share]
    bare: int
    coverage: float
    runs: Sequence[Run]
    tracks: Share
    kept: Share
    wrong_kept: int
    boxes: Share
    identities: IdentityErrors | None
    area: Area
    jitter: Jitter
    frames: Frames
    frames_by_person: Mapping[str, Frames]
    by_kind: Mapping[str, KindShares]

    @property
    def recall(self) -> float:
        """The share of faces to veil that are veiled."""
        return self.veils.recall

    @property
    def precision(self) -> float:
        """The share of veils that lie on a face."""
        return self.boxes.recall

    def longest_run(self, min_size: float = 0) -> int:
        """Frames of the longest uncovered run of a face at least `min_size` pixels high."""
        return max((run.frames for run in self.runs if run.size >= min_size), default=0)


def evaluate(
    truth: Truth, output: Output, keep: Collection[str] = (), rules: Rules = Rules()
) -> Evaluation:
    """Compare an output with the truth.

    Parameters
    ----------
    truth : Truth
    output : Output
    keep : collection of str
        People who may stay visible; everyone else must be veiled.
    rules : Rules

    Returns
    -------
    Evaluation

    Raises
    ------
    KeyError
        When a person to keep is not in the clip.
    """
    by_kind = {
        kind.word: _kind_shares(truth.of_kind(kind), output, kind, rules)
        for kind in truth.labelled_kinds
        if kind != Kind.FACE
    }
    asked = [Kind.FACE] if Kind.FACE in truth.labelled_kinds else []
    truth = truth.of_kind(Kind.FACE)
    verdict = judge_coverage(truth, coverage_of_output(truth, output), keep, rules)
    output = output.of_kinds(asked)
    to_veil, missed = verdict.to_veil, verdict.missed
    on_face = match(truth, output.frames, output.boxes, SAME_FACE_IOU)
    counted = _countable(truth, output, on_face)
    exposed = np.unique(truth.track[missed])
    return Evaluation(
        veils=_share(to_veil, missed),
        by_person={
            name: _share(to_veil & mine, missed & mine)
            for name, mine in _each_person(truth)
            if (to_veil & mine).any()
        },
        by_size=_by_size(truth, to_veil, missed),
        bare=int((missed & (verdict.coverage < rules.bare)).sum()),
        coverage=float(verdict.coverage[to_veil].mean()) if to_veil.any() else 1.0,
        runs=runs_of(truth, missed, verdict.coverage),
        tracks=Share(len(np.unique(truth.track[to_veil])), _tracks(truth, to_veil) - len(exposed)),
        kept=_share(verdict.kept, verdict.kept_veiled),
        wrong_kept=_wrong_kept(truth, output, keep),
        boxes=_share(counted, counted & (on_face < 0)),
        identities=_identities(truth, output),
        area=measure_area(truth, output),
        jitter=measure_jitter(truth, output),
        frames=_all_frames(truth, output, verdict, counted & (on_face < 0)),
        frames_by_person={
            name: _frames_of(truth, output, verdict, mine, on_face)
            for name, mine in _each_person(truth)
        },
        by_kind=by_kind,
    )


def _kind_shares(truth: Truth, output: Output, kind: Kind, rules: Rules) -> KindShares:
    """Compare the veils of one kind with its objects; a veil of any kind covers them."""
    verdict = judge_coverage(truth, coverage_of_output(truth, output), rules=rules)
    own = output.of_kinds([kind])
    on_object = match(truth, own.frames, own.boxes, SAME_FACE_IOU)
    counted = _countable(truth, own, on_object)
    runs = runs_of(truth, verdict.missed, verdict.coverage)
    return KindShares(
        veils=_share(verdict.to_veil, verdict.missed),
        longest_run=max((run.frames for run in runs), default=0),
        boxes=_share(counted, counted & (on_object < 0)),
        area=measure_area(truth, own),
    )


def _each_person(truth: Truth) -> list[tuple[str, Bools]]:
    return [(name, truth.person == index) for index, name in enumerate(truth.people)]


def _share(rows: Bools, failed: Bools) -> Share:
    return Share(int(rows.sum()), int((rows & ~failed).sum()))


def _tracks(truth: Truth, rows: Bools) -> int:
    return len(np.unique(truth.track[rows]))


def _by_size(truth: Truth, to_veil: Bools, missed: Bools) -> dict[str, Share]:
    kind = np.searchsorted(SIZE_BOUNDS, sides(truth.boxes)[:, 1], side="right")
    names = [f"under {SIZE_BOUNDS[0]}"]
    names += [f"{low} to {high}" for low, high in pairwise(SIZE_BOUNDS)]
    names += [f"from {SIZE_BOUNDS[-1]}"]
    return {
        name: _share(to_veil & (kind == index), missed & (kind == index))
        for index, name in enumerate(names)
        if (to_veil & (kind == index)).any()
    }


def _countable(truth: Truth, output: Output, on_face: Ints) -> Bools:
    """bool [m]: veils that are right or wrong: in labelled frames, not on ignored faces."""
    in_clip = output.frames < truth.frame_count
    labelled = truth.labelled[np.where(in_clip, output.frames, 0)] & in_clip
    ignored = on_ignored(truth, output.frames, output.boxes)
    ignored &= (on_face < 0) | truth.ignore[on_face] if len(truth) else False
    return np.asarray(output.veiled & labelled & ~ignored)


def _wrong_kept(truth: Truth, output: Output, keep: Collection[str]) -> int:
    left = np.flatnonzero(~output.veiled)
    rows = match(truth, output.frames[left], output.boxes[left])
    to_veil = ~truth.rows_of(keep) & ~truth.ignore & truth.labelled[truth.frames]
    return int(to_veil[rows[rows >= 0]].sum())


def _identities(truth: Truth, output: Output) -> IdentityErrors | None:
    known = output.identity >= 0
    if not known.any():
        return None
    people = truth.select(~truth.ignore & truth.labelled[truth.frames])
    return identity_errors(
        people, output.frames[known], output.boxes[known], output.identity[known]
    )


def _all_frames(truth: Truth, output: Output, verdict: Verdict, on_nothing: Bools) -> Frames:
    wrong = np.concatenate([output.frames[on_nothing], truth.frames[verdict.kept_veiled]])
    return count_frames(
        truth.labelled, truth.frames[verdict.missed], wrong, truth.frames[verdict.to_veil]
    )


def _frames_of(
    truth: Truth, output: Output, verdict: Verdict, mine: Bools, on_face: Ints
) -> Frames:
    """The frames of one person, whose veils are those of sequences mostly on that face."""
    own = np.zeros(len(output), bool)
    followed = output.veiled & (output.sequence >= 0) & (on_face >= 0)
    if len(truth) and followed.any():
        sequence = output.sequence[followed]
        people = len(truth.people)
        votes = np.bincount(
            sequence * people + truth.person[on_face[followed]],
            minlength=(int(output.sequence.max()) + 1) * people,
        ).reshape(-1, people)
        owner = np.where(votes.any(axis=1), votes.argmax(axis=1), -1)
        person = int(truth.person[mine][0]) if mine.any() else -2
        own = output.veiled & (output.sequence >= 0) & (owner[output.sequence] == person)
    absent = np.setdiff1d(output.frames[own], truth.frames[mine])
    wrong = np.concatenate([absent, truth.frames[verdict.kept_veiled & mine]])
    return count_frames(
        truth.labelled,
        truth.frames[verdict.missed & mine],
        wrong,
        truth.frames[verdict.to_veil & mine],
    )
