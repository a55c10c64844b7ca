"""Writing small files safely, and digests of files."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path

from faceveil.errors import OutputError


def replace_file(path: Path, content: bytes, mode: int | None = None) -> None:
    """Write under a temporary name beside `path`, then rename: never a half file.

    mode: permissions other than the user's default.
    Raises OutputError when the folder is missing, not writable or full.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        if mode is not None:
            temporary.touch(mode)
        temporary.write_bytes(content)
        temporary.replace(path)
    except OSError as problem:
        temporary.unlink(missing_ok=True)
        raise OutputError(f"{path}: cannot be written ({problem.strerror})") from problem


def file_digest(path: Path) -> str:
    """`sha256:<hex>` of a file's bytes."""
    with path.open("rb") as stream:
        return f"sha256:{hashlib.file_digest(stream, 'sha256').hexdigest()}"


def files_digest(paths: Iterable[Path]) -> str:
    """`sha256:<hex>` over the names and contents of files, in the order given."""
    total = hashlib.sha256()
    for path in paths:
        content = file_digest(path).removeprefix("sha256:")
        total.update(f"{path.name}\0{content}\n".encode())
    return f"sha256:{total.hexdigest()}"


def path_digest(path: Path) -> str:
    """`sha256:<hex>` of a file, or of a folder's files by name."""
    if path.is_file():
        return file_digest(path)
    return files_digest(sorted(item for item in path.iterdir() if item.is_file()))
