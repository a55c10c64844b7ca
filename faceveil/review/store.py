"""Where corrections are kept: a file of this machine, written whole after each change.

One server writes a file at a time, which a lock beside it sees to. Where another program, or
another machine on a shared folder, has written it all the same, that is noticed and read.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Protocol

from filelock import FileLock, Timeout

from faceveil.corrections.document import Corrections, read_corrections, write_corrections
from faceveil.errors import InputError, OutputError


class ChangedElsewhereError(Exception):
    """The corrections were changed by another program since they were read last."""


class CorrectionsStore(Protocol):
    """Keeps the corrections of one review."""

    @property
    def place(self) -> str:
        """Where they lie, for people."""
        ...

    def read(self) -> Corrections | None:
        """Read the corrections; None where there are none yet. Raises InputError."""
        ...

    def write(self, corrections: Corrections) -> None:
        """Keep the corrections. Raises OutputError, or ChangedElsewhereError."""
        ...

    def close(self) -> None:
        """Let others write."""
        ...


class CorrectionsFile:
    """Corrections in a file; see `CorrectionsStore`.

    Raises
    ------
    InputError
        Where another review has the file open.
    OutputError
        Where its folder cannot be written to.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock_path = path.with_name(f".{path.name}.lock")
        self._lock = FileLock(self._lock_path)
        self._seen: tuple[int, int, int] | None = None
        try:
            self._lock.acquire(timeout=0)
        except Timeout as error:
            raise InputError(
                f"{path}: another review has it open; use that one, or end it first"
            ) from error
        except OSError as error:
            raise OutputError(f"{path}: cannot be written ({error.strerror})") from error

    @property
    def place(self) -> str:
        return str(self.path)

    def read(self) -> Corrections | None:
        state = self._state()
        if state is None:
            return None
        corrections = read_corrections(self.path)
        self._seen = state
        return corrections

    def write(self, corrections: Corrections) -> None:
        if self._state() != self._seen:
            raise ChangedElsewhereError
        write_corrections(corrections, self.path)
        self._seen = self._state()

    def close(self) -> None:
        with suppress(OSError):
            self._lock_path.unlink(missing_ok=True)
        self._lock.release()

    def _state(self) -> tuple[int, int, int] | None:
        """What tells one state of the file from another; None where there is no file."""
        try:
            found = self.path.stat()
        except FileNotFoundError:
            return None
        return found.st_ino, found.st_mtime_ns, found.st_size
