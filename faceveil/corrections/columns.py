"""The sequences of an analysis as corrections change them: found by place, cut, added."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from faceveil.analysis import Analysis
from faceveil.boxes import iou
from faceveil.corrections.entries import BoxAt, Target
from faceveil.corrections.owners import NONE, Owners
from faceveil.decisions import Decision
from faceveil.faces import DetectionLog, FaceSequence, Floats, Ints
from faceveil.frame_range import LAST_FRAME, FrameRange
from faceveil.identity.limit import split_at
from faceveil.identity.select import SAME_FACE_OVERLAP

_NO_DETECTIONS = DetectionLog(
    np.zeros(0, np.int32), np.zeros((0, 4), np.float32), np.zeros(0, np.int32)
)


class UnresolvedError(Exception):
    """A correction that cannot be applied to this analysis."""


class Columns:
    """Sequences with their identities, decisions and objects. A number stays that of its sequence.

    Attributes
    ----------
    sequences : list of FaceSequence
        Those that were removed have no box.
    identities : list of int
    decisions : list of Decision
    objects : list of (str or None)
        The object drawn by hand that each is.
    """

    def __init__(self, analysis: Analysis) -> None:
        self._analysis = analysis
        self.sequences = list(analysis.sequences)
        self.identities: list[int] = analysis.identities.tolist()
        self.decisions = list(analysis.decisions)
        self.objects: list[str | None] = [None] * len(self.sequences)
        self._owners = Owners(analysis.detections)
        self._firsts = [item.first for item in self.sequences]
        self._lasts = [item.last for item in self.sequences]

    def copy(self) -> Columns:
        """Return columns that change apart from these; what is not changed is shared."""
        twin = Columns.__new__(Columns)
        twin._analysis, twin._owners = self._analysis, self._owners.copy()
        twin.sequences, twin.identities = self.sequences.copy(), self.identities.copy()
        twin.decisions, twin.objects = self.decisions.copy(), self.objects.copy()
        twin._firsts, twin._lasts = self._firsts.copy(), self._lasts.copy()
        return twin

    def result(self) -> tuple[Analysis, tuple[str | None, ...]]:
        """Return the analysis without what was removed, and the objects of its sequences."""
        identities = np.array(self.identities, np.int32)
        if min(self._lasts, default=0) >= 0:
            analysis = replace(
                self._analysis,
                sequences=self.sequences.copy(),
                identities=identities,
                decisions=self.decisions.copy(),
                detections=self._owners.log_of(None),
            )
            return analysis, tuple(self.objects)
        present = [index for index, last in enumerate(self._lasts) if last >= 0]
        numbers = np.full(len(self.sequences) + 1, NONE, np.int32)
        numbers[present] = np.arange(len(present))
        analysis = replace(
            self._analysis,
            sequences=[self.sequences[index] for index in present],
            identities=identities[present],
            decisions=[self.decisions[index] for index in present],
            detections=self._owners.log_of(numbers),
        )
        return analysis, tuple(self.objects[index] for index in present)

    def pieces(self, target: Target, first: int | None, last: int | None) -> list[int]:
        """The sequences of a target, cut to a range of frames."""
        members = self.members(target, first, last)
        if first is None and last is None:
            return members
        low, high = first or 0, LAST_FRAME - 1 if last is None else last
        pieces = [self.cut(index, low, high) for index in members]
        return [piece for piece in pieces if piece is not None]

    def members(self, target: Target, first: int | None, last: int | None) -> list[int]:
        """The sequences of a target; of an object, which may reach over shots, those in a range of
        frames before all others. Raises UnresolvedError where there are none."""
        if target.object is not None:
            found = [
                index
                for index, name in enumerate(self.objects)
                if name == target.object and len(self.sequences[index])
            ]
            if not found:
                raise UnresolvedError(f"there is no object {target.object!r}")
            low, high = first or 0, LAST_FRAME if last is None else last
            near = [
                index
                for index in found
                if self.sequences[index].first <= high and self.sequences[index].last >= low
            ]
            return near or found
        if target.sequence is not None:
            return [self.sequence(target.sequence)]
        assert target.identity is not None
        return self.of_identity(self.identity(target.identity))

    def cut(self, index: int, first: int, last: int) -> int | None:
        """Cut a sequence before `first` and after `last`. Returns the part between, if any."""
        sequence = self.sequences[index]
        if sequence.last < first or sequence.first > last:
            return None
        if sequence.first >= first and sequence.last <= last:
            return index
        parts = split_at([sequence], _NO_DETECTIONS, [FrameRange(first, last + 1)])
        numbers = [index]
        self.put(index, parts.sequences[0])
        numbers += [
            self.append(part, self.identities[index], self.decisions[index], self.objects[index])
            for part in parts.sequences[1:]
        ]
        rows = self._owners.rows_of(index)
        frames = self._owners.log.frames[rows]
        starts = np.array([part.first for part in parts.sequences])
        part = (np.searchsorted(starts, frames, side="right") - 1).clip(min=0)
        # A detection beyond the border of its part is of none, and so always veiled.
        inside = (frames >= first) & (frames <= last)
        owners = np.where(inside == parts.within[part], np.array(numbers)[part], NONE)
        self._owners.give(rows, index, owners)
        within = np.flatnonzero(parts.within)
        return numbers[int(within[0])] if len(within) else None

    def append(
        self, sequence: FaceSequence, identity: int, decision: Decision, name: str | None
    ) -> int:
        """Add a sequence. Returns its number."""
        self.sequences.append(sequence)
        self.identities.append(identity)
        self.decisions.append(decision)
        self.objects.append(name)
        self._firsts.append(sequence.first)
        self._lasts.append(sequence.last)
        return len(self.sequences) - 1

    def put(self, index: int, sequence: FaceSequence) -> None:
        """Put a sequence in the place of one."""
        self.sequences[index] = sequence
        is_empty = not len(sequence)
        self._firsts[index] = LAST_FRAME if is_empty else sequence.first
        self._lasts[index] = -1 if is_empty else sequence.last

    def of_identity(self, number: int) -> list[int]:
        """The sequences of an identity."""
        return [
            index
            for index, item in enumerate(self.identities)
            if item == number and self._lasts[index] >= 0
        ]

    def beside(self, index: int, frames: Ints) -> NDArray[np.bool_]:
        """bool [n]: in which frames other sequences of the same identity have a box."""
        others = [item for item in self.of_identity(self.identities[index]) if item != index]
        taken = [self.sequences[item].frames for item in others]
        return np.isin(frames, np.concatenate([np.zeros(0, np.int32), *taken]))

    def identity(self, place: BoxAt) -> int:
        """The identity of the sequence at a place."""
        return int(self.identities[self.sequence(place)])

    def sequence(self, place: BoxAt) -> int:
        """The sequence whose box overlaps a place most. Raises UnresolvedError without any."""
        first, last = np.array(self._firsts, np.int32), np.array(self._lasts, np.int32)
        box = np.array(place.box, np.float32)
        best, found = SAME_FACE_OVERLAP, None
        for index in np.flatnonzero((first <= place.frame) & (last >= place.frame)).tolist():
            at = self.sequences[index].box_at(place.frame)
            if at is not None and (overlap := float(iou(at[None], box[None])[0])) >= best:
                best, found = overlap, index
        if found is None:
            x1, y1, x2, y2 = place.box
            raise UnresolvedError(
                f"nothing is followed in frame {place.frame} at "
                f"({x1:.0f}, {y1:.0f})-({x2:.0f}, {y2:.0f})"
            )
        return found

    def own_detections(self, index: int) -> None:
        """Give a sequence that is shown the detections of no sequence in its place, which would
        have to be veiled."""
        rows = self._owners.rows_between(NONE, self._firsts[index], self._lasts[index])
        if not len(rows):
            return
        sequence, log = self.sequences[index], self._owners.log
        place = np.searchsorted(sequence.frames, log.frames[rows]).clip(max=len(sequence) - 1)
        same = sequence.frames[place] == log.frames[rows]
        same &= iou(sequence.boxes[place], log.boxes[rows]) >= SAME_FACE_OVERLAP
        if same.any():
            rows = rows[same]
            self._owners.give(rows, NONE, np.full(len(rows), index, np.int32))

    def covering(self, index: int, drawn: FaceSequence) -> Floats:
        """The drawn boxes [n, 4], grown to hold what was detected of a sequence in their frames."""
        log, grown = self._owners.log, drawn.boxes.copy()
        rows = self._owners.rows_between(index, drawn.first, drawn.last)
        place = np.searchsorted(drawn.frames, log.frames[rows]).clip(max=len(drawn) - 1)
        hit = drawn.frames[place] == log.frames[rows]
        np.minimum.at(grown[:, :2], place[hit], log.boxes[rows[hit], :2])
        np.maximum.at(grown[:, 2:], place[hit], log.boxes[rows[hit], 2:])
        return grown

    def detected_frames(self, index: int) -> Ints:
        """The frames in which a sequence was detected."""
        return self._owners.log.frames[self._owners.rows_of(index)]

    @property
    def end(self) -> int:
        """How many frames there are."""
        return self._analysis.source.frame_count

    def shots_of(self, frames: Ints) -> Ints:
        """The shot of each frame, int32 [n]."""
        number = np.searchsorted(self._analysis.shot_starts, frames, side="right") - 1
        return np.asarray(number.clip(min=0), np.int32)
