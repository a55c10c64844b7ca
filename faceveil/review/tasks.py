"""Work that takes longer than an answer may: following, rendering and verifying."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, Literal

from faceveil.errors import FaceveilError

TaskKind = Literal["follow", "render", "verify"]
TaskState = Literal["running", "done", "failed", "cancelled"]
_TOLD_EVERY = 0.25
_KEPT = 20
_LOOKS_AGAIN = 0.05


class CancelledTaskError(Exception):
    """Raised inside work that a person cancelled."""


class Task:
    """One piece of work in the background; it is the `Progress` of what it runs, too."""

    def __init__(self, number: int, kind: TaskKind, tell: Callable[[Task], None]) -> None:
        self.id = f"t{number}"
        self.kind: TaskKind = kind
        self.state: TaskState = "running"
        self.message: str | None = None
        self.done = self.total = 0
        self.is_cancelled = False
        self._tell = tell
        self._start = self._told = time.monotonic()

    def describe(self) -> dict[str, Any]:
        """Return the task as the API answers it."""
        spent = time.monotonic() - self._start
        left = None
        if self.state == "running" and self.done and self.total:
            left = round(spent / self.done * max(self.total - self.done, 0), 1)
        return {
            "id": self.id,
            "kind": self.kind,
            "state": self.state,
            "done": self.done,
            "total": self.total,
            "eta_s": left,
            "message": self.message,
        }

    def cancel(self) -> None:
        """Ask the work to stop at its next frame."""
        self.is_cancelled = True

    @contextmanager
    def stage(self, name: str, total: int | None) -> Iterator[Task]:
        """Begin a stage of the work, which counts from zero."""
        if name == "verify" and self.kind == "render":
            self.kind = "verify"
        self.done, self.total = 0, total or 0
        self._start = time.monotonic()
        self._tell(self)
        yield self

    def advance(self) -> None:
        """Count one more finished frame. Raises CancelledTaskError once it is to stop."""
        self.done += 1
        self.check()
        now = time.monotonic()
        if now - self._told >= _TOLD_EVERY:
            self._told = now
            self._tell(self)

    def tell(self) -> None:
        """Tell the pages how far it is."""
        self._tell(self)

    def check(self) -> None:
        """Raise CancelledTaskError where a person cancelled the task."""
        if self.is_cancelled:
            raise CancelledTaskError

    def run(self, work: Callable[[Task], None]) -> None:
        """Do the work; whatever ends it becomes the state of the task."""
        try:
            self.check()
            work(self)
            self.state = "done"
        except CancelledTaskError:
            self.state = "cancelled"
        except FaceveilError as error:
            self.state, self.message = "failed", str(error)
        except Exception as error:
            self.state, self.message = (
                "failed",
                f"unexpected error: {type(error).__name__}: {error}",
            )
            raise
        finally:
            self._tell(self)


class Tasks:
    """All tasks of a review. Two kinds of work go on at a time: following, and rendering.

    Parameters
    ----------
    tell
        Called with a task whenever it has changed, from any thread.
    """

    def __init__(self, tell: Callable[[Task], None]) -> None:
        self._tell = tell
        self._lock = threading.Lock()
        self._tasks: dict[str, Task] = {}
        self._count = 0
        self._crews = {
            kind: ThreadPoolExecutor(1, thread_name_prefix=f"faceveil-{kind}")
            for kind in ("follow", "render")
        }

    def start(self, kind: Literal["follow", "render"], work: Callable[[Task], None]) -> Task:
        """Begin work in the background, behind what of its kind is still to do."""
        with self._lock:
            self._count += 1
            task = Task(self._count, kind, self._tell)
            self._tasks[task.id] = task
            ended = [item.id for item in self._tasks.values() if item.state != "running"]
            for old in ended[: max(0, len(ended) - _KEPT)]:
                del self._tasks[old]
        self._crews[kind].submit(task.run, work)
        return task

    def get(self, task_id: str) -> Task | None:
        """Return a task by its id."""
        return self._tasks.get(task_id)

    def running(self, kind: str | None = None) -> list[Task]:
        """Return the tasks that are not over."""
        with self._lock:
            tasks = list(self._tasks.values())
        kinds = ("render", "verify") if kind == "render" else (kind,)
        return [
            item for item in tasks if item.state == "running" and (not kind or item.kind in kinds)
        ]

    def wait_for_following(self, task: Task) -> None:
        """Wait until nothing is being followed: what was drawn is veiled in all frames only then.

        Raises CancelledTaskError where the task that waits is cancelled.
        """
        while self.running("follow"):
            task.check()
            time.sleep(_LOOKS_AGAIN)

    def describe(self) -> list[dict[str, Any]]:
        """Return all tasks as the API answers them."""
        with self._lock:
            return [task.describe() for task in self._tasks.values()]

    def close(self) -> None:
        """Cancel everything and wait for it to end."""
        for task in self.running():
            task.cancel()
        for crew in self._crews.values():
            crew.shutdown(wait=True, cancel_futures=True)
