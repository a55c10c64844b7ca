"""Which earlier face each face probably continues, guessed for many frames at once."""

from __future__ import annotations

import numpy as np

from faceveil.boxes import centres
from faceveil.faces import Floats
from faceveil.sequence.follow.grid import Grid, Indices
from faceveil.sequence.follow.nodes import NO_NODE, Nodes
from faceveil.sequence.follow.open_sequences import OpenSequences, predicted
from faceveil.sequence.match import MotionDistance, Pairs, costs

MOST_PASSES = 64
LIKELY = MotionDistance()
"""The distance of guesses, whichever distance the frames are then matched with."""


def guess(nodes: Nodes, tracks: OpenSequences, max_gap: int) -> Indices:
    """Links int64 [n] that following frame by frame would probably make.

    Faces of neighbouring frames that are each other's nearest are linked first, then what is left
    over ever wider gaps. Nothing relies on the result: `settled_frames` checks it.
    """
    links = np.full(len(nodes), NO_NODE, np.int64)
    has_next = np.zeros(len(nodes), bool)
    velocity = np.zeros((len(nodes), 2), np.float32)
    velocity[: nodes.carried] = tracks.velocity
    look = np.arange(len(nodes))
    tails = np.flatnonzero(~nodes.low)
    heads = tails[nodes.carried :]
    gap = 1
    for attempt in range(MOST_PASSES):
        found = _link(nodes, links, velocity, look, gap, tails, heads)
        has_next[links[found]] = True
        low = found[nodes.low[found]]
        tails = np.concatenate([tails[~has_next[tails]], low])
        if attempt == 0:
            heads = np.sort(np.concatenate([heads, np.flatnonzero(nodes.low)]))
        elif len(low):
            gap = 1  # a low score that was found may be continued in the very next frame
        else:
            gap += 1
        heads = heads[links[heads] == NO_NODE]
        if gap > max_gap or not len(heads):
            break
    return links


def _link(
    nodes: Nodes,
    links: Indices,
    velocity: Floats,
    look: Indices,
    gap: int,
    tails: Indices,
    heads: Indices,
) -> Indices:
    """Link tails with heads `gap` frames later that are each other's nearest.

    Returns the linked heads. Writes links, velocity float32 [n, 2], and look int64 [n]: the node
    whose feature stands for each node, since faces with a low score have none.
    """
    rows, columns = _facing(nodes, tails, heads, gap)
    low = nodes.low[columns]
    # Accepted faces choose first.
    last_choice = np.where(low, np.float32(LIKELY.limit), np.float32(0))
    # Features are long: only those of faces near each other are compared.
    unknown = np.full(len(rows), np.nan, np.float32)
    cost = _costs(nodes, velocity, gap, rows, columns, unknown)
    near = cost < LIKELY.limit
    rows, columns, last_choice = rows[near], columns[near], last_choice[near]
    similarity = np.einsum("ij,ij->i", nodes.features[look[rows]], nodes.features[columns])
    similarity[similarity == 0] = np.nan
    cost = _costs(nodes, velocity, gap, rows, columns, similarity)
    rows, columns = _each_others_nearest(rows, columns, cost + last_choice)
    links[columns] = rows
    velocity[columns] = (centres(nodes.boxes[columns]) - centres(nodes.boxes[rows])) / gap
    unseen = nodes.low[columns]
    look[columns[unseen]] = look[rows[unseen]]
    return columns


def _costs(
    nodes: Nodes,
    velocity: Floats,
    gap: int,
    rows: Indices,
    columns: Indices,
    similarity: Floats,
) -> Floats:
    before, gaps = nodes.boxes[rows], np.full(len(rows), gap)
    pairs = Pairs(
        before=before,
        predicted=predicted(before, velocity[rows], gaps),
        after=nodes.boxes[columns],
        gap=gaps,
        similarity=similarity,
    )
    return costs(LIKELY, pairs, nodes.low[columns])


def _facing(nodes: Nodes, tails: Indices, heads: Indices, gap: int) -> tuple[Indices, Indices]:
    """The pairs of tails and heads of the same shot, `gap` frames apart."""
    tails = tails[np.argsort(nodes.frames[tails], kind="stable")]
    tail_frames, tail_start, tail_count = _runs(nodes.frames[tails])
    head_frames, head_start, head_count = _runs(nodes.frames[heads])
    _, a, b = np.intersect1d(
        tail_frames + gap, head_frames, assume_unique=True, return_indices=True
    )
    together = nodes.shots[tails[tail_start[a]]] == nodes.shots[heads[head_start[b]]]
    a, b = a[together], b[together]
    grid = Grid(tail_start[a], tail_count[a], head_start[b], head_count[b])
    return tails[grid.rows], heads[grid.columns]


def _runs(values: Indices) -> tuple[Indices, Indices, Indices]:
    """Each of the rising values once, where it begins and how often it occurs."""
    start = np.flatnonzero(np.diff(values, prepend=-1))
    return values[start], start, np.diff(start, append=len(values))


def _each_others_nearest(rows: Indices, columns: Indices, cost: Floats) -> tuple[Indices, Indices]:
    """Pairs, at a finite cost, of which neither has a cheaper one; each row and column once."""
    size = max(rows.max(initial=0), columns.max(initial=0)) + 1
    best_of_row, best_of_column = np.full((2, size), np.inf, np.float32)
    np.minimum.at(best_of_row, rows, cost)
    np.minimum.at(best_of_column, columns, cost)
    nearest = (cost == best_of_row[rows]) & (cost == best_of_column[columns]) & (cost < np.inf)
    rows, columns = rows[nearest], columns[nearest]
    for _ in range(2):  # ties: the first of each row, then of each column
        first = np.unique(rows, return_index=True)[1]
        rows, columns = columns[first], rows[first]
    return rows, columns
