"""Corrections applied to an analysis: a pure function, which makes a new analysis.

The policies hold after it, too. Only `Decide` to keep, `Remove` and `Reference` uncover a detected
face; nothing else does, whatever it says: what is moved to a person who stays visible stays veiled
until that is decided, and a box that is moved still covers what was detected in its place. No
sequence crosses a shot transition, and no two faces of one frame become one person.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from faceveil.analysis import Analysis
from faceveil.corrections.columns import Columns, UnresolvedError
from faceveil.corrections.document import Corrections
from faceveil.corrections.drawn import drawn_boxes, rows_of
from faceveil.corrections.entries import (
    BoxAt,
    Decide,
    Draw,
    Entry,
    Extent,
    Join,
    Looked,
    Move,
    Name,
    Reference,
    Remove,
    Shape,
    Split,
    Target,
)
from faceveil.decisions import Decision
from faceveil.faces import FaceSequence, Provenance
from faceveil.frame_range import LAST_FRAME, FrameRange
from faceveil.identity.overlap import overlapping_pairs

RECENT, SPARSE = 16, 32
"""Which states of a review are kept, so that a change or its undoing is applied at once."""


@dataclass(frozen=True, slots=True, eq=False)
class Corrected:
    """An analysis with corrections applied.

    Attributes
    ----------
    analysis : Analysis
    names : dict of int to str
        Names that were given to identities.
    objects : tuple of (str or None)
        For each sequence the object drawn by hand that it is.
    looked : tuple of FrameRange
        What a person looked at.
    unresolved : tuple of (Entry, str)
        Entries that could not be applied, and why: they change nothing.
    """

    analysis: Analysis
    names: dict[int, str]
    objects: tuple[str | None, ...]
    looked: tuple[FrameRange, ...]
    unresolved: tuple[tuple[Entry, str], ...]

    @property
    def unapplied(self) -> tuple[str, ...]:
        """The entries that could not be applied and why, as texts for people."""
        return tuple(f"{entry.id}, {entry.op}: {reason}" for entry, reason in self.unresolved)


def apply_corrections(analysis: Analysis, corrections: Corrections) -> Corrected:
    """Apply the corrections that hold, in their order.

    Parameters
    ----------
    analysis : Analysis
        Of the input that was corrected; it may be a new one.
    corrections : Corrections

    Returns
    -------
    Corrected

    Raises
    ------
    InputError
        Where the corrections are of another input.
    """
    return Applier(analysis).apply(corrections)


class Applier:
    """Applies the corrections of one analysis again and again, while a person makes them.

    The result is that of `apply_corrections`. What the corrections share with those applied last
    is not applied again, as far as the states in between are kept: the last `RECENT`, and of the
    older ones every `SPARSE`-th.

    Parameters
    ----------
    analysis : Analysis
    """

    def __init__(self, analysis: Analysis) -> None:
        self._source = analysis.source
        self._applied: tuple[Entry, ...] = ()
        self._states = {0: _Application(Columns(analysis))}
        """By how many of `_applied` they hold."""

    def apply(self, corrections: Corrections) -> Corrected:
        """Apply the corrections that hold; see `apply_corrections`."""
        source = self._source
        corrections.check_input(source.digest, source.name, source.frame_count)
        active = corrections.active
        shared = _shared(self._applied, active)
        self._states = {count: item for count, item in self._states.items() if count <= shared}
        self._applied = active
        done = max(self._states)
        state = self._states[done]
        for count, entry in enumerate(active[done:], done + 1):
            if count - 1 in self._states:
                state = state.copy()
            state.apply(entry)
            if count % SPARSE == 0 or count > len(active) - RECENT:
                self._states[count] = state
        self._states = {
            count: item
            for count, item in self._states.items()
            if count % SPARSE == 0 or count > len(active) - RECENT
        }
        return state.result()


def _shared(ones: Sequence[Entry], others: Sequence[Entry]) -> int:
    """How many entries both begin with."""
    pairs = enumerate(zip(ones, others, strict=False))
    return next((n for n, (a, b) in pairs if a is not b), min(len(ones), len(others)))


class _Application:
    """Entries as they are applied one after the other."""

    def __init__(self, columns: Columns) -> None:
        self._columns = columns
        self._names: dict[int, str] = {}
        self._looked: list[FrameRange] = []
        self._unresolved: list[tuple[Entry, str]] = []

    def copy(self) -> _Application:
        """Return a state that goes on apart from this one."""
        twin = _Application(self._columns.copy())
        twin._names, twin._looked = self._names.copy(), self._looked.copy()
        twin._unresolved = self._unresolved.copy()
        return twin

    def result(self) -> Corrected:
        analysis, objects = self._columns.result()
        return Corrected(
            analysis, self._names.copy(), objects, tuple(self._looked), tuple(self._unresolved)
        )

    def apply(self, entry: Entry) -> None:
        """Apply one entry, or note why it cannot be applied."""
        try:
            self._change(entry)
        except UnresolvedError as error:
            self._unresolved.append((entry, str(error)))

    def _change(self, entry: Entry) -> None:
        """Raises UnresolvedError where the entry finds nothing to apply to."""
        match entry.change:
            case Decide(target, decision, first, last):
                self._decide(self._columns.pieces(target, first, last), decision == "keep", entry)
            case Remove(target, first, last):
                self._remove(self._columns.pieces(target, first, last), entry)
            case Name(identity, name):
                self._names[self._columns.identity(identity)] = name
            case Join((one, other)):
                self._join(self._columns.identity(one), self._columns.identity(other))
            case Move(sequence, identity):
                self._move(self._columns.sequence(sequence), identity)
            case Split(sequence, frame):
                self._columns.cut(self._columns.sequence(sequence), frame, LAST_FRAME - 1)
            case Draw():
                self._draw(entry.change, entry)
            case Shape(target, keyframes, first, last, tracked):
                self._shape(target, drawn_boxes(keyframes, tracked, first, last, self._columns.end))
            case Extent(target, first, last):
                self._extend(self._columns.members(target, first, last)[0], first, last)
            case Reference(identity, _, _, matched):
                self._refer(self._columns.identity(identity), matched, entry)
            case Looked(first, last):
                self._looked.append(FrameRange(first, last + 1))

    def _decide(self, pieces: Iterable[int], keep: bool, entry: Entry) -> None:
        word = "kept" if keep else "veiled"
        for index in pieces:
            reason = f"{word} by {_by(entry)}" + (f": {entry.why}" if entry.why else "")
            person = self._columns.decisions[index].person
            self._columns.decisions[index] = Decision(not keep, reason, person, by=_by(entry))
            if keep:
                self._columns.own_detections(index)

    def _remove(self, pieces: Iterable[int], entry: Entry) -> None:
        for index in pieces:
            if self._columns.objects[index] is not None:
                self._columns.put(
                    index, rows_of(self._columns.sequences[index], np.zeros(0, np.intp))
                )
            else:
                reason = f"veil removed by {_by(entry)}: {entry.why}"
                self._columns.decisions[index] = Decision(False, reason, by=_by(entry))
                self._columns.own_detections(index)

    def _join(self, one: int, other: int) -> None:
        if one != other:
            self._give(self._columns.of_identity(other), one)
            name = self._names.pop(other, None)
            if name is not None:
                self._names.setdefault(one, name)

    def _move(self, index: int, identity: BoxAt | None) -> None:
        if identity is None:
            self._columns.identities[index] = max(self._columns.identities) + 1
        elif (number := self._columns.identity(identity)) != self._columns.identities[index]:
            self._give([index], number)

    def _give(self, indices: list[int], identity: int) -> None:
        """Make sequences those of an identity. They are veiled where any of it is: what stays
        visible is decided, never inherited."""
        others = self._columns.of_identity(identity)
        self._check_apart(indices, others)
        veiled = any(self._columns.decisions[index].veil for index in others)
        for index in indices:
            self._columns.identities[index] = identity
            if veiled and not self._columns.decisions[index].veil:
                reason = "moved to a person who is veiled"
                self._columns.decisions[index] = replace(
                    self._columns.decisions[index], veil=True, reason=reason
                )

    def _refer(self, identity: int, matched: tuple[BoxAt, ...], entry: Entry) -> None:
        kept = not any(
            self._columns.decisions[index].veil for index in self._columns.of_identity(identity)
        )
        for place in matched:
            index = self._columns.sequence(place)
            others = [item for item in self._columns.of_identity(identity) if item != index]
            try:
                self._check_apart([index], others)
            except UnresolvedError as error:
                self._unresolved.append((entry, str(error)))
                continue
            self._columns.identities[index] = identity
            if kept:
                self._decide([index], keep=True, entry=entry)

    def _check_apart(self, ones: list[int], others: list[int]) -> None:
        """Two faces in one frame are two people ("cannot-link")."""
        members = [*ones, *others]
        for a, b in overlapping_pairs([self._columns.sequences[index] for index in members]):
            if (a < len(ones)) != (b < len(ones)):
                both = np.intersect1d(
                    self._columns.sequences[members[a]].frames,
                    self._columns.sequences[members[b]].frames,
                )
                raise UnresolvedError(f"both are seen in frame {both[0]}, so they are two people")

    def _draw(self, change: Draw, entry: Entry) -> None:
        drawn = drawn_boxes(
            change.keyframes, change.tracked, change.first, change.last, self._columns.end
        )
        if drawn is None:
            raise UnresolvedError("all of it lies beyond the end of the video")
        shots = self._columns.shots_of(drawn.frames)
        identity = max(self._columns.identities, default=-1) + 1
        for shot in np.unique(shots).tolist():
            part = rows_of(drawn, np.flatnonzero(shots == shot))
            self._columns.append(
                replace(part, shot=int(shot), kind=change.kind),
                identity,
                Decision(True, f"drawn by {_by(entry)}", by=_by(entry)),
                change.object,
            )

    def _shape(self, target: Target, drawn: FaceSequence | None) -> None:
        """Put boxes in the place of those of a sequence, within its shot; a detected face stays
        covered."""
        if drawn is None:
            raise UnresolvedError("all of it lies beyond the end of the video")
        index = self._columns.members(target, drawn.first, drawn.last)[0]
        self._columns.own_detections(index)
        sequence = self._columns.sequences[index]
        drawn = rows_of(
            drawn, np.flatnonzero(self._columns.shots_of(drawn.frames) == sequence.shot)
        )
        if not len(drawn):
            raise UnresolvedError("all of it lies in another shot")
        rest = rows_of(sequence, np.flatnonzero(~np.isin(sequence.frames, drawn.frames)))
        shaped = rest.with_boxes(
            drawn.frames, self._columns.covering(index, drawn), Provenance.TRACKED
        )
        manual = drawn.frames[drawn.provenance == Provenance.MANUAL]
        origins = np.where(
            np.isin(shaped.frames, manual), Provenance.MANUAL, shaped.provenance
        ).astype(np.uint8)
        self._columns.put(index, replace(shaped, provenance=origins))
        if self._columns.beside(index, drawn.frames).any():
            # A drawn veil always holds; of another sequence's person it cannot be there.
            self._columns.identities[index] = max(self._columns.identities) + 1

    def _extend(self, index: int, first: int, last: int) -> None:
        """Set both ends. Frames with a detected face stay; new ones hold the nearest box."""
        self._columns.own_detections(index)
        sequence = self._columns.sequences[index]
        stays = (sequence.frames >= first) & (sequence.frames <= last)
        stays |= np.isin(sequence.frames, self._columns.detected_frames(index))
        if not stays.any():
            raise UnresolvedError(f"nothing of it lies in frames {first}-{last}")
        kept = rows_of(sequence, np.flatnonzero(stays))
        missing = np.arange(first, min(last, self._columns.end - 1) + 1, dtype=np.int32)
        missing = missing[(missing < kept.first) | (missing > kept.last)]
        missing = missing[self._columns.shots_of(missing) == sequence.shot]
        missing = missing[~self._columns.beside(index, missing)]
        nearest = np.where(missing < kept.first, 0, len(kept) - 1)
        reaching = kept.with_boxes(missing, kept.boxes[nearest], Provenance.TRACKED)
        # Of the new boxes a person set the ends; a box moved later changes those before it, too.
        is_end = np.isin(reaching.frames, missing) & np.isin(reaching.frames, (first, last))
        origins = np.where(is_end, Provenance.MANUAL, reaching.provenance).astype(np.uint8)
        self._columns.put(index, replace(reaching, provenance=origins))


def _by(entry: Entry) -> str:
    return entry.by or "hand"
