"""Writing small files safely, and digests of files."""

from __future__ import annotations

import hashlib
import os
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


def path_digest(path: Path) -> str:
    """`sha256:<hex>` of a file, or of a folder's files: their names and digests in order."""
    if path.is_file():
        return file_digest(path)
    total = hashlib.sha256()
    for entry in sorted(item for item in path.iterdir() if item.is_file()):
        total.update(f"{entry.name}\0{file_digest(entry)}\n".encode())
    return f"sha256:{total.hexdigest()}"
