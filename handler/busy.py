"""How a hung worker is found: each worker notes when it began, and its supervisor reads that.

A worker that is stopped, or hangs inside a library, cannot watch itself; multi-model-server gives
up waiting for it but leaves its process alone.
"""

from __future__ import annotations

import os
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

FOLDER_VARIABLE = "FACEVEIL_BUSY_FOLDER"
"""Set by the entrypoint for its workers."""

_SINCE = struct.Struct("d")
IDLE = 0.0


class BusyNote:
    """A worker's side: a file named after its process with when its present work began."""

    def __init__(self, folder: Path) -> None:
        self._file = os.open(folder / str(os.getpid()), os.O_WRONLY | os.O_CREAT, 0o600)

    @contextmanager
    def busy(self) -> Iterator[None]:
        os.pwrite(self._file, _SINCE.pack(time.monotonic()), 0)
        try:
            yield
        finally:
            os.pwrite(self._file, _SINCE.pack(IDLE), 0)


def overdue_workers(folder: Path, limit_seconds: float) -> list[int]:
    """Process ids of workers busy with one piece of work for longer than the limit.

    Notes of processes that are gone are removed.
    """
    now = time.monotonic()
    overdue = []
    for note in folder.iterdir():
        if not is_running(int(note.name)):
            note.unlink(missing_ok=True)
            continue
        data = note.read_bytes()
        since = _SINCE.unpack(data)[0] if len(data) == _SINCE.size else IDLE
        if since != IDLE and now - since > limit_seconds:
            overdue.append(int(note.name))
    return overdue


def is_running(process: int) -> bool:
    """Whether a process exists and has not ended: one that its parent forgot does not count."""
    try:
        status = Path(f"/proc/{process}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    # the state follows the name in brackets, which may hold anything
    return status.rpartition(")")[2].split()[0] not in ("Z", "X")
