"""Velocity and remembered feature along sequences with given links, many at a time."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, log

import numpy as np

from faceveil.boxes import centres
from faceveil.faces import Floats
from faceveil.sequence.follow.block import Mask
from faceveil.sequence.follow.grid import Indices
from faceveil.sequence.follow.nodes import NO_NODE, Nodes, chains
from faceveil.sequence.follow.open_sequences import (
    VELOCITY_MEMORY,
    OpenSequences,
    mixed_features,
    mixed_velocity,
    shares,
)

PIECE = 96
FORGOTTEN = 2.0**-24
"""The share of a remembered value below which it no longer changes a float32."""
SAME_VELOCITY, SAME_FEATURE = 1e-3, 1e-5


@dataclass(frozen=True, slots=True, eq=False)
class States:
    """What is known of a sequence after each of its nodes.

    chain int64 [n] (see `chains`); velocity float32 [n, 2]; moving bool [n]; features float32
    [n, D]: remembered. They are exact for the first `settled` frames.
    """

    chain: Indices
    velocity: Floats
    moving: Mask
    features: Floats
    settled: int


def states(
    nodes: Nodes, links: Indices, tracks: OpenSequences, feature_memory: float, frames: int
) -> States:
    """Follow all links at once, in pieces of 96 nodes.

    Remembered values fade. So a piece in the middle of a sequence can start from nothing a few
    nodes early and has the same state as the piece before it when its own nodes begin. Where it
    does not, because the faces of a sequence contradict each other, the frames from there on are
    not settled.
    """
    chain, place = chains(links)
    velocity = np.zeros((len(nodes), 2), np.float32)
    velocity[: nodes.carried] = tracks.velocity
    moving = links != NO_NODE
    moving[: nodes.carried] = tracks.moving
    features = nodes.features.copy()

    warm_up = _warm_up(feature_memory)
    order = np.argsort(chain, kind="stable")
    seam = np.flatnonzero(place[order] % max(PIECE, warm_up) == 0)
    length = np.diff(seam, append=len(order))
    length -= np.append(place[order], 0)[seam + length] == 0  # another sequence begins there
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
    """What each node adds to the state: the step to it float32 [n, 2], its feature and `shares`."""

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
        """The state after nodes int64 [m], which continue the first m rows of `state`."""
        rows = slice(len(node))
        return _State(
            mixed_velocity(state.velocity[rows], state.moving[rows], self.steps[node]),
            np.ones(len(node), bool),
            mixed_features(
                state.features[rows], self.features[node], self.keep[node], self.take[node]
            ),
        )


def _warm_up(feature_memory: float) -> int:
    """The number of nodes after which earlier values no longer count.

    This assumes that the features of a sequence have a cosine of about 0.5 or more.
    """
    fading = min(max(feature_memory * 1.15, float(VELOCITY_MEMORY)), 0.99)
    return ceil(log(FORGOTTEN) / log(fading))


def _largest(differences: Floats) -> Floats:
    return np.asarray(np.abs(differences).max(axis=1, initial=0))
