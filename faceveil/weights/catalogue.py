"""What `faceveil weights list | fetch | verify` does, as functions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from faceveil.errors import UsageError
from faceveil.weights.fetch import Progress
from faceveil.weights.manifest import Network, load_manifest
from faceveil.weights.store import Located, cache_entry, locate

ANALYZER_NETWORKS = ("mtcnn", "centerface", "arcface-mobilefacenet")
"""What the default analyzer runs on each frame, here and in the server."""
DEFAULT_NETWORKS = (*ANALYZER_NETWORKS, "transnetv2")
"""What `faceveil veil` uses without options."""


@dataclass(frozen=True, slots=True)
class Row:
    """One network and its state in the cache: "missing", "cached" (not hashed), or after
    `verify` "intact" or "corrupt"."""

    network: Network
    state: str


def list_networks(networks: Mapping[str, Network] | None = None) -> list[Row]:
    """Every network of the manifest and whether it is cached. Reads no file's content."""
    return [
        Row(network, "cached" if _is_cached(network) else "missing")
        for network in _all(networks).values()
    ]


def fetch(
    names: Iterable[str] = DEFAULT_NETWORKS,
    accept_licence: bool = False,
    *,
    networks: Mapping[str, Network] | None = None,
    progress: Progress = lambda line: None,
) -> list[Located]:
    """Make sure that these networks are in the cache, intact. Raises what `locate` raises."""
    known = _all(networks)
    chosen = [_named(name, known) for name in names]
    return [
        locate(network.name, network.role, accept_licence, networks=known, progress=progress)
        for network in chosen
    ]


def verify(
    names: Iterable[str] = (), *, networks: Mapping[str, Network] | None = None
) -> list[Row]:
    """Hash the cached files of these networks (none named: of all) again; fetches nothing."""
    known = _all(networks)
    chosen = [_named(name, known) for name in names] or list(known.values())
    return [Row(network, _verified_state(network)) for network in chosen]


def _all(networks: Mapping[str, Network] | None) -> Mapping[str, Network]:
    return load_manifest() if networks is None else networks


def _named(name: str, networks: Mapping[str, Network]) -> Network:
    if name not in networks:
        raise UsageError(f"no network is called {name!r}; known: {', '.join(networks)}")
    return networks[name]


def _is_cached(network: Network) -> bool:
    files = cache_entry(network).files()
    return bool(files) and all(file.has_size() for file in files)


def _verified_state(network: Network) -> str:
    entry = cache_entry(network)
    if not entry.files():
        return "missing"
    return "intact" if entry.intact_files() else "corrupt"
