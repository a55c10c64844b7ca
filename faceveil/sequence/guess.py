"""Which face is likely the same as which of an earlier frame, guessed for many frames at once."""

from __future__ import annotations

import numpy as np

from faceveil.faces import Floats
from faceveil.sequence.block import Mask
from faceveil.sequence.geometry import centres
from faceveil.sequence.grid import Grid, Indices
from faceveil.sequence.match import Distance, Pairs, costs
from faceveil.sequence.nodes import NOBODY, Nodes
from faceveil.sequence.tracks import LONGEST_MOTION, OpenTracks

MOST_PASSES = 64


def guess(nodes: Nodes, tracks: OpenTracks, distance: Distance, max_gap: int) -> Indices:
    """Links int64 [n] that following frame by frame would likely make.

    Faces of neighbouring frames that are each other's nearest are linked first, then what is left
    over ever wider gaps. Nothing relies on the outcome: `settle` checks it.
    """
    links = np.full(len(nodes), NOBODY, np.int64)
    has_next = np.zeros(len(nodes), bool)
    velocity = np.zeros((len(nodes), 2), np.float32)
    velocity[: nodes.carried] = tracks.velocity
    free = np.arange(len(nodes)) >= nodes.carried
    _link(nodes, links, has_next, velocity, distance, 1, ~nodes.low, free & ~nodes.low)
    gap = 1
    for _ in range(MOST_PASSES):
        loose = ~has_next & (~nodes.low | (links != NOBODY))
        found = _link(
            nodes, links, has_next, velocity, distance, gap, loose, free & (links == NOBODY)
        )
        # A low score that was found may itself be continued in the next frame.
        gap = 1 if nodes.low[found].any() else gap + 1
        if gap > max_gap:
            break
    return links


def _link(
    nodes: Nodes,
    links: Indices,
    has_next: Mask,
    velocity: Floats,
    distance: Distance,
    gap: int,
    before: Mask,
    after: Mask,
) -> Indices:
    """Link nodes `gap` frames apart that are each other's nearest; returns the later ones."""
    tails, heads, grid = _facing(nodes, np.flatnonzero(before), np.flatnonzero(after), gap)
    rows, columns = tails[grid.rows], heads[grid.columns]
    similarity = grid.products(nodes.features[tails], nodes.features[heads])
    similarity[similarity == 0] = np.nan
    shift = velocity[rows] * np.float32(min(gap, LONGEST_MOTION))
    boxes = nodes.boxes[rows]
    pairs = Pairs(
        before=boxes,
        predicted=boxes + np.concatenate([shift, shift], axis=1),
        after=nodes.boxes[columns],
        gap=np.full(len(rows), gap),
        similarity=similarity,
    )
    low = nodes.low[columns]
    cost = costs(distance, pairs, low)
    cost[low] += distance.limit  # accepted faces have the first choice
    likely = cost < np.where(low, 2, 1) * distance.limit
    rows, columns = _each_others_nearest(rows[likely], columns[likely], cost[likely], len(nodes))
    links[columns] = rows
    has_next[rows] = True
    step = centres(nodes.boxes[columns]) - centres(nodes.boxes[rows])
    velocity[columns] = step / np.float32(gap)
    return columns


def _facing(
    nodes: Nodes, tails: Indices, heads: Indices, gap: int
) -> tuple[Indices, Indices, Grid]:
    """Tails in order of frames, and the pairs with heads of the same shot `gap` frames later."""
    tails = tails[np.argsort(nodes.frames[tails], kind="stable")]
    tail_frames, tail_start, tail_count = _runs(nodes.frames[tails])
    head_frames, head_start, head_count = _runs(nodes.frames[heads])
    _, a, b = np.intersect1d(
        tail_frames + gap, head_frames, assume_unique=True, return_indices=True
    )
    together = nodes.shots[tails[tail_start[a]]] == nodes.shots[heads[head_start[b]]]
    a, b = a[together], b[together]
    return tails, heads, Grid(tail_start[a], tail_count[a], head_start[b], head_count[b])


def _runs(values: Indices) -> tuple[Indices, Indices, Indices]:
    """Each of the rising values once, where it begins and how often it comes."""
    start = np.flatnonzero(np.diff(values, prepend=-1))
    return values[start], start, np.diff(start, append=len(values))


def _each_others_nearest(
    rows: Indices, columns: Indices, cost: Floats, count: int
) -> tuple[Indices, Indices]:
    best_of_row, best_of_column = np.full((2, count), np.inf, np.float32)
    np.minimum.at(best_of_row, rows, cost)
    np.minimum.at(best_of_column, columns, cost)
    nearest = (cost == best_of_row[rows]) & (cost == best_of_column[columns])
    rows, columns = rows[nearest], columns[nearest]
    # Ties: each row and each column once.
    first = np.unique(rows, return_index=True)[1]
    rows, columns = rows[first], columns[first]
    first = np.unique(columns, return_index=True)[1]
    return rows[first], columns[first]
