"""What may leave, handed to the sink in a thread of its own: a slow one holds up nothing."""

from __future__ import annotations

import queue
import threading
from contextlib import suppress
from dataclasses import dataclass

import av

from faceveil.errors import FaceveilError, OutputError
from faceveil.live.backoff import Backoff
from faceveil.live.metrics import Metrics
from faceveil.live.sinks import Format, LiveSink

MOST_WAITING = 90
"""Pictures and pieces of sound that wait for the sink; what comes while it is full is dropped."""


@dataclass(frozen=True, slots=True, eq=False)
class _Piece:
    frame: av.VideoFrame | av.AudioFrame
    seconds: float


class Delivery:
    """Feeds a sink, and opens it again where it is lost and may come back.

    Parameters
    ----------
    sink
        Not open yet.
    format
        What it will be given.
    metrics
        Counts what is dropped.
    patient
        Whether to wait for room instead of dropping.
    """

    def __init__(
        self, sink: LiveSink, format: Format, metrics: Metrics, patient: bool = False
    ) -> None:
        self.sink = sink
        self.error: FaceveilError | None = None
        """What ended the delivery, where it cannot go on."""
        self._format = format
        self._metrics = metrics
        self._patient = patient
        self._pieces: queue.Queue[_Piece | None] = queue.Queue(MOST_WAITING)
        self._stopping = threading.Event()
        sink.open(format)
        self._thread = threading.Thread(target=self._work, name="faceveil-sink", daemon=True)
        self._thread.start()

    def put(self, frame: av.VideoFrame | av.AudioFrame, seconds: float) -> bool:
        """Hand a veiled picture or a piece of sound to the sink; False where it was dropped."""
        piece = _Piece(frame, seconds)
        while self._thread.is_alive():
            try:
                self._pieces.put(piece, timeout=0.1 if self._patient else 0)
                return True
            except queue.Full:
                if not self._patient:
                    break
        return False

    def finish(self, timeout: float = 10.0) -> None:
        """Deliver what waits, and close the sink. Raises OutputError where that fails."""
        try:
            self._pieces.put(None, timeout=timeout)
        except queue.Full:
            self._stopping.set()
        self._thread.join(timeout)
        if self._thread.is_alive():
            self._stopping.set()
            raise OutputError(f"{self.sink.name}: did not take the end of the stream in time")
        if self.error is not None:
            raise self.error

    def _work(self) -> None:
        try:
            while not self._stopping.is_set():
                piece = self._pieces.get()
                if piece is None:
                    break
                try:
                    self._deliver(piece)
                except OutputError:
                    if not self.sink.reopen:
                        raise
                    self._metrics.count("sink_lost")
                    self._open_again()
            self._close()
        except FaceveilError as error:
            self.error = error

    def _close(self) -> None:
        """Close the sink; a server that is gone by then has taken what it could."""
        try:
            self.sink.close()
        except OutputError:
            if not self.sink.reopen:
                raise
            self._metrics.count("sink_lost")

    def _deliver(self, piece: _Piece) -> None:
        if isinstance(piece.frame, av.VideoFrame):
            self.sink.picture(piece.frame, piece.seconds)
        else:
            self.sink.sound(piece.frame, piece.seconds)

    def _open_again(self) -> None:
        """Open a sink that was lost, however long that takes; what comes meanwhile is dropped."""
        backoff = Backoff()
        while not self._stopping.is_set():
            with suppress(OutputError):  # it is lost
                self.sink.close()
            if self._drop_for(backoff.next()):
                return
            try:
                self.sink.open(self._format)
                return
            except OutputError:
                continue

    def _drop_for(self, seconds: float) -> bool:
        """Wait, then drop what has piled up; True where the end is among it."""
        self._stopping.wait(seconds)
        while True:
            try:
                piece = self._pieces.get_nowait()
            except queue.Empty:
                return False
            if piece is None:
                self._stopping.set()
                return True
            if isinstance(piece.frame, av.VideoFrame):
                self._metrics.count("frames_dropped")
