"""Motion and remembered features along sequences whose links are given, many at a time."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, log

import numpy as np

from faceveil.boxes import centres
from faceveil.faces import Floats
from faceveil.sequence.follow.block import Mask
from faceveil.sequence.follow.grid import Indices
from faceveil.sequence.follow.nodes import NOBODY, Nodes, chains
from faceveil.sequence.follow.open_sequences import (
    VELOCITY_MEMORY,
    OpenTracks,
    mixed_features,
    mixed_velocity,
    shares,
)

PIECE = 96
FORGOTTEN = 2.0**-24
"""A share of the remembered at which it is a float's last digit."""
SAME_VELOCITY, SAME_FEATURE = 1e-3, 1e-5


@dataclass(frozen=True, slots=True, eq=False)
class States:
    """What is known of a sequence after each of its nodes.

    chain int64 [n] (see `chains`); velocity float32 [n, 2]; moving bool [n]; features
    float32 [n, D]: remembered. They hold for the first `settled` frames.
    """

    chain: Indices
    velocity: Floats
    moving: Mask
    features: Floats
    settled: int


def states(
    nodes: Nodes, links: Indices, tracks: OpenTracks, feature_memory: float, frames: int
) -> States:
    """Follow all links at once, in pieces of 96 nodes.

    What is remembered fades, so that a piece within a sequence can begin somewhat earlier from
    nothing and knows as much as the piece before when it comes to its own nodes. Where it does
    not, as the faces of a sequence contradict each other, frames from there on are not settled.
    """
    chain, place = chains(links)
    velocity = np.zeros((len(nodes), 2), np.float32)
    velocity[: nodes.carried] = tracks.velocity
    moving = links != NOBODY
    moving[: nodes.carried] = tracks.moving
    features = nodes.features.copy()

    warm_up = _warm_up(feature_memory)
    order = np.argsort(chain, kind="stable")
    seam = np.flatnonzero(place[order] % max(PIECE, warm_up) == 0)
    length = np.diff(seam, append=len(order))
    length -= np.append(place[order], 0)[seam + length] == 0  # there another sequence begins
    longest_first = np.argsort(-length, kind="stable")
    seam, length = seam[longest_first], length[longest_first]
    seams = order[seam]
    walk = _Walk.along(nodes, links, feature_memory)

    inner = np.flatnonzero(place[seams] > 0)
    node = order[seam[inner] - warm_up]
    warm = _State(np.zeros((len(node), 2), np.float32), np.zeros(len(node), bool), features[node])
    for step in range(1 - warm_up, 1):
        warm = walk.to(order[seam[inner] + step], warm)

    now = _State(velocity[seams], moving[seams], features[seams])
    now.velocity[inner], now.features[inner] = warm.velocity, warm.features
    for step in range(1, int(length.max(initial=0)) + 1):
        count = int(np.searchsorted(-length, -step, side="right"))
        node = order[seam[:count] + step]
        now = walk.to(node, now)
        velocity[node], features[node] = now.velocity, now.features

    off = _largest(warm.velocity - velocity[seams[inner]]) > SAME_VELOCITY
    off |= _largest(warm.features - features[seams[inner]]) > SAME_FEATURE
    settled = int(nodes.position[seams[inner[off]]].min(initial=frames - 1)) + 1
    return States(chain, velocity, moving, features, settled)


@dataclass(frozen=True, slots=True, eq=False)
class _State:
    velocity: Floats
    moving: Mask
    features: Floats


@dataclass(frozen=True, slots=True, eq=False)
class _Walk:
    """What each node adds to the state: the step to it float32 [n, 2], and its features with
    their `shares`."""

    steps: Floats
    features: Floats
    keep: Floats
    take: Floats

    @classmethod
    def along(cls, nodes: Nodes, links: Indices, feature_memory: float) -> _Walk:
        step = centres(nodes.boxes) - centres(nodes.boxes[links])
        gap = np.maximum(nodes.frames - nodes.frames[links], 1)  # first nodes have no step
        step /= gap.astype(np.float32)[:, None]
        return cls(step, nodes.features, *shares(nodes.features, feature_memory))

    def to(self, node: Indices, state: _State) -> _State:
        """The state of as many of its rows as nodes int64 [m] are given, after these."""
        rows = slice(len(node))
        return _State(
            mixed_velocity(state.velocity[rows], state.moving[rows], self.steps[node]),
            np.ones(len(node), bool),
            mixed_features(
                state.features[rows], self.features[node], self.keep[node], self.take[node]
            ),
        )


def _warm_up(feature_memory: float) -> int:
    """Nodes after which what was remembered before them no longer counts, provided that the
    features of a sequence agree by half or so."""
    fading = min(max(feature_memory * 1.15, float(VELOCITY_MEMORY)), 0.99)
    return ceil(log(FORGOTTEN) / log(fading))


def _largest(differences: Floats) -> Floats:
    return np.asarray(np.abs(differences).max(axis=1, initial=0))
