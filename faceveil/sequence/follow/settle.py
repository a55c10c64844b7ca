"""Which of the guessed links are the ones that following frame by frame would make."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from faceveil.sequence.follow.block import Mask
from faceveil.sequence.follow.grid import Grid, Indices, ranges
from faceveil.sequence.follow.nodes import NO_NODE, Nodes
from faceveil.sequence.follow.open_sequences import predicted
from faceveil.sequence.follow.states import States
from faceveil.sequence.match import Distance, Pairs, costs, match_frame


def settled_frames(
    nodes: Nodes, links: Indices, states: States, window: Window, distance: Distance, max_gap: int
) -> int:
    """How many frames, from the first on, have exactly the links that matching makes.

    The state before a frame is right when all links before it are. So the distances of all frames
    can be computed at once from the states along the guessed links: up to the first frame in which
    matching disagrees with the guess, everything is settled.
    """
    slots = _open_slots(nodes, links, states.chain, window, max_gap)
    first_face = nodes.carried + window.first_face
    grid = Grid(slots.first, slots.count, first_face, window.faces)
    before, after = slots.node[grid.rows], grid.columns
    gap = window.numbers[slots.position[grid.rows]] - nodes.frames[before]
    every = np.arange(len(nodes))
    similarity = grid.products(states.features, slots.node, nodes.features, every)
    similarity[similarity == 0] = np.nan
    pairs = Pairs(
        before=nodes.boxes[before],
        predicted=predicted(nodes.boxes[before], states.velocity[before], gap),
        after=nodes.boxes[after],
        gap=gap,
        similarity=similarity,
    )
    cost = costs(distance, pairs, nodes.low[after])
    rows, columns, ambiguous = _only_candidates(
        cost < distance.limit, grid, nodes.low, slots.position, len(window)
    )
    matched = np.full(len(nodes), NO_NODE, np.int64)
    matched[columns] = slots.node[rows]
    wrong = (matched != links) & ~ambiguous[nodes.position]
    wrong[: nodes.carried] = False
    frames = int(nodes.position[wrong].min(initial=states.settled))
    for frame in np.flatnonzero(ambiguous[:frames]).tolist():
        faces = slice(first_face[frame], first_face[frame] + window.faces[frame])
        row = match_frame(grid.matrix(cost, frame), nodes.low[faces], distance.limit)
        node = np.where(row >= 0, slots.node[slots.first[frame] + row], NO_NODE)
        if not np.array_equal(node, links[faces]):
            return int(frame)
    return frames


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """The frames that are tried at once.

    numbers and shots int64 [t]; faces int64 [t]: how many faces of each count.
    """

    numbers: Indices
    shots: Indices
    faces: Indices

    def __len__(self) -> int:
        return len(self.numbers)

    @classmethod
    def of(cls, nodes: Nodes, numbers: Indices, shots: Indices) -> Window:
        faces = np.bincount(nodes.position[nodes.carried :], minlength=len(numbers))
        return cls(numbers, shots, faces)

    @property
    def first_face(self) -> Indices:
        return np.cumsum(self.faces) - self.faces


@dataclass(frozen=True, slots=True, eq=False)
class _Slots:
    """Each sequence that is open in a frame, in order of frames and then of sequences.

    node int64 [s]: its last node by then; position int64 [s]: index of the frame; first and count
    int64 [t]: the slots of each frame.
    """

    node: Indices
    position: Indices
    first: Indices
    count: Indices


def _open_slots(
    nodes: Nodes, links: Indices, chain: Indices, window: Window, max_gap: int
) -> _Slots:
    """The sequences that are open in each frame.

    A sequence is open from one of its faces up to its next one, for max_gap frames at most, within
    its shot.
    """
    begin = nodes.position + 1
    stop = np.full(len(nodes), len(window), np.int64)
    linked = np.flatnonzero(links != NO_NODE)
    stop[links[linked]] = nodes.position[linked] + 1
    last_frames = np.searchsorted(window.numbers, nodes.frames + max_gap, side="right")
    stop = np.minimum(stop, last_frames)
    stop = np.minimum(stop, np.searchsorted(window.shots, nodes.shots, side="right"))
    stop[nodes.low & (links == NO_NODE)] = 0
    count = np.maximum(stop - begin, 0)
    node = np.repeat(np.arange(len(nodes)), count)
    position = ranges(begin, count)
    order = np.lexsort((chain[node], position))
    per_frame = np.bincount(position, minlength=len(window))
    return _Slots(node[order], position[order], np.cumsum(per_frame) - per_frame, per_frame)


def _only_candidates(
    possible: Mask, grid: Grid, low: Mask, position: Indices, frames: int
) -> tuple[Indices, Indices, Mask]:
    """Matches where no sequence and no face has more than one candidate.

    Returns their rows and columns in the grid, and bool [frames]: the frames where that is not so.
    Accepted faces are matched first; low scores are for the sequences that are left.
    """
    pairs = np.flatnonzero(possible)
    is_low = low[grid.columns[pairs]]
    accepted = pairs[~is_low]
    row_taken = np.bincount(grid.rows[accepted], minlength=len(position))
    lows = pairs[is_low]
    lows = lows[row_taken[grid.rows[lows]] == 0]
    ambiguous = np.zeros(frames, bool)
    for some in (accepted, lows):
        rows, columns = grid.rows[some], grid.columns[some]
        crowded = (np.bincount(rows)[rows] > 1) | (np.bincount(columns)[columns] > 1)
        ambiguous[position[rows[crowded]]] = True
    matches = np.concatenate([accepted, lows])
    return grid.rows[matches], grid.columns[matches], ambiguous
