"""Work on items in several threads with bounded memory: results in order, or as they finish."""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

LEAVE_SECONDS = 2.0
"""How long running work may take to end when the rest is cancelled."""


def ordered_map(
    function: Callable[[Item], Result], items: Iterable[Item], workers: int
) -> Iterator[Result]:
    """Yield `function(item)` for each item, in order.

    Parameters
    ----------
    function : callable
        Called from several threads at once. Decoding, OpenCV and onnxruntime all release the
        interpreter lock.
    items : iterable
        At most 2 x `workers` of them are in flight.
    workers : int
        Number of threads.

    Notes
    -----
    The first exception, an interrupt included, stops the rest and is raised.
    """
    pending: deque[Future[Result]] = deque()
    pool = ThreadPoolExecutor(workers, thread_name_prefix="faceveil")
    try:
        for item in items:
            pending.append(pool.submit(function, item))
            if len(pending) >= 2 * workers:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


class _End:
    """Ends a thread of the crew."""


def unordered_map(
    function: Callable[[Item], Result], items: Iterable[Item], workers: int
) -> Generator[Result, None, None]:
    """Yield `function(item)` for each item, as the results finish.

    Parameters
    ----------
    function : callable
        Called from several threads at once.
    items : iterable
        At most 2 x `workers` of them are taken ahead.
    workers : int
        Number of threads.

    Notes
    -----
    The first exception, an interrupt included, cancels the items that have not started and is
    raised. Items that have started are abandoned after a moment; their threads end with the
    process. (`ordered_map` waits for them, but a request over the network may take an hour.)
    """
    crew: _Crew[Item, Result] = _Crew(function, workers)
    under_way = 0
    try:
        for item in items:
            if under_way == 2 * workers:
                yield crew.result()
                under_way -= 1
            crew.todo.put(item)
            under_way += 1
        for _ in range(under_way):
            yield crew.result()
    finally:
        crew.leave()


class _Crew(Generic[Item, Result]):
    def __init__(self, function: Callable[[Item], Result], workers: int) -> None:
        self.todo: queue.SimpleQueue[Item | _End] = queue.SimpleQueue()
        self._done: queue.SimpleQueue[tuple[Result | None, BaseException | None]]
        self._done = queue.SimpleQueue()
        self._function = function
        self._threads = [
            threading.Thread(target=self._work, name=f"faceveil-{number}", daemon=True)
            for number in range(workers)
        ]
        for thread in self._threads:
            thread.start()

    def result(self) -> Result:
        result, error = self._done.get()
        if error is not None:
            raise error
        return result  # type: ignore[return-value]

    def leave(self) -> None:
        with suppress(queue.Empty):
            while True:
                self.todo.get_nowait()
        for _ in self._threads:
            self.todo.put(_End())
        # The deadline holds for all threads together.
        waiting = threading.Thread(target=self._join, daemon=True)
        waiting.start()
        waiting.join(LEAVE_SECONDS)

    def _join(self) -> None:
        for thread in self._threads:
            thread.join()

    def _work(self) -> None:
        while not isinstance(item := self.todo.get(), _End):
            try:
                self._done.put((self._function(item), None))
            except BaseException as error:  # raised where the result is taken
                self._done.put((None, error))
