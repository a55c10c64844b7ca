"""Known packs of networks, which users bring as a folder, and their licences.

A pack is recognised by the names of its files and by their sha256, so that its licence also holds
for a file that was renamed or moved out of its folder.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatch
from functools import lru_cache
from pathlib import Path

from faceveil.errors import WeightsError
from faceveil.weights.manifest import BUILT_IN_MANIFEST


@dataclass(frozen=True, slots=True)
class Pack:
    """The packs of one publisher. `names` has patterns of file names by role."""

    name: str
    licence: str
    training_data: str
    names: Mapping[str, tuple[str, ...]]
    sha256: frozenset[str]

    def holds(self, file_name: str, role: str | None = None) -> bool:
        """Return whether a file has a name of the pack, of that role or of any."""
        roles = self.names if role is None else (role,)
        patterns = [pattern for one in roles for pattern in self.names.get(one, ())]
        return any(fnmatch(file_name.lower(), pattern) for pattern in patterns)


@lru_cache(maxsize=1)
def known_packs() -> tuple[Pack, ...]:
    """Return the packs of the manifest."""
    document = tomllib.loads(BUILT_IN_MANIFEST.read_text(encoding="utf-8"))
    return tuple(
        Pack(
            name=name,
            licence=entry["licence"],
            training_data=entry["training_data"],
            names={role: tuple(patterns) for role, patterns in entry["names"].items()},
            sha256=frozenset(entry["sha256"]),
        )
        for name, entry in document["packs"].items()
    )


def pack_of(file_name: str, sha256: str) -> Pack | None:
    """Return the known pack that a file belongs to, or None."""
    for pack in known_packs():
        if pack.holds(file_name) or sha256 in pack.sha256:
            return pack
    return None


def file_in_pack(folder: Path, role: str) -> Path | None:
    """Return the one file of that role in a pack; None for a folder that is not a pack.

    Raises WeightsError for a pack with none, or several, of the role.
    """
    files = sorted(path for path in folder.iterdir() if path.suffix.lower() == ".onnx")
    for pack in known_packs():
        if not any(pack.holds(path.name) for path in files):
            continue
        found = [path for path in files if pack.holds(path.name, role)]
        if len(found) != 1:
            names = ", ".join(path.name for path in found) or "none"
            raise WeightsError(
                f"{folder}: a pack of {pack.name} with one {role} is expected "
                f"({', '.join(pack.names[role])}), found {names}: give the path of the file"
            )
        return found[0]
    return None
