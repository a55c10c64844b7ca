"""Open sequences and the faces of a block that may continue them, as nodes that links join."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from faceveil.faces import Floats
from faceveil.sequence.follow.block import FaceBlock, Mask
from faceveil.sequence.follow.grid import Indices
from faceveil.sequence.follow.open_sequences import OpenSequences

NO_NODE = -1
"""Stands for no node, no face or no sequence, in any column of indices."""


@dataclass(frozen=True, slots=True, eq=False)
class Nodes:
    """The `carried` open sequences first, then the faces that count, in order of frames.

    face int64 [n]: index into the block (NO_NODE for the carried); position int64 [n]: index of
    the frame in the window (-1 for the carried); frames and shots int64 [n]; boxes
    float32 [n, 4]; features float32 [n, D]: comparable or remembered; low bool [n]: low scores.

    *Links* are int64 [n]: for each node the node before it in its sequence, or NO_NODE.
    """

    carried: int
    face: Indices
    position: Indices
    frames: Indices
    shots: Indices
    boxes: Floats
    features: Floats
    low: Mask

    def __len__(self) -> int:
        return len(self.face)

    @classmethod
    def of(cls, tracks: OpenSequences, block: FaceBlock, first: int, stop: int) -> Nodes:
        """The open sequences, which are of the first frame's shot, and the faces of frames
        first to stop."""
        faces = block.candidates(first, stop)
        frame = block.frame_of[faces]
        carried = len(tracks)
        none = np.full(carried, NO_NODE, np.int64)
        features = np.empty((carried + len(faces), tracks.features.shape[1]), np.float32)
        features[:carried] = tracks.features
        np.take(block.comparable, faces, axis=0, out=features[carried:])
        shot = np.full(carried, block.shots[first], np.int64)
        return cls(
            carried=carried,
            face=np.concatenate([none, faces]),
            position=np.concatenate([none, frame - first]),
            frames=np.concatenate([tracks.frames, block.numbers[frame]]),
            shots=np.concatenate([shot, block.shots[frame]]),
            boxes=np.concatenate([tracks.boxes, block.boxes[faces]]),
            features=features,
            low=np.concatenate([np.zeros(carried, bool), block.low[faces]]),
        )


def chains(links: Indices) -> tuple[Indices, Indices]:
    """The chain of each node, numbered in order of their first nodes, and the node's place in it.

    Both are int64 [n].
    """
    chain: list[int] = []
    place: list[int] = []
    count = 0
    for before in links.tolist():
        if before == NO_NODE:
            chain.append(count)
            place.append(0)
            count += 1
        else:
            chain.append(chain[before])
            place.append(place[before] + 1)
    return np.array(chain, np.int64), np.array(place, np.int64)
