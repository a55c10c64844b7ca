"""Converted networks on disk: one folder each, with an index of sha256.

A folder holds NAME.onnx files and index.json, written last. A reader trusts only files that the
index names and whose sha256 agrees, so a reader needs no lock; writers take one per network. A
folder made like this can be copied into a model artifact and used there read-only.
"""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
from collections.abc import Mapping
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from pathlib import Path

import onnx
import orjson
import platformdirs
from filelock import FileLock

from faceveil.errors import WeightsError

ENVIRONMENT_VARIABLE = "FACEVEIL_WEIGHTS"
INDEX = "index.json"
OWNER_ONLY = 0o700


def weights_folder() -> Path:
    """FACEVEIL_WEIGHTS, or the user's cache folder."""
    configured = os.environ.get(ENVIRONMENT_VARIABLE)
    return Path(configured) if configured else platformdirs.user_cache_path("faceveil") / "weights"


def writable_folder() -> Path:
    """The weights folder, or where it is read-only one below the temporary files that nobody else
    can write to. Raises WeightsError where there is no such place.
    """
    folder = weights_folder()
    with suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
    if os.access(folder, os.W_OK):
        return folder
    private = Path(tempfile.gettempdir()) / f"faceveil-{os.getuid()}"
    try:
        private.mkdir(mode=OWNER_ONLY, exist_ok=True)
        found = private.lstat()
    except OSError as error:
        raise WeightsError(f"{folder} and {private}: neither can be written: {error}") from error
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise WeightsError(f"{private}: is not a folder that only you can use; remove it")
    return private


@dataclass(frozen=True, slots=True)
class CachedFile:
    """A converted file as the index describes it."""

    name: str
    path: Path
    size: int
    sha256: str

    def has_size(self) -> bool:
        try:
            return self.path.stat().st_size == self.size
        except OSError:
            return False

    def is_intact(self) -> bool:
        """Whether the file's sha256 is the one it was written with."""
        try:
            with self.path.open("rb") as stream:
                return hashlib.file_digest(stream, "sha256").hexdigest() == self.sha256
        except OSError:
            return False


@dataclass(frozen=True, slots=True)
class CacheEntry:
    """Where the converted files of one network belong.

    `recipe` is the sha256 over its source files and the conversion: files made from anything else
    do not count.
    """

    folder: Path
    recipe: str

    def files(self) -> list[CachedFile]:
        """What the index lists; empty where there is none, or one of another recipe."""
        try:
            index = orjson.loads((self.folder / INDEX).read_bytes())
            if index["recipe"] != self.recipe:
                return []
            return [
                CachedFile(
                    name, self.folder / f"{name}.onnx", int(entry["size"]), str(entry["sha256"])
                )
                for name, entry in index["files"].items()
            ]
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return []

    def intact_files(self) -> dict[str, Path]:
        """Paths by name when every file is there and intact, else nothing."""
        files = self.files()
        if not all(file.is_intact() for file in files):
            return {}
        return {file.name: file.path for file in files}

    def lock(self) -> AbstractContextManager[object]:
        """Held while the files are made; WeightsError where the folder cannot be written."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            return FileLock(self.folder.with_name(f".{self.folder.name}.lock")).acquire()
        except OSError as error:
            raise self._cannot_write(error) from error

    def publish(self, models: Mapping[str, onnx.ModelProto]) -> dict[str, Path]:
        """Write the files, each under a temporary name first, then the index. Needs the lock."""
        index: dict[str, dict[str, object]] = {}
        try:
            for name, model in models.items():
                data = model.SerializeToString(deterministic=True)
                index[name] = {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
                self._replace(f"{name}.onnx", data)
            document = {"recipe": self.recipe, "files": index}
            self._replace(INDEX, orjson.dumps(document, option=orjson.OPT_INDENT_2))
        except OSError as error:
            raise self._cannot_write(error) from error
        return {name: self.folder / f"{name}.onnx" for name in models}

    def _replace(self, name: str, data: bytes) -> None:
        handle, temporary = tempfile.mkstemp(prefix=f".{name}.", dir=self.folder)
        try:
            with os.fdopen(handle, "wb") as stream:
                stream.write(data)
            Path(temporary).chmod(0o644)
            Path(temporary).replace(self.folder / name)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise

    def _cannot_write(self, error: OSError) -> WeightsError:
        return WeightsError(
            f"{self.folder}: lacks intact weights and cannot be written ({error}); "
            f"set {ENVIRONMENT_VARIABLE} to a folder that holds them or can be written"
        )
