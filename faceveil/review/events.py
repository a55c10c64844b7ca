"""Server-sent events: what happens in a review, told to every page that is open."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import orjson

_QUIET_SECONDS = 15.0
"""After as long without an event a comment is sent, which shows whether the page is still there."""
_LONGEST_QUEUE = 1000
_Queue = asyncio.Queue[bytes | None]


class Events:
    """Sends events to all listeners; `emit` may be called from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._listeners: dict[_Queue, asyncio.AbstractEventLoop] = {}
        self._closed = False

    def emit(self, event: str, data: dict[str, Any]) -> None:
        """Send an event to every page."""
        self._send(b"event: %s\ndata: %s\n\n" % (event.encode(), orjson.dumps(data)))

    def close(self) -> None:
        """Tell every page that the server ends, and end their streams."""
        self.emit("closing", {})
        self._closed = True
        self._send(None)

    async def stream(self) -> AsyncIterator[bytes]:
        """Yield the events of one page, until the server ends or the page cannot keep up."""
        queue: _Queue = asyncio.Queue(_LONGEST_QUEUE)
        with self._lock:
            self._listeners[queue] = asyncio.get_running_loop()
        try:
            yield b": welcome\n\n"
            while not self._closed or not queue.empty():
                try:
                    message = await asyncio.wait_for(queue.get(), _QUIET_SECONDS)
                except TimeoutError:
                    message = b": still here\n\n"
                if message is None:
                    return
                yield message
        finally:
            with self._lock:
                self._listeners.pop(queue, None)

    def _send(self, message: bytes | None) -> None:
        with self._lock:
            listeners = list(self._listeners.items())
        for queue, loop in listeners:
            with suppress(RuntimeError):  # its loop has ended
                loop.call_soon_threadsafe(self._put, queue, message)

    def _put(self, queue: _Queue, message: bytes | None) -> None:
        """Without room the stream ends: the page connects again and asks for everything anew."""
        if queue.full():
            while not queue.empty():
                queue.get_nowait()
            message = None
        queue.put_nowait(message)
