"""What is known about the people of a video when it is decided who is veiled.

The evidence holds how alike each sequence and each identity is to each reference; its two rules,
`keep` and `only`, differ on purpose: see `identity.select`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from faceveil.decisions import Decision, Point
from faceveil.errors import InputError
from faceveil.faces import FaceSequence, Floats, Ints
from faceveil.identity.points import sequence_at
from faceveil.identity.references import References
from faceveil.identity.templates import Templates, recognisable, sequence_templates
from faceveil.identity.thresholds import Thresholds

if TYPE_CHECKING:
    from faceveil.identity.select import Selection

RIVAL_MARGIN = 0.05
"""How much better the best of two different people must match than the other."""


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """What is known about each sequence and each identity.

    identity int [n] counts identities from 0 in the order of `numbers`. own float32 [n, p] and
    whole float32 [g, p]: similarity of sequences and of whole identities to each person.
    resembles float32 [g], alike int [g]: the best similarity to a selected identity.
    """

    thresholds: Thresholds
    numbers: NDArray[np.int32]
    identity: NDArray[np.intp]
    clicked: dict[int, Point]
    chosen: dict[int, str]
    names: tuple[str, ...]
    own: Floats
    own_known: NDArray[np.bool_]
    whole: Floats
    whole_known: NDArray[np.bool_]
    closest: Floats
    resembles: Floats
    alike: NDArray[np.intp]
    distinct: NDArray[np.bool_]

    @classmethod
    def gather(
        cls,
        sequences: Sequence[FaceSequence],
        identities: Ints,
        selection: Selection,
        thresholds: Thresholds,
        min_face_size: float,
    ) -> Evidence:
        numbers, identity = np.unique(np.asarray(identities, np.int32), return_inverse=True)
        clicked, chosen = _choose(sequences, numbers, identity, selection)
        own = sequence_templates(sequences, min_face_size)
        whole = own.grouped(identity, len(numbers))
        people = _people(selection.references, own)
        names = selection.references.names if selection.references else ()
        own_similarity = own.directions @ people.T
        whole_similarity = whole.directions @ people.T
        closest = whole_similarity.copy()
        np.maximum.at(closest, identity, own_similarity)

        selected = np.zeros(len(numbers), np.bool_)
        selected[list(chosen)] = True
        selected |= (closest >= thresholds.accept).any(axis=1)
        resembles, alike = _resemblance(whole, selected)
        own_known, whole_known = own.known, whole.known
        if not own_known.any() and not len(people):
            own_known = np.array([recognisable(s, min_face_size).any() for s in sequences])
            whole_known = np.bincount(identity, own_known, minlength=len(numbers)) > 0
        return cls(
            thresholds=thresholds,
            numbers=numbers,
            identity=identity,
            clicked=clicked,
            chosen=chosen,
            names=names,
            own=own_similarity,
            own_known=own_known,
            whole=whole_similarity,
            whole_known=whole_known,
            closest=closest,
            resembles=resembles,
            alike=alike,
            distinct=people @ people.T < thresholds.accept,
        )

    def keep(self, i: int) -> Decision:
        """The decision on sequence i when all but the selected are veiled."""
        group = int(self.identity[i])
        if group in self.chosen:
            return self._chosen(i, veil=False)
        if not self.names:
            return Decision(True, "not one of the selected")
        if not self.whole_known[group]:
            return Decision(True, "too small or unclear to be recognised, so it is veiled")
        return self._keep_by_reference(i, group)

    def _keep_by_reference(self, i: int, group: int) -> Decision:
        accept, uncertain = self.thresholds.accept, self.thresholds.uncertain
        best = int(self.whole[group].argmax())
        name, similarity = self.names[best], float(self.whole[group, best])
        if similarity < accept:
            return self._not_accepted(group)
        rival = self._rival(group, best)
        if rival is not None:
            reason = (
                f"{name} (similarity {similarity:.2f}) and {self.names[rival]} "
                f"({self.whole[group, rival]:.2f}) match too evenly to tell who it is"
            )
            return Decision(True, reason, name, similarity, uncertain=True)
        if self.own_known[i] and self.own[i, best] < uncertain:
            own = float(self.own[i, best])
            reason = (
                f"its identity {self.numbers[group]} matches {name} ({similarity:.2f}), but this "
                f"sequence does not (similarity {own:.2f}, uncertain from {uncertain:.2f})"
            )
            return Decision(True, reason, name, own, uncertain=True)
        return Decision(
            False, f"matches {name}, similarity {similarity:.2f} (accept {accept:.2f})",
            name, similarity,
        )  # fmt: skip

    def only(self, i: int) -> Decision:
        """The decision on sequence i when only the selected are veiled."""
        group = int(self.identity[i])
        if group in self.chosen:
            return self._chosen(i, veil=True)
        accept, uncertain = self.thresholds.accept, self.thresholds.uncertain
        if self.names and float(self.closest[group].max()) >= uncertain:
            best = int(self.closest[group].argmax())
            name, similarity = self.names[best], float(self.closest[group, best])
            if similarity >= accept:
                reason = f"matches {name}, similarity {similarity:.2f} (accept {accept:.2f})"
                return Decision(True, reason, name, similarity)
            return self._not_accepted(group)
        if not self.whole_known[group]:
            reason = "too small or unclear to rule out that it is one of the selected"
            return Decision(True, reason, uncertain=True)
        if self.resembles[group] >= uncertain:
            similarity = float(self.resembles[group])
            reason = (
                f"resembles identity {self.numbers[self.alike[group]]}, which is veiled: "
                f"similarity {similarity:.2f} (uncertain from {uncertain:.2f})"
            )
            return Decision(True, reason, None, similarity, uncertain=True)
        return replace(self._not_accepted(group), veil=False)

    def _chosen(self, i: int, veil: bool) -> Decision:
        if i in self.clicked:
            return Decision(veil, f"selected in {self.clicked[i]}")
        return Decision(veil, self.chosen[int(self.identity[i])])

    def _not_accepted(self, group: int) -> Decision:
        """Veiled because no reference matches well enough; uncertain where one may match."""
        if not self.names:
            return Decision(True, "not one of the selected")
        best = int(self.closest[group].argmax())
        name, similarity = self.names[best], float(self.closest[group, best])
        accept, uncertain = self.thresholds.accept, self.thresholds.uncertain
        if similarity >= accept:
            reason = (
                f"may be {name}: a sequence of identity {self.numbers[group]} matches "
                f"({similarity:.2f}), all of them together do not "
                f"({self.whole[group, best]:.2f}, accept {accept:.2f})"
            )
            return Decision(True, reason, name, similarity, uncertain=True)
        if similarity >= uncertain:
            reason = (
                f"may be {name}: similarity {similarity:.2f} "
                f"(uncertain from {uncertain:.2f}, accept {accept:.2f})"
            )
            return Decision(True, reason, name, similarity, uncertain=True)
        reason = f"matches no reference, best similarity {similarity:.2f} (accept {accept:.2f})"
        return Decision(True, reason, None, similarity)

    def _rival(self, group: int, best: int) -> int | None:
        """Another, different person that matches about as well as the best one."""
        scores = np.where(self.distinct[best], self.whole[group], -np.inf)
        rival = int(scores.argmax())
        close = scores[rival] >= self.whole[group, best] - RIVAL_MARGIN
        return rival if close else None


def _choose(
    sequences: Sequence[FaceSequence],
    numbers: NDArray[np.int32],
    identity: NDArray[np.intp],
    selection: Selection,
) -> tuple[dict[int, Point], dict[int, str]]:
    """The sequences at the points, and the selected identities with the reason.

    Identities are given by their place in `numbers`.
    """
    unknown = sorted(set(selection.identities) - set(numbers.tolist()))
    if unknown:
        existing = ", ".join(map(str, numbers.tolist())) or "none"
        raise InputError(f"there is no identity {unknown[0]}; those of this video are: {existing}")
    chosen = {
        int(np.searchsorted(numbers, number)): f"identity {number} is selected"
        for number in selection.identities
    }
    clicked = {sequence_at(point, sequences): point for point in selection.points}
    for index, point in clicked.items():
        group = int(identity[index])
        chosen[group] = f"the same person (identity {numbers[group]}) as selected in {point}"
    return clicked, chosen


def _people(references: References | None, own: Templates) -> Floats:
    """float32 [p, D]: one direction per person, in the feature space of the sequences."""
    size = own.sums.shape[1]
    if references is None or not references.names:
        return np.zeros((0, size), np.float32)
    if not size:
        return np.zeros((len(references.names), 0), np.float32)
    if references.features.shape[1] != size:
        raise InputError(
            f"the reference photos have features of length {references.features.shape[1]}, the "
            f"video of length {size}: use the same recogniser for both"
        )
    return references.templates


def _resemblance(whole: Templates, selected: NDArray[np.bool_]) -> tuple[Floats, NDArray[np.intp]]:
    """For each identity the highest similarity to a selected one, and which: float32, int [g]."""
    sources = np.flatnonzero(selected & whole.known)
    if not len(sources):
        return np.full(len(whole.weights), -1, np.float32), np.zeros(len(whole.weights), np.intp)
    directions = whole.directions
    similarity = directions @ directions[sources].T
    best = similarity.argmax(axis=1)
    return similarity[np.arange(len(best)), best], sources[best]
