"""Clocks: of calls inside this process, and of whole commands."""

from __future__ import annotations

import functools
import multiprocessing
import os
import subprocess
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar
from unittest.mock import patch

Answer = TypeVar("Answer")


@contextmanager
def clocked(spent: dict[str, float], label: str, owner: object, name: str) -> Iterator[None]:
    """Add the processor time of the calls of `owner.name` to `spent[label]`."""
    original = getattr(owner, name)

    def wrapper(*arguments: object, **options: object) -> object:
        start = time.process_time()
        try:
            return original(*arguments, **options)
        finally:
            spent[label] += time.process_time() - start

    setattr(owner, name, wrapper)
    try:
        yield
    finally:
        setattr(owner, name, original)


@dataclass(frozen=True)
class Run:
    """One run of a command: seconds, processor seconds with those of its children, peak memory.

    The peak, in MB, is that of its largest process (deface has its encoder in another one).
    """

    wall: float
    processor: float
    peak: float


def run_command(command: Sequence[str | Path]) -> Run:
    """Run a command to its end. This process must stay small: a child inherits its peak."""
    start = time.monotonic()
    process = subprocess.Popen(
        [str(part) for part in command], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    assert process.stderr
    output = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.monotonic() - start
    if status:
        sys.exit(f"{' '.join(map(str, command))}\n{output.decode(errors='replace')}")
    return Run(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024 / 1e6)


def least(runs: Sequence[Run]) -> Run:
    """The run that took the least processor time."""
    return min(runs, key=lambda run: run.processor)


def in_own_process(function: Callable[..., Answer], *arguments: object) -> Answer:
    """A function's answer; its memory does not count as this process's."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(function, arguments)


def take_precedence() -> str:
    """Put this process and its children before others. Returns whether the system grants that, as
    words for a report."""
    try:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
    except OSError:
        return "without priority over other work on the machine"
    return "with real-time priority"


class StageClock:
    """Processor time of the stages of a program, each without the stages inside it.

    The program must do one thing at a time (`one_at_a_time`). Threads of libraries count, since a
    network may run in one of its own.
    """

    def __init__(self) -> None:
        self.spent: dict[str, float] = defaultdict(float)
        self.calls: dict[str, int] = defaultdict(int)
        self._inner = threading.local()

    @contextmanager
    def measured(self, label: str) -> Iterator[None]:
        """Add the processor time of the block to a stage."""
        outside = getattr(self._inner, "seconds", 0.0)
        self._inner.seconds = 0.0
        start = time.process_time()
        try:
            yield
        finally:
            spent = time.process_time() - start
            self.spent[label] += spent - self._inner.seconds
            self._inner.seconds = outside + spent

    @contextmanager
    def function(self, label: str, owner: object, name: str) -> Iterator[None]:
        """Measure the calls of `owner.name` as a stage."""
        original = getattr(owner, name)

        @functools.wraps(original)
        def wrapper(*arguments: object, **options: object) -> object:
            self.calls[label] += 1
            with self.measured(label):
                return original(*arguments, **options)

        with patch.object(owner, name, wrapper):
            yield

    @contextmanager
    def generator(self, label: str, owner: object, name: str) -> Iterator[None]:
        """Measure what the iterators of `owner.name` do as a stage, not what their users do."""
        original = getattr(owner, name)

        @functools.wraps(original)
        def wrapper(*arguments: object, **options: object) -> Iterator[object]:
            items = original(*arguments, **options)
            while True:
                with self.measured(label):
                    item = next(items, None)
                if item is None:
                    return
                self.calls[label] += 1
                yield item

        with patch.object(owner, name, wrapper):
            yield


@contextmanager
def one_at_a_time() -> Iterator[None]:
    """Let thread pools do their work at once, in the thread that hands it to them."""

    def submit(
        _: ThreadPoolExecutor, function: Callable[..., Answer], *arguments: object
    ) -> Future[Answer]:
        done: Future[Answer] = Future()
        done.set_result(function(*arguments))
        return done

    with patch.object(ThreadPoolExecutor, "submit", submit):
        yield
