"""An analysis as the page asks for it: people, sequences and boxes, as columns.

Hours of video hold millions of boxes in some ten thousand sequences. Answers look at columns with
one row a sequence, and at the boxes of only those sequences that are asked for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from operator import is_
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faceveil.analysis import Analysis
from faceveil.assure.risk import FrameRisk
from faceveil.boxes import overlaps
from faceveil.faces import FaceSequence, Floats, Kind, Provenance

Indices = NDArray[np.int64]
PICTURES = 4
"""Pictures of a person at most."""


@dataclass(frozen=True, eq=False)
class SequenceTable:
    """An analysis after corrections, with a row for each sequence.

    Attributes
    ----------
    analysis : Analysis
    names : mapping of int to str
        The names that a person gave to identities.
    objects : mapping of int to str
        The ids of objects drawn by hand, by sequence.
    """

    analysis: Analysis
    names: Mapping[int, str]
    objects: Mapping[int, str]

    @property
    def sequences(self) -> Sequence[FaceSequence]:
        return self.analysis.sequences

    def after(
        self, analysis: Analysis, names: Mapping[int, str], objects: Mapping[int, str]
    ) -> SequenceTable:
        """Return the table after another correction, which changed few of these sequences."""
        twin = SequenceTable(analysis, names, objects)
        old, new = self.sequences, analysis.sequences
        same = np.fromiter(map(is_, old, new), bool, min(len(old), len(new)))
        changed = np.append(np.flatnonzero(~same), np.arange(len(same), len(new)))
        spans = np.zeros((len(new), 3), np.int64)
        spans[: len(same)] = self._spans[: len(same)]
        spans[changed] = _spans_of([new[index] for index in changed.tolist()])
        twin.__dict__["_spans"] = spans
        return twin

    @cached_property
    def _spans(self) -> Indices:
        """int64 [sequences, 3]: the first and the last frame of each, and how many boxes it has."""
        return _spans_of(self.sequences)

    @property
    def first(self) -> Indices:
        """int64 [sequences]: the first frame of each."""
        return self._spans[:, 0]

    @property
    def last(self) -> Indices:
        """int64 [sequences]: the last frame of each."""
        return self._spans[:, 1]

    @property
    def lengths(self) -> Indices:
        """int64 [sequences]: how many boxes each has."""
        return self._spans[:, 2]

    @cached_property
    def veiled(self) -> NDArray[np.bool_]:
        """bool [sequences]."""
        return self.analysis.veiled

    @cached_property
    def uncertain(self) -> NDArray[np.bool_]:
        """bool [sequences]: whether a person should look at the decision."""
        return np.array([item.uncertain for item in self.analysis.decisions], bool)

    @cached_property
    def _people(self) -> tuple[Indices, list[Indices]]:
        """All identities, those with the most frames first, and the sequences of each."""
        order = np.argsort(self.analysis.identities, kind="stable")
        identities, starts = np.unique(self.analysis.identities[order], return_index=True)
        if not len(identities):
            return identities.astype(np.int64), []
        by_frames = np.argsort(-np.add.reduceat(self.lengths[order], starts), kind="stable")
        rows = np.split(order, starts[1:])
        return identities[by_frames].astype(np.int64), [rows[index] for index in by_frames]

    def of_identity(self, identity: int) -> Indices:
        """Return the sequences of an identity, in order of their first frames."""
        rows = np.flatnonzero(self.analysis.identities == identity)
        return np.asarray(rows[np.argsort(self.first[rows], kind="stable")])

    def people(self, offset: int, limit: int, risk: FrameRisk | None) -> dict[str, Any]:
        """Return a page of the people, those seen in the most frames first."""
        identities, rows = self._people
        page = slice(offset, offset + limit)
        return {
            "total": len(identities),
            "people": [
                self._person(identity, of_person, risk)
                for identity, of_person in zip(identities[page].tolist(), rows[page], strict=True)
            ],
        }

    def _person(self, identity: int, rows: Indices, risk: FrameRisk | None) -> dict[str, Any]:
        veiled = self.veiled[rows]
        decision = "mixed" if veiled.any() and not veiled.all() else _word(bool(veiled[0]))
        uncertain = rows[self.uncertain[rows]]
        longest = rows[np.argsort(-self.lengths[rows], kind="stable")]
        spoken = self.analysis.decisions[int(uncertain[0] if len(uncertain) else longest[0])]
        return {
            "identity": identity,
            "name": self.names.get(identity, spoken.person if decision == "keep" else None),
            "decision": decision,
            "uncertain": bool(len(uncertain)),
            "reason": spoken.reason,
            "sequences": len(rows),
            "frames": int(self.lengths[rows].sum()),
            "first": int(self.first[rows].min()),
            "last": int(self.last[rows].max()),
            "kind": _kind(self.sequences[int(longest[0])]),
            "pictures": [
                {**best_picture(self.sequences[row]), "sequence": row}
                for row in longest[:PICTURES].tolist()
            ],
            "risk": _highest(risk, self.first[rows], self.last[rows]),
        }

    def sequences_of(self, identity: int, offset: int, limit: int) -> dict[str, Any]:
        """Return a page of an identity's sequences, in the order of their frames."""
        rows = self.of_identity(identity)
        return {
            "total": len(rows),
            "sequences": [self.sequence(row) for row in rows[offset : offset + limit].tolist()],
        }

    def sequence(self, row: int) -> dict[str, Any]:
        """Return one sequence."""
        item, decision = self.sequences[row], self.analysis.decisions[row]
        counts = np.bincount(item.provenance, minlength=len(Provenance))
        return {
            "sequence": row,
            "identity": int(self.analysis.identities[row]),
            "first": item.first,
            "last": item.last,
            "frames": len(item),
            "shot": item.shot,
            "kind": _kind(item),
            "decision": _word(decision.veil),
            "reason": decision.reason,
            "uncertain": decision.uncertain,
            "provenance": {
                kind.name.lower(): int(counts[kind]) for kind in Provenance if counts[kind]
            },
            "object": self.objects.get(row),
            "picture": best_picture(item),
        }

    def boxes(self, first: int, last: int) -> dict[str, Any]:
        """Return all boxes on the frames first to last (inclusive) as columns, in frame order."""
        rows = np.flatnonzero((self.first <= last) & (self.last >= first))
        parts = []
        for row in rows.tolist():
            item = self.sequences[row]
            start, stop = np.searchsorted(item.frames, [first, last + 1]).tolist()
            parts.append((row, item, slice(start, stop)))
        if not parts:
            return {name: [] for name in _COLUMNS}
        sequences = np.concatenate(
            [np.full(part.stop - part.start, row, np.int32) for row, _, part in parts]
        )
        frames = np.concatenate([item.frames[part] for _, item, part in parts])
        order = np.argsort(frames, kind="stable")
        sequences = sequences[order]
        kinds = np.repeat(
            np.array([item.kind for _, item, _ in parts], np.uint8),
            [part.stop - part.start for _, _, part in parts],
        )
        columns = (
            frames[order],
            np.round(np.concatenate([item.boxes[part] for _, item, part in parts]), 2)[order],
            sequences,
            self.analysis.identities[sequences],
            np.concatenate([item.provenance[part] for _, item, part in parts])[order],
            kinds[order],
            self.veiled[sequences].astype(np.uint8),
            np.concatenate([item.scores[part] for _, item, part in parts])[order],
            [self.objects.get(row) for row in sequences.tolist()],
        )
        return dict(zip(_COLUMNS, map(np.ascontiguousarray, columns[:-1]), strict=False)) | {
            "objects": columns[-1]
        }

    def at(self, frame: int) -> Indices:
        """Return the sequences that have a box on a frame."""
        near = np.flatnonzero((self.first <= frame) & (self.last >= frame)).tolist()
        return np.array([row for row in near if self.sequences[row].box_at(frame) is not None], int)

    def at_box(self, frame: int, box: Floats) -> int | None:
        """Return the sequence whose box on a frame overlaps another best, if any does."""
        rows = self.at(frame)
        if not len(rows):
            return None
        boxes = np.array([self.sequences[row].box_at(frame) for row in rows.tolist()])
        overlap = overlaps(boxes, box[None])[:, 0]
        return int(rows[overlap.argmax()]) if overlap.max() > 0 else None


_COLUMNS = (
    "frames",
    "boxes",
    "sequences",
    "identities",
    "provenance",
    "kinds",
    "veiled",
    "scores",
    "objects",
)


def _spans_of(sequences: Sequence[FaceSequence]) -> Indices:
    spans = [(item.frames[0], item.frames[-1], len(item.frames)) for item in sequences]
    return np.array(spans, np.int64).reshape(-1, 3)


def best_picture(sequence: FaceSequence) -> dict[str, Any]:
    """The frame and box in which a face is seen best: detected surely, and large."""
    heights = sequence.boxes[:, 3] - sequence.boxes[:, 1]
    seen = heights * (0.05 + sequence.scores)
    index = int(seen.argmax())
    return {
        "frame": int(sequence.frames[index]),
        "box": np.round(sequence.boxes[index].astype(np.float64), 2).tolist(),
    }


def _word(veil: bool) -> str:
    return "veil" if veil else "keep"


def _kind(sequence: FaceSequence) -> str:
    return Kind(sequence.kind).word


def _highest(risk: FrameRisk | None, first: Indices, last: Indices) -> float:
    """The highest risk while any of these sequences is seen."""
    if risk is None:
        return 0.0
    # reduceat takes the maximum between each pair of borders; every other one lies between two.
    edges = np.stack([first, last + 1], axis=1).ravel()
    padded = np.append(risk.risk, np.float32(0))
    return round(float(np.maximum.reduceat(padded, edges)[::2].max()), 4)
