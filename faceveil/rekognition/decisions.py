"""Who is veiled, by the people that Rekognition reports: the rules of `identity.select`.

Whatever is uncertain is veiled (fail closed). To stay visible under `keep`, each part of a
sequence must match by itself, in most looks; to be veiled under `only`, one look that may match is
enough, for all that Rekognition takes for the same person.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from faceveil.decisions import Decision
from faceveil.errors import UsageError
from faceveil.faces import FaceSequence, Floats, Ints
from faceveil.identity.evidence import RIVAL_MARGIN
from faceveil.identity.select import one_place_at_a_time
from faceveil.identity.templates import MIN_FACE_SIZE, recognisable
from faceveil.rekognition.tracks import Tracks, members_of

SearchMode = Literal["keep", "only"]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Who was searched for, and what is to be done with them.

    Similarities are Rekognition's, as shares (0 to 1) of its percent and no cosines: a face matches
    from `match_similarity` on, and may match from `possible_similarity` on. Raises UsageError for
    similarities that contradict each other.
    """

    names: tuple[str, ...]
    mode: SearchMode = "keep"
    match_similarity: float = 0.95
    possible_similarity: float = 0.80

    def __post_init__(self) -> None:
        if not 0 < self.possible_similarity <= self.match_similarity <= 1:
            raise UsageError(
                f"the similarities {self.match_similarity:.0%} (matches) and "
                f"{self.possible_similarity:.0%} (may match) must lie within 0 and 100 %, and the "
                "second must not be above the first"
            )


def decide_by_similarity(
    sequences: Sequence[FaceSequence], sequence: Ints, tracks: Tracks, wanted: Wanted
) -> tuple[Ints, list[Decision]]:
    """Identity int32 [n] and decision of each finished sequence.

    sequence int32 [m]: to which of them each detection of `tracks` belongs now.
    """
    members = members_of(sequence, len(sequences))
    people = np.array(
        [np.bincount(tracks.identity[rows]).argmax() if len(rows) else -1 for rows in members],
        np.int64,
    )
    if wanted.mode == "only":
        whole = {
            int(person): tracks.similarity[np.isin(sequence, np.flatnonzero(people == person))]
            for person in np.unique(people)
        }
        decisions = [
            _only(item, whole[int(person)], wanted)
            for item, person in zip(sequences, people, strict=True)
        ]
    else:
        decisions = [_keep(tracks.part[rows], tracks.similarity[rows], wanted) for rows in members]
        decisions = one_place_at_a_time(sequences, people, decisions)
    return _by_first_appearance(people), decisions


def _keep(part: Ints, similarity: Floats, wanted: Wanted) -> Decision:
    """part int32 [k] and similarity float32 [k, p] of the looks at one sequence."""
    parts = [similarity[part == number] for number in np.unique(part)]
    weakest = np.min([np.median(rows, axis=0) for rows in parts], axis=0)
    best = int(weakest.argmax())
    if weakest[best] < wanted.match_similarity:
        return _not_accepted(similarity, wanted)
    name, value = wanted.names[best], float(weakest[best])
    rivals = np.delete(similarity.max(axis=0), best)
    if rivals.max(initial=0) >= value - RIVAL_MARGIN:
        other = [person for person in wanted.names if person != name][int(rivals.argmax())]
        reason = (
            f"{name} (similarity {value:.2f}) and {other} ({rivals.max():.2f}) match too evenly "
            "to tell who it is"
        )
        return Decision(True, reason, name, value, uncertain=True)
    reason = f"matches {name}, similarity {value:.2f} (needed {wanted.match_similarity:.2f})"
    return Decision(False, reason, name, value)


def _only(item: FaceSequence, similarity: Floats, wanted: Wanted) -> Decision:
    """similarity float32 [k, p] of all looks at the person of a sequence."""
    typical = np.median(similarity, axis=0) if len(similarity) else np.zeros(len(wanted.names))
    best = int(typical.argmax())
    if typical[best] >= wanted.match_similarity:
        name, value = wanted.names[best], float(typical[best])
        reason = f"matches {name}, similarity {value:.2f} (needed {wanted.match_similarity:.2f})"
        return Decision(True, reason, name, value)
    decision = _not_accepted(similarity, wanted)
    if decision.uncertain:
        return decision
    if not recognisable(item, MIN_FACE_SIZE).any():
        reason = "too small or unclear to rule out that it is one of the selected"
        return Decision(True, reason, uncertain=True)
    return Decision(False, decision.reason)


def _not_accepted(similarity: Floats, wanted: Wanted) -> Decision:
    """Veiled because no person matches well enough; uncertain where one look may match."""
    best: NDArray[np.float32] = similarity.max(axis=0, initial=0)
    person = int(best.argmax())
    if best[person] <= 0:
        return Decision(True, f"matches no reference in {len(similarity)} looks of Rekognition")
    looks = int((similarity[:, person] > 0).sum())
    reason = (
        f"may be {wanted.names[person]}: matches in {looks} of {len(similarity)} looks of "
        f"Rekognition, similarity at most {best[person]:.2f} (needed {wanted.match_similarity:.2f} "
        "in most)"
    )
    return Decision(True, reason, wanted.names[person], float(best[person]), uncertain=True)


def _by_first_appearance(people: NDArray[np.int64]) -> Ints:
    _, first, number = np.unique(people, return_index=True, return_inverse=True)
    rank = np.argsort(np.argsort(first, kind="stable"), kind="stable")
    return rank[number.reshape(-1)].astype(np.int32)
