"""Which boxes are veiled on which frame, in columns that hold hours of video."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from faceveil.faces import FaceSequence, Floats, Ints, Kind, Provenance

_DRAWN = (Provenance.TRACKED, Provenance.MANUAL)


@dataclass(frozen=True, slots=True, eq=False)
class PlannedBoxes:
    """The boxes of one frame, as columns.

    Attributes
    ----------
    boxes : ndarray of float32 [m, 4]
        Pixels of the upright frame.
    seeds : ndarray of int64 [m]
        Seeds of their noise.
    provenance : ndarray of uint8 [m]
    sequence : ndarray of int32 [m]
        The sequence of each box.
    kept : ndarray of float32 [k, 4]
        The boxes of faces that stay visible on the frame.
    kinds : ndarray of uint8 [m]
        The `Kind` of each box.
    """

    boxes: Floats
    seeds: NDArray[np.int64]
    provenance: NDArray[np.uint8]
    sequence: Ints
    kept: Floats
    kinds: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.boxes)


class FramePlans(Protocol):
    """What is to be veiled on each frame: `VeilPlan`, or that of one frame alone."""

    @property
    def whole_seed(self) -> int:
        """Seed of the noise of frames that are veiled whole."""
        ...

    def at(self, frame: int) -> PlannedBoxes:
        """Return the boxes planned on a frame, in the order of their sequences."""
        ...

    def whole(self, frame: int) -> bool:
        """Return whether the frame is veiled whole."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class VeilPlan:
    """All boxes to veil, sorted by frame, as columns.

    Attributes
    ----------
    frames : ndarray of int32 [n]
    boxes : ndarray of float32 [n, 4]
        Pixels of the upright frame.
    provenance : ndarray of uint8 [n]
    sequence : ndarray of int32 [n]
    seeds : ndarray of int64 [sequences]
        Seeds of the noise of each sequence.
    kinds : ndarray of uint8 [sequences]
        The `Kind` of each sequence.
    kept_frames : ndarray of int32 [k]
        Frames of the faces that stay visible, sorted.
    kept_boxes : ndarray of float32 [k, 4]
        The boxes of these faces.
    whole_frames : ndarray of int32 [w]
        Frames that are veiled whole, sorted.
    whole_seed : int
        Seed of their noise.
    """

    frames: Ints
    boxes: Floats
    provenance: NDArray[np.uint8]
    sequence: Ints
    seeds: NDArray[np.int64]
    kinds: NDArray[np.uint8]
    kept_frames: Ints
    kept_boxes: Floats
    whole_frames: Ints
    whole_seed: int

    @classmethod
    def build(
        cls,
        sequences: Sequence[FaceSequence],
        veiled: NDArray[np.bool_],
        *,
        secret: str,
        unknown_frames: Ints | None = None,
    ) -> VeilPlan:
        """Plan the veils of sequences.

        Parameters
        ----------
        sequences : sequence of FaceSequence
        veiled : ndarray of bool [sequences]
            Which of them are veiled.
        secret : str
            A text that is not published with the output and is the same on every run, such as the
            digest of the input. With it the noise could be computed and removed.
        unknown_frames : ndarray of int32, optional
            Frames whose detections are missing. Those in which no facial sequence, veiled or not,
            has a box are veiled whole ("fail closed"). A box that a person drew does not count.
        """
        chosen = np.flatnonzero(veiled)
        picked = [sequences[index] for index in chosen.tolist()]
        frames = _joined([item.frames for item in picked], np.zeros(0, np.int32))
        order = np.argsort(frames, kind="stable")
        lengths = np.array([len(item) for item in picked], np.int64)
        kept = [sequences[index] for index in np.flatnonzero(~veiled).tolist()]
        kept_frames = _joined([item.frames for item in kept], np.zeros(0, np.int32))
        kept_order = np.argsort(kept_frames, kind="stable")
        unknown = np.unique(np.zeros(0, np.int32) if unknown_frames is None else unknown_frames)
        for sequence in sequences if len(unknown) else ():
            known = sequence.frames[tells_of_faces(sequence.kind, sequence.provenance)]
            unknown = np.setdiff1d(unknown, known, assume_unique=True)
        return cls(
            frames=frames[order],
            boxes=_joined([item.boxes for item in picked], np.zeros((0, 4), np.float32))[order],
            provenance=_joined([item.provenance for item in picked], np.zeros(0, np.uint8))[order],
            sequence=np.repeat(chosen.astype(np.int32), lengths)[order],
            seeds=np.array([seed_of(secret, index) for index in range(len(sequences))], np.int64),
            kinds=np.array([sequence.kind for sequence in sequences], np.uint8),
            kept_frames=kept_frames[kept_order],
            kept_boxes=_joined([item.boxes for item in kept], np.zeros((0, 4), np.float32))[
                kept_order
            ],
            whole_frames=unknown.astype(np.int32),
            whole_seed=seed_of(secret, len(sequences)),
        )

    def at(self, frame: int) -> PlannedBoxes:
        """Return the boxes planned on a frame, in the order of their sequences."""
        start, stop = np.searchsorted(self.frames, [frame, frame + 1])
        sequence = self.sequence[start:stop]
        first, last = np.searchsorted(self.kept_frames, [frame, frame + 1])
        return PlannedBoxes(
            self.boxes[start:stop],
            self.seeds[sequence],
            self.provenance[start:stop],
            sequence,
            self.kept_boxes[first:last],
            self.kinds[sequence],
        )

    def whole(self, frame: int) -> bool:
        """Return whether the frame is veiled whole."""
        index = int(np.searchsorted(self.whole_frames, frame))
        return index < len(self.whole_frames) and int(self.whole_frames[index]) == frame


def tells_of_faces(
    kind: int | NDArray[np.uint8], provenance: NDArray[np.uint8]
) -> NDArray[np.bool_]:
    """Return bool [n]: which boxes of a sequence tell where the faces of an unknown frame are.

    Objects of other kinds do not, nor do boxes drawn by a person: other faces may be there.
    """
    return np.asarray((kind == Kind.FACE) & ~np.isin(provenance, _DRAWN))


def _joined(columns: list[NDArray[Any]], empty: NDArray[Any]) -> NDArray[Any]:
    return np.concatenate(columns) if columns else empty


def seed_of(secret: str, sequence: int) -> int:
    """The seed of a sequence's noise; the one behind the last sequence is that of whole frames."""
    digest = blake2b(f"{secret}/{sequence}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1
