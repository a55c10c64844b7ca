"""Progress of a long job: a bar with frames per second and ETA, JSON lines, or silence."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from rich.progress import Progress as Bars
    from rich.progress import TaskID

JSON_INTERVAL_SECONDS = 1.0


class Stage(Protocol):
    """One running stage."""

    def advance(self) -> None:
        """Count one more finished frame."""
        ...


class Progress(Protocol):
    """Receives the progress of each stage of a job."""

    @contextmanager
    def stage(self, name: str, total: int | None) -> Iterator[Stage]:
        """Open a stage over `total` frames (None: unknown), for as long as the context lasts."""
        ...


class _Silent:
    def advance(self) -> None:
        return


class QuietProgress:
    """Shows nothing."""

    @contextmanager
    def stage(self, name: str, total: int | None) -> Iterator[Stage]:
        yield _Silent()


class _JsonStage:
    def __init__(self, name: str, total: int | None, stream: IO[str]) -> None:
        self._name, self._total, self._stream = name, total, stream
        self._done = 0
        self._start = self._last_line = time.monotonic()

    def advance(self) -> None:
        self._done += 1
        if time.monotonic() - self._last_line >= JSON_INTERVAL_SECONDS:
            self.write_line()

    def write_line(self, finished: bool = False) -> None:
        self._last_line = time.monotonic()
        rate = self._done / max(self._last_line - self._start, 1e-9)
        left = None if self._total is None else max(self._total - self._done, 0)
        line = {
            "stage": self._name,
            "frames": self._done,
            "total": self._total,
            "frames_per_second": round(rate, 2),
            "eta_seconds": 0.0 if finished else None if left is None else round(left / rate, 1),
            "finished": finished,
        }
        print(json.dumps(line), file=self._stream, flush=True)


class JsonProgress:
    """Writes a line of JSON a second: stage, frames, total, frames_per_second, eta_seconds."""

    def __init__(self, stream: IO[str] | None = None) -> None:
        self._stream = stream or sys.stderr

    @contextmanager
    def stage(self, name: str, total: int | None) -> Iterator[Stage]:
        stage = _JsonStage(name, total, self._stream)
        yield stage
        stage.write_line(finished=True)


class _BarStage:
    def __init__(self, bars: Bars, task: TaskID) -> None:
        self._bars, self._task = bars, task
        self._start, self._done = time.monotonic(), 0

    def advance(self) -> None:
        self._done += 1
        rate = self._done / max(time.monotonic() - self._start, 1e-9)
        self._bars.update(self._task, advance=1, rate=f"{rate:.1f}")


class BarProgress:
    """Draws a bar on the terminal with frames per second and ETA."""

    @contextmanager
    def stage(self, name: str, total: int | None) -> Iterator[Stage]:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )
        from rich.progress import Progress as Bars

        columns = (
            TextColumn("{task.description:<10}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]} frames/s"),
            TimeElapsedColumn(),
            TextColumn("ETA"),
            TimeRemainingColumn(),
        )
        with Bars(*columns, console=Console(stderr=True)) as bars:
            yield _BarStage(bars, bars.add_task(name, total=total, rate="-"))


def choose_progress(kind: str, quiet: bool = False) -> Progress:
    """Return the progress of that kind.

    Parameters
    ----------
    kind : {"auto", "bar", "json", "none"}
        "auto" draws a bar on a terminal and is silent elsewhere.
    quiet : bool
        Show nothing, whatever the kind.
    """
    if quiet or kind == "none":
        return QuietProgress()
    if kind == "json":
        return JsonProgress()
    if kind == "bar" or sys.stderr.isatty():
        return BarProgress()
    return QuietProgress()
