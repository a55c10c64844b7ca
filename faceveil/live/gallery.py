"""The people of a run: who was seen before, until they are forgotten. In memory only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from faceveil.faces import FaceSequence, Floats, Ints, Kind
from faceveil.identity.overlap import overlapping_pairs
from faceveil.identity.templates import sequence_templates
from faceveil.identity.thresholds import thresholds_of

MOST_SAMPLES = 64
"""Samples of a person's feature that are remembered; of more, every other one is dropped."""


@dataclass(slots=True, eq=False, repr=False)
class _Person:
    """One person: samples of her face from frames that have left, and when she was last seen."""

    memory: FaceSequence | None
    seen: float


class Gallery:
    """Gives the tracks of successive windows the number of their person.

    Two tracks in one frame are two people ("cannot-link"). Features stay in memory, and are
    forgotten with their person.

    Parameters
    ----------
    forget
        Seconds out of sight after which a person is forgotten.
    """

    def __init__(self, forget: float) -> None:
        self._forget = forget
        self._people: dict[int, _Person] = {}
        self._person_of: dict[int, int] = {}
        self._next = 0

    def __len__(self) -> int:
        return len(self._people)

    @property
    def people(self) -> frozenset[int]:
        """The numbers of those who are remembered."""
        return frozenset(self._people)

    def identify(
        self,
        sequences: Sequence[FaceSequence],
        tracks: Sequence[int],
        recognizer: str | None,
        now: float,
    ) -> list[int]:
        """Return the person of each sequence, numbered from 0 through the run.

        A track keeps its person as long as its face does not contradict what is remembered of her:
        a track that has gone over to another face is that of another person, and loses what was
        chosen for the first. A new track is the known person it is most like, from the recogniser's
        threshold on, unless she is in the same frames; else it is a new person.
        """
        thresholds = thresholds_of(recognizer)
        self._person_of = {
            track: person for track, person in self._person_of.items() if track in set(tracks)
        }
        apart = _apart(sequences)
        templates = sequence_templates(sequences)
        means, directions, known = templates.means, templates.directions, templates.known
        for row in np.flatnonzero(known).tolist():
            if sequences[row].kind != Kind.FACE:
                continue
            known_as = self._person_of.get(tracks[row])
            if known_as is not None and self._may_be(
                known_as, directions[row], thresholds.uncertain
            ):
                continue
            present = {known_as, *(self._person_of.get(tracks[other]) for other in apart[row])}
            person = self._most_like(means[row], present, thresholds.merge)
            self._person_of[tracks[row]] = self._new() if person is None else person
        identities = []
        for track in tracks:
            if track not in self._person_of:  # never seen clearly so far
                self._person_of[track] = self._new()
            person = self._person_of[track]
            self._people.setdefault(person, _Person(None, now)).seen = now
            identities.append(person)
        self._people = {
            number: person
            for number, person in self._people.items()
            if now - person.seen <= self._forget
        }
        return identities

    def remember(
        self, sequences: Sequence[FaceSequence], identities: Sequence[int], first: int, before: int
    ) -> None:
        """Remember the samples of the sequences' features from frames before the window's `before`.

        `first` is the number of the window's first frame.
        """
        for sequence, number in zip(sequences, identities, strict=True):
            person = self._people.get(number)
            if person is None or not sequence.features.size:
                continue
            last = -1 if person.memory is None else person.memory.last
            new = (sequence.feature_frames < before) & (sequence.feature_frames + first > last)
            new &= np.isin(sequence.feature_frames, sequence.frames)
            if new.any():
                person.memory = _joined(person.memory, _samples(sequence, new, first))

    def memories(
        self, identities: Sequence[int], first: int
    ) -> tuple[list[FaceSequence], list[int]]:
        """What is remembered of these people from before the frame `first`, and their numbers.

        The frames count from `first` as well, so they are negative.
        """
        memories, numbers = [], []
        for number in dict.fromkeys(identities):
            memory = self._people[number].memory
            if memory is not None and memory.first < first:
                rows = np.flatnonzero(memory.frames < first)
                memories.append(_shifted(memory, rows, first))
                numbers.append(number)
        return memories, numbers

    def _new(self) -> int:
        self._next += 1
        return self._next - 1

    def _may_be(self, person: int, direction: Floats, uncertain: float) -> bool:
        """Whether nothing that is remembered of a person contradicts a face."""
        known = self._people.get(person)
        if known is None or known.memory is None:
            return True
        templates = sequence_templates([known.memory])
        if not templates.known[0] or templates.directions.shape[1] != len(direction):
            return True
        return float(templates.directions[0] @ direction) >= uncertain

    def _most_like(self, mean: Floats, present: set[int | None], merge: float) -> int | None:
        known = [
            (number, person.memory)
            for number, person in self._people.items()
            if number not in present and person.memory is not None
        ]
        if not known:
            return None
        means = sequence_templates([memory for _, memory in known]).means
        if means.shape[1] != len(mean):
            return None
        similarity = means @ mean
        best = int(similarity.argmax())
        return known[best][0] if similarity[best] >= merge else None


def _apart(sequences: Sequence[FaceSequence]) -> list[set[int]]:
    """The sequences that share a frame with each."""
    apart: list[set[int]] = [set() for _ in sequences]
    for one, other in overlapping_pairs(sequences).tolist():
        apart[one].add(other)
        apart[other].add(one)
    return apart


def _samples(sequence: FaceSequence, new: np.ndarray, first: int) -> FaceSequence:
    """The frames of these samples alone, numbered through the run."""
    frames: Ints = sequence.feature_frames[new]
    order = np.argsort(frames)
    rows = np.searchsorted(sequence.frames, frames[order])
    return FaceSequence(
        frames=frames[order] + np.int32(first),
        boxes=sequence.boxes[rows],
        scores=sequence.scores[rows],
        provenance=sequence.provenance[rows],
        feature_frames=frames[order] + np.int32(first),
        feature_quality=sequence.feature_quality[new][order],
        features=sequence.features[new][order],
    )


def _joined(memory: FaceSequence | None, more: FaceSequence) -> FaceSequence:
    if memory is None:
        return more
    frames = np.concatenate([memory.frames, more.frames])
    rows = slice(None, None, 2 if len(frames) > MOST_SAMPLES else 1)
    return FaceSequence(
        frames=frames[rows],
        boxes=np.concatenate([memory.boxes, more.boxes])[rows],
        scores=np.concatenate([memory.scores, more.scores])[rows],
        provenance=np.concatenate([memory.provenance, more.provenance])[rows],
        feature_frames=frames[rows],
        feature_quality=np.concatenate([memory.feature_quality, more.feature_quality])[rows],
        features=np.concatenate([memory.features, more.features])[rows],
    )


def _shifted(memory: FaceSequence, rows: np.ndarray, first: int) -> FaceSequence:
    frames = memory.frames[rows] - np.int32(first)
    return FaceSequence(
        frames=frames,
        boxes=memory.boxes[rows],
        scores=memory.scores[rows],
        provenance=memory.provenance[rows],
        feature_frames=frames,
        feature_quality=memory.feature_quality[rows],
        features=memory.features[rows],
    )
