"""What is remembered of engines between runs: which is the fastest, and compiled networks.

One file each, which begins with the sha256 of the rest: a broken one counts as none. Files are
renamed into place, so readers need no lock. Where no folder can be written nothing is remembered.
"""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from faceveil.errors import OutputError, WeightsError
from faceveil.files import replace_file
from faceveil.weights.cache import writable_or_private
from faceveil.weights.engines import processor

ENVIRONMENT_VARIABLE = "FACEVEIL_ENGINE_CACHE"
_DIGITS = 16
_HEADER = hashlib.sha256().digest_size


def engines_folder() -> Path | None:
    """Return FACEVEIL_ENGINE_CACHE or a folder of the user's cache; None if none is writable."""
    configured = os.environ.get(ENVIRONMENT_VARIABLE)
    try:
        return writable_or_private(
            Path(configured) if configured else platformdirs.user_cache_path("faceveil") / "engines"
        )
    except WeightsError:
        return None


@dataclass(frozen=True, slots=True)
class EngineCache:
    """One remembered thing. A new version of it replaces the one before.

    Attributes
    ----------
    name : str
        What it is of: network, processor (machines may share a home folder) and engine.
    version : str
        What it depends on beyond that.
    """

    name: str
    version: str

    @classmethod
    def of_network(cls, network: str, what: str, version: str) -> EngineCache:
        """Return what is remembered of a network, by a digest of its files, on this processor."""
        names = (digest.encode() for digest in (network, processor().name))
        return cls("-".join([*map(_digest, names), what]), _digest(version.encode()))

    def read(self) -> bytes | None:
        """Return the content; None where there is none that is intact."""
        folder = engines_folder()
        if folder is None:
            return None
        try:
            stored = (folder / self._file).read_bytes()
        except OSError:
            return None
        content = stored[_HEADER:]
        return content if hashlib.sha256(content).digest() == stored[:_HEADER] else None

    def write(self, content: bytes) -> None:
        """Keep the content, where a folder can be written."""
        folder = engines_folder()
        if folder is None:
            return
        with suppress(OSError, OutputError):
            replace_file(folder / self._file, hashlib.sha256(content).digest() + content)
            for path in folder.glob(f"{self.name}.*"):
                if path.name != self._file:
                    path.unlink(missing_ok=True)

    @property
    def _file(self) -> str:
        return f"{self.name}.{self.version}"


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:_DIGITS]
