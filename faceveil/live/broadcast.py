"""The veiled stream in pieces of MP4 that a browser plays as they come, for any number of viewers.

Every picture is one fragment, so that none waits for the next ("Media Source Extensions" append
them one by one). Viewers begin at the last key frame.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import suppress

_LONGEST_QUEUE = 120
"""Pieces that wait for a viewer; one who falls behind is disconnected and connects again."""
_Queue = asyncio.Queue[bytes | None]


class Broadcast:
    """Hands pieces to all viewers; `start`, `send` and `end` may be called from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._viewers: dict[_Queue, asyncio.AbstractEventLoop] = {}
        self._beginning = b""
        self._since_key_frame: list[bytes] = []
        self._is_closed = False

    @property
    def viewers(self) -> int:
        """How many watch."""
        return len(self._viewers)

    def start(self, beginning: bytes) -> None:
        """Begin a stream with its header; viewers of one before are disconnected."""
        self.end()
        with self._lock:
            self._beginning = beginning

    def send(self, piece: bytes, is_key_frame: bool) -> None:
        """Hand one fragment to all viewers."""
        with self._lock:
            if is_key_frame:
                self._since_key_frame.clear()
            if is_key_frame or self._since_key_frame:
                self._since_key_frame.append(piece)
            self._tell(piece)

    def end(self) -> None:
        """End the stream of every viewer; they may connect again."""
        with self._lock:
            self._beginning = b""
            self._since_key_frame.clear()
            self._tell(None)

    def close(self) -> None:
        """End all streams for good."""
        self._is_closed = True
        self.end()

    async def stream(self) -> AsyncIterator[bytes]:
        """Yield the stream from the last key frame on, until it ends or the viewer falls behind."""
        queue: _Queue = asyncio.Queue(_LONGEST_QUEUE)
        with self._lock:
            if self._is_closed or not self._beginning:
                return
            self._viewers[queue] = asyncio.get_running_loop()
            pieces = [self._beginning, *self._since_key_frame]
        try:
            yield b"".join(pieces)
            while (piece := await queue.get()) is not None:
                yield piece
        finally:
            with self._lock:
                self._viewers.pop(queue, None)

    def _tell(self, piece: bytes | None) -> None:
        for queue, loop in self._viewers.items():
            with suppress(RuntimeError):  # its loop has ended
                loop.call_soon_threadsafe(_put, queue, piece)


def _put(queue: _Queue, piece: bytes | None) -> None:
    if queue.full():
        while not queue.empty():
            queue.get_nowait()
        piece = None
    queue.put_nowait(piece)
