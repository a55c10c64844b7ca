"""The files of a network: by name through the cache, or by the path of a user's own."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from faceveil.errors import WeightsError
from faceveil.weights.cache import CacheEntry, weights_folder, writable_folder
from faceveil.weights.fetch import Progress, fetch_members
from faceveil.weights.installed import checked_files
from faceveil.weights.manifest import INSTALLED, Network, load_manifest, network_named
from faceveil.weights.pins import pinned, trusting

if TYPE_CHECKING:
    import onnx

CONVERSION_VERSION = 1
"""To be raised when a converter changes, so that files of an older one are made again."""
DIGITS_IN_FOLDER_NAME = 16


@dataclass(frozen=True, slots=True)
class Located:
    """A network whose files are on disk, intact: ONNX, or dlib's own.

    files: "pnet", "rnet", "onet" (and "lnet" where a checkpoint brings one) for MTCNN, "model"
    for the others, "landmarks" for dlib's detector. digest: "sha256:<hex>" over the source files
    and the conversion, the same on every machine.
    """

    network: Network
    files: dict[str, Path]
    digest: str


def locate(
    name_or_path: str | Path,
    role: str,
    accept_licence: bool = False,
    *,
    trust: str | None = None,
    networks: Mapping[str, Network] | None = None,
    progress: Progress = lambda line: None,
) -> Located:
    """Return the network of a name, fetched and converted on first use, or the one at a path.

    Parameters
    ----------
    name_or_path : str or Path
    role : {"detector", "recognizer", "shots"}
    accept_licence : bool
        Whether a licence that forbids commercial use is accepted.
    trust : str, optional
        The sha256 to pin for a network whose own is not known.
    networks : mapping of str to Network, optional
        A manifest other than the built-in one.
    progress : callable
        Called with a line of text on what is being done.

    Raises
    ------
    UsageError
        For an unknown name.
    LicenceError
        Where the licence forbids commercial use and `accept_licence` is not set.
    WeightsError
        Where the weights are unavailable or differ from the manifest, or have a sha256 that is
        neither known nor pinned.
    """
    networks = load_manifest() if networks is None else networks
    if str(name_or_path) not in networks and Path(name_or_path).exists():
        from faceveil.weights.user_network import read_user_network

        network, files = read_user_network(Path(name_or_path), role)
        network.require_licence(accept_licence)
        return _in_cache(network, _user_entry(network), lambda: files)
    known = network_named(str(name_or_path), role, networks)
    network = pinned(known) if trust is None else trusting(known, trust)
    network.require_licence(accept_licence)
    if network.source.kind == INSTALLED:
        return Located(network, checked_files(network), f"sha256:{_recipe(network)}")
    return _in_cache(
        network,
        cache_entry(network),
        lambda: fetch_members(network, progress),
        unknown=not known.is_pinned,
    )


def cache_entry(network: Network) -> CacheEntry:
    """Return where the cache keeps a network of the manifest."""
    network = pinned(network)
    return CacheEntry(weights_folder() / network.name, _recipe(network))


def _user_entry(network: Network) -> CacheEntry:
    recipe = _recipe(network)
    name = f"user-{recipe[:DIGITS_IN_FOLDER_NAME]}"
    entry = CacheEntry(weights_folder() / name, recipe)
    return entry if entry.files() else CacheEntry(writable_folder() / name, recipe)


def _recipe(network: Network) -> str:
    parts = [network.format, str(CONVERSION_VERSION)]
    parts += [f"{member.file}={member.sha256}" for member in network.members]
    parts += [f"centre={value}" for value in network.feature_centre]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _in_cache(
    network: Network,
    entry: CacheEntry,
    read_sources: Callable[[], Mapping[str, bytes]],
    unknown: bool = False,
) -> Located:
    """The network's files; `unknown`: only a user's pin says what they should be."""
    files = entry.intact_files()
    if not files:
        from faceveil.weights.convert import convert

        with entry.lock():
            # another process may have made them while this one waited
            files = entry.intact_files()
            if not files:
                models = convert(network, read_sources())
                if unknown:
                    require_architecture(network, models["model"])
                pins = {member.file: member.sha256 for member in network.members}
                files = entry.publish(models, pins if unknown else None)
    return Located(network, files, f"sha256:{entry.recipe}")


def require_architecture(network: Network, model: onnx.ModelProto) -> None:
    """Raise WeightsError for a file that is of another family than the manifest says."""
    from faceveil.weights.families import family_of
    from faceveil.weights.trial import try_network

    family = family_of(try_network(network.name, model.SerializeToString()), network.role)
    if family.name != network.architecture:
        raise WeightsError(
            f"{network.name}: {network.source.location} is of the family {family.name}, not "
            f"{network.architecture}: it is not the file this version expects, and is not used"
        )
