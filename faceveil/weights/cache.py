"""Converted networks on disk: one folder each, with an index of sha256.

A folder has NAME.onnx files and index.json, which is written last. A reader uses only files that
the index lists with the same sha256, so it needs no lock; writers lock one network each. Such a
folder can be copied into a model artifact and used there read-only.
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
from typing import TYPE_CHECKING

import orjson
import platformdirs
from filelock import FileLock

from faceveil.errors import WeightsError

if TYPE_CHECKING:
    import onnx

ENVIRONMENT_VARIABLE = "FACEVEIL_WEIGHTS"
INDEX = "index.json"
PINS = "pins"
"""Of the index: sha256 of source files by name, where a user had to say which to trust."""
OWNER_ONLY = 0o700


def weights_folder() -> Path:
    """Return FACEVEIL_WEIGHTS, or a folder in the user's cache."""
    configured = os.environ.get(ENVIRONMENT_VARIABLE)
    return Path(configured) if configured else platformdirs.user_cache_path("faceveil") / "weights"


def writable_folder() -> Path:
    """Return the weights folder, or where it is read-only a private one for temporary files.

    Only this user can write to the private folder. Raises WeightsError where there is none.
    """
    return writable_or_private(weights_folder())


def writable_or_private(folder: Path) -> Path:
    """Return a folder where it can be written, or a private one as `writable_folder` does."""
    with suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
    if os.access(folder, os.W_OK):
        return folder
    private = Path(tempfile.gettempdir()) / f"faceveil-{os.getuid()}"
    try:
        private.mkdir(mode=OWNER_ONLY, exist_ok=True)
        found = private.lstat()
    except OSError as error:
        raise WeightsError(f"neither {folder} nor {private} can be written: {error}") from error
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise WeightsError(f"{private}: this is not a folder that only you can use; remove it")
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

    `recipe` is the sha256 over its source files and the conversion: files made from others do not
    count.
    """

    folder: Path
    recipe: str

    def files(self) -> list[CachedFile]:
        """Return the files of the index; none where it is missing or has another recipe."""
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
        """Return paths by name if every file is there and intact, else an empty dictionary."""
        files = self.files()
        if not all(file.is_intact() for file in files):
            return {}
        return {file.name: file.path for file in files}

    def lock(self) -> AbstractContextManager[object]:
        """Return the lock to hold while files are made. Raises WeightsError where it cannot be."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            return FileLock(self.folder.with_name(f".{self.folder.name}.lock")).acquire()
        except OSError as error:
            raise self._cannot_write(error) from error

    def publish(
        self, models: Mapping[str, onnx.ModelProto], pins: Mapping[str, str] | None = None
    ) -> dict[str, Path]:
        """Write the files, each renamed from a temporary one, then the index. Requires the lock."""
        index: dict[str, dict[str, object]] = {}
        try:
            for name, model in models.items():
                data = model.SerializeToString(deterministic=True)
                index[name] = {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
                self._replace(f"{name}.onnx", data)
            document: dict[str, object] = {"recipe": self.recipe, "files": index}
            if pins:
                document[PINS] = dict(pins)
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
            f"{self.folder}: has no intact weights and cannot be written ({error}); "
            f"set {ENVIRONMENT_VARIABLE} to a folder that has them or can be written"
        )
