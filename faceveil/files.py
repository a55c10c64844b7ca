"""Writing small files atomically, and digests of files."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from faceveil.errors import OutputError
from faceveil.paths import temporary_beside


def replace_file(path: Path, content: bytes, mode: int | None = None) -> None:
    """Write a file under a temporary name beside `path`, then rename it: never half a file.

    Parameters
    ----------
    path : Path
    content : bytes
    mode : int, optional
        Permissions other than the user's default.

    Raises
    ------
    OutputError
        When the folder is missing, not writable or full.
    """
    temporary = temporary_beside(path)
    try:
        if mode is not None:
            temporary.touch(mode)
        temporary.write_bytes(content)
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise OutputError(f"{path}: cannot be written ({error.strerror})") from error


def file_digest(path: Path) -> str:
    """Return `sha256:<hex>` of the bytes of a file."""
    with path.open("rb") as stream:
        return f"sha256:{hashlib.file_digest(stream, 'sha256').hexdigest()}"


def files_digest(paths: Iterable[Path]) -> str:
    """Return `sha256:<hex>` over the names and contents of files, in the order given."""
    total = hashlib.sha256()
    for path in paths:
        content = file_digest(path).removeprefix("sha256:")
        total.update(f"{path.name}\0{content}\n".encode())
    return f"sha256:{total.hexdigest()}"


def path_digest(path: Path) -> str:
    """Return `sha256:<hex>` of a file, or of the files of a folder in order of their names."""
    if path.is_file():
        return file_digest(path)
    return files_digest(sorted(item for item in path.iterdir() if item.is_file()))
