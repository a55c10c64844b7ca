"""Hashes that a user has pinned, for networks whose sha256 this version of faceveil does not know.

A pin is in the index of the network's folder in the cache, so that it goes where the folder goes.
"""

from __future__ import annotations

from dataclasses import replace

import orjson

from faceveil.errors import UsageError
from faceveil.weights.cache import INDEX, PINS, weights_folder
from faceveil.weights.manifest import Network, require_sha256


def pinned(network: Network) -> Network:
    """Return the network with the hashes that a user pinned, where it has none of its own."""
    if network.is_pinned:
        return network
    try:
        index = orjson.loads((weights_folder() / network.name / INDEX).read_bytes())
        return _with_hashes(network, dict(index[PINS]))
    except (OSError, ValueError, KeyError, TypeError):
        return network


def trusting(network: Network, sha256: str) -> Network:
    """Return the network with a hash that the user trusts for its one file.

    Raises UsageError where the hash is none, and for a network whose hash is known.
    """
    try:
        require_sha256(sha256)
    except ValueError as error:
        raise UsageError(f"--trust-hash: {error}") from error
    if network.is_pinned:
        raise UsageError(
            f"{network.name}: its sha256 is part of faceveil and cannot be replaced; leave out "
            "--trust-hash"
        )
    (member,) = network.members
    return _with_hashes(network, {member.file: sha256})


def _with_hashes(network: Network, hashes: dict[str, str]) -> Network:
    members = tuple(replace(one, sha256=hashes.get(one.file, "")) for one in network.members)
    return replace(network, members=members)
