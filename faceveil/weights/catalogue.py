"""Networks listed, fetched and verified: `faceveil weights list | fetch | verify`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from faceveil.errors import UsageError, WeightsError
from faceveil.weights.fetch import Progress
from faceveil.weights.installed import checked_files, installed_files
from faceveil.weights.manifest import INSTALLED, Network, load_manifest
from faceveil.weights.store import Located, cache_entry, locate

if TYPE_CHECKING:
    from faceveil.weights.engine_choice import Choice
    from faceveil.weights.session import Runtime

ANALYZER_NETWORKS = ("mtcnn", "centerface", "arcface-mobilefacenet")
"""The networks of the default analyzer, here and in the server."""
DEFAULT_NETWORKS = (*ANALYZER_NETWORKS, "transnetv2")
"""The networks of `faceveil veil` without options."""


@dataclass(frozen=True, slots=True)
class Row:
    """One network and its state.

    The state is "missing", "cached" or, of an extra, "installed" (not hashed); after
    `verify_networks` it is "missing", "intact" or "corrupt".
    """

    network: Network
    state: str


def list_networks(networks: Mapping[str, Network] | None = None) -> list[Row]:
    """Return every network of the manifest and whether it is cached, without reading files."""
    return [Row(network, _state(network)) for network in _all(networks).values()]


def fetch_networks(
    names: Iterable[str] = DEFAULT_NETWORKS,
    accept_licence: bool = False,
    *,
    trust: str | None = None,
    networks: Mapping[str, Network] | None = None,
    progress: Progress = lambda line: None,
) -> list[Located]:
    """Fetch the networks that are not in the cache, intact.

    `trust` is the sha256 to pin for a single network whose own is not known. Raises the errors of
    `locate`, and UsageError where `trust` is given for several.
    """
    known = _all(networks)
    chosen = [_named(name, known) for name in names]
    if trust is not None and len(chosen) != 1:
        raise UsageError("--trust-hash pins one network: name it")
    return [
        locate(
            network.name,
            network.role,
            accept_licence,
            trust=trust,
            networks=known,
            progress=progress,
        )
        for network in chosen
    ]


def verify_networks(
    names: Iterable[str] = (), *, networks: Mapping[str, Network] | None = None
) -> list[Row]:
    """Hash the cached files of these networks, by default of all; nothing is fetched."""
    known = _all(networks)
    chosen = [_named(name, known) for name in names] or list(known.values())
    return [Row(network, _verified_state(network)) for network in chosen]


def default_engines(runtime: Runtime, again: bool = False) -> dict[str, Choice]:
    """Return the engine of each network of the default analyzer that is cached, by its name.

    Nothing is fetched. What is not remembered is measured, with `again` all of it. Raises
    UsageError for an engine that this machine lacks.
    """
    from faceveil.weights.engine_choice import choose_engine

    known = load_manifest()
    cached = [known[name] for name in ANALYZER_NETWORKS if _state(known[name]) == "cached"]
    return {
        network.name: choose_engine(locate(network.name, network.role), runtime, again)
        for network in cached
    }


def _all(networks: Mapping[str, Network] | None) -> Mapping[str, Network]:
    return load_manifest() if networks is None else networks


def _named(name: str, networks: Mapping[str, Network]) -> Network:
    if name not in networks:
        raise UsageError(f"no network is called {name!r}; known: {', '.join(networks)}")
    return networks[name]


def _state(network: Network) -> str:
    if network.source.kind == INSTALLED:
        return "installed" if _finds(installed_files, network) else "missing"
    files = cache_entry(network).files()
    return "cached" if files and all(file.has_size() for file in files) else "missing"


def _verified_state(network: Network) -> str:
    if network.source.kind == INSTALLED:
        if not _finds(installed_files, network):
            return "missing"
        return "intact" if _finds(checked_files, network) else "corrupt"
    entry = cache_entry(network)
    if not entry.files():
        return "missing"
    return "intact" if entry.intact_files() else "corrupt"


def _finds(find: Callable[[Network], object], network: Network) -> bool:
    try:
        find(network)
    except WeightsError:
        return False
    return True
