"""Which sequences are veiled: all, none, those of selected people, or all but those.

People are selected by photos, by points in the picture and by identity numbers. Whatever is
uncertain is veiled ("fail closed"), so the two directions differ on purpose: to stay visible under
`keep`, a whole identity must match on average and no sequence of it may contradict; to be veiled
under `only`, it is enough that any of its sequences is similar.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from faceveil.boxes import iou
from faceveil.decisions import Decision, Mode, Point, SelectionRecord
from faceveil.errors import UsageError
from faceveil.faces import FaceSequence, Ints, Kind, Provenance
from faceveil.frame_range import FrameRange
from faceveil.identity.evidence import Evidence
from faceveil.identity.overlap import overlapping_pairs
from faceveil.identity.references import References
from faceveil.identity.templates import MIN_FACE_SIZE
from faceveil.identity.thresholds import Thresholds, thresholds_of

SAME_FACE_OVERLAP = 0.3
"""Intersection over union from which two boxes of one frame are around one face."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Who is veiled. References, points and identity numbers may be combined.

    Attributes
    ----------
    mode : {"all", "none", "only", "keep"}
        Veil everyone, no one, only the selected people, or all but the selected people.
    references : References, optional
        People selected by photos.
    points : tuple of Point
        People selected by where they are seen.
    identities : tuple of int
        People selected by the identity numbers of an analysis.
    accept, uncertain : float, optional
        The cosines from which a face matches a reference and from which it may match; between them
        it is veiled and listed for review. None takes the threshold of the recogniser.
    times : tuple of FrameRange
        Ranges of frames in which the selection holds; everyone is veiled outside (`limit.limit`).
        Without any it always holds.

    Raises
    ------
    UsageError
        For a selection that contradicts itself.
    """

    mode: Mode = "all"
    references: References | None = None
    points: tuple[Point, ...] = ()
    identities: tuple[int, ...] = ()
    accept: float | None = None
    uncertain: float | None = None
    times: tuple[FrameRange, ...] = ()

    def __post_init__(self) -> None:
        if self.mode not in get_args(Mode):
            raise UsageError(
                f"mode {self.mode!r} does not exist; use one of {', '.join(get_args(Mode))}"
            )
        selected = bool(
            self.points or self.identities or (self.references and self.references.names)
        )
        if self.mode in ("only", "keep") and not selected:
            raise UsageError(
                f"mode {self.mode!r} needs a person: give a photo, a point or an identity number"
            )
        if self.mode in ("all", "none") and selected:
            raise UsageError(f"mode {self.mode!r} takes no photo, point or identity number")
        if self.mode == "all" and self.times:
            raise UsageError("mode 'all' takes no times: everyone is veiled at all of them")
        _check_thresholds(self.uncertain, self.accept)

    def thresholds(self, recognizer: str | None) -> Thresholds:
        """Return the thresholds given, and the recogniser's own for those left open.

        Raises UsageError where a given threshold contradicts one of the recogniser.
        """
        known = thresholds_of(recognizer)
        accept = known.accept if self.accept is None else self.accept
        uncertain = min(known.uncertain, accept) if self.uncertain is None else self.uncertain
        _check_thresholds(uncertain, accept)
        return replace(known, accept=accept, uncertain=uncertain)

    def record(self, recognizer: str | None) -> SelectionRecord:
        """Return what an analysis keeps of the selection; `recognizer` is that of the analysis."""
        thresholds = self.thresholds(recognizer)
        return SelectionRecord(
            mode=self.mode,
            people=self.references.names if self.references else (),
            points=self.points,
            identities=self.identities,
            accept=thresholds.accept,
            uncertain=thresholds.uncertain,
            times=self.times,
        )


def _check_thresholds(uncertain: float | None, accept: float | None) -> None:
    given = [value for value in (uncertain, accept) if value is not None]
    if not all(low <= high for low, high in pairwise([-1, *given, 1])):
        raise UsageError(
            f"the thresholds accept {accept} and uncertain {uncertain} must lie "
            "between -1 and 1, and uncertain must not be above accept"
        )


def decide_sequences(
    sequences: Sequence[FaceSequence],
    identities: Ints,
    selection: Selection,
    min_face_size: float = MIN_FACE_SIZE,
    recognizer: str | None = None,
) -> list[Decision]:
    """Decide on each sequence, without regard to `selection.times`.

    A selection is of people: objects of other kinds are always veiled.

    Parameters
    ----------
    sequences : sequence of FaceSequence [n]
        Those read from an analysis hold no features; points and identities then decide by identity
        alone.
    identities : ndarray of int32 [n]
    selection : Selection
    min_face_size : float
        Samples of faces with a shorter side, in pixels, are not trusted.
    recognizer : str, optional
        The network that made the features: its thresholds hold where the selection gives none.

    Returns
    -------
    list of Decision [n]

    Raises
    ------
    InputError
        For a point without a face, an identity that does not exist, and references made by another
        recogniser than the features of the sequences.
    """
    faces = [item for item in sequences if item.kind == Kind.FACE]
    if len(faces) < len(sequences):
        chosen = np.array([item.kind == Kind.FACE for item in sequences], bool)
        of_faces = iter(
            decide_sequences(faces, identities[chosen], selection, min_face_size, recognizer)
        )
        return [next(of_faces) if item.kind == Kind.FACE else _other(item) for item in sequences]
    if selection.mode == "all":
        return [Decision(True, "everyone is veiled")] * len(sequences)
    if selection.mode == "none":
        return [Decision(False, "no one is veiled")] * len(sequences)
    thresholds = selection.thresholds(recognizer)
    evidence = Evidence.gather(sequences, identities, selection, thresholds, min_face_size)
    if selection.mode == "only":
        return [evidence.only(i) for i in range(len(sequences))]
    decisions = [evidence.keep(i) for i in range(len(sequences))]
    return one_place_at_a_time(sequences, evidence.identity, decisions)


def _other(item: FaceSequence) -> Decision:
    """What is no face is veiled, whoever is selected."""
    fixed = (item.provenance == Provenance.MANUAL).all()
    return Decision(True, f"{'region' if fixed else item.kind.word}: always veiled")


def one_place_at_a_time(
    sequences: Sequence[FaceSequence], identity: NDArray[np.integer], decisions: list[Decision]
) -> list[Decision]:
    """Veil the less similar of two identities that match one person in one frame ("cannot-link").

    Two boxes around the same face are no contradiction.
    """
    matched = [i for i, decision in enumerate(decisions) if decision.person and not decision.veil]
    for a, b in overlapping_pairs([sequences[i] for i in matched]):
        i, j = sorted((matched[a], matched[b]), key=lambda k: -(decisions[k].similarity or 0))
        first, second = decisions[i], decisions[j]
        apart = identity[i] != identity[j] and first.person == second.person
        if apart and not _same_face(sequences[i], sequences[j]):
            reason = (
                f"matches {second.person} ({second.similarity:.2f}), who is in the same frames "
                f"with a higher similarity ({first.similarity:.2f})"
            )
            decisions[j] = replace(second, veil=True, reason=reason, uncertain=True)
    return decisions


def _same_face(one: FaceSequence, other: FaceSequence) -> bool:
    """Whether the boxes of two sequences overlap on most of the frames that they share."""
    _, a, b = np.intersect1d(one.frames, other.frames, assume_unique=True, return_indices=True)
    return bool(np.median(iou(one.boxes[a], other.boxes[b])) >= SAME_FACE_OVERLAP)
