"""A detector in a process of its own, which may hang or die without stopping the stream."""

from __future__ import annotations

import multiprocessing
import signal
import threading
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from multiprocessing.shared_memory import SharedMemory
from typing import TypeAlias

import numpy as np

from faceveil.errors import FaceveilError
from faceveil.faces import FrameFaces, Image
from faceveil.sampling.detection import Analyzer

BuildAnalyzer: TypeAlias = Callable[[], Analyzer]
"""Opens the networks, in the process; pickled on its way there."""

_START_SECONDS = 120.0
"""The networks may have to be fetched first."""


class DetectorLostError(Exception):
    """The process died, or did not answer in time."""


class DetectorProcess:
    """Detects the faces of one picture at a time. The pictures go through shared memory.

    Parameters
    ----------
    build
        Opens the networks.
    """

    def __init__(self, build: BuildAnalyzer) -> None:
        self._build = build
        self._memory: SharedMemory | None = None
        self._process: multiprocessing.process.BaseProcess | None = None
        self._connection: Connection | None = None
        self._lock = threading.Lock()

    @property
    def pid(self) -> int | None:
        """The number of the process."""
        return self._process.pid if self._process else None

    def start(self) -> None:
        """Start the process and wait until its networks are open.

        Raises
        ------
        FaceveilError
            What opening the networks raised.
        DetectorLostError
            Where the process does not come up.
        """
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(target=_serve, args=(self._build, theirs), daemon=True)
        with self._lock:
            self._connection, self._process = ours, process
        process.start()
        theirs.close()
        answer = self._receive(_START_SECONDS)
        if isinstance(answer, FaceveilError):
            raise answer

    def detect(self, image: Image, timeout: float) -> FrameFaces:
        """Return the faces of a picture, RGB uint8 [H, W, 3].

        Raises DetectorLostError where the process died, or gives no answer within `timeout`
        seconds.
        """
        if self._connection is None:
            raise DetectorLostError("the process was stopped")
        memory = self._room_for(image.nbytes)
        np.ndarray(image.shape, np.uint8, memory.buf)[...] = image
        try:
            self._connection.send((memory.name, image.shape))
        except OSError as error:
            raise DetectorLostError("the process has died") from error
        answer = self._receive(timeout)
        if not isinstance(answer, FrameFaces):
            raise DetectorLostError(str(answer))
        return answer

    def kill(self) -> None:
        """End the process, at once; what waits for its answer is told. Safe from any thread."""
        with self._lock:
            process = self._process
        if process is not None and process.pid is not None:
            process.kill()

    def stop(self) -> None:
        """End the process and free its memory. Not while another thread detects."""
        with self._lock:
            process, connection, memory = self._process, self._connection, self._memory
            self._process = self._connection = self._memory = None
        if process is not None and process.pid is not None:
            process.kill()
            process.join()
        if connection is not None:
            connection.close()
        if memory is not None:
            memory.close()
            memory.unlink()

    def _receive(self, timeout: float) -> object:
        connection = self._connection
        try:
            if connection is None or not connection.poll(timeout):
                raise DetectorLostError("no answer in time")
            return connection.recv()
        except (EOFError, OSError) as error:
            raise DetectorLostError("the process has died") from error

    def _room_for(self, size: int) -> SharedMemory:
        if self._memory is None or self._memory.size < size:
            if self._memory is not None:
                self._memory.close()
                self._memory.unlink()
            self._memory = SharedMemory(create=True, size=size)
        return self._memory


def _serve(build: BuildAnalyzer, connection: Connection) -> None:
    """Answer pictures until the other end is closed."""
    import cv2

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the program, which ends this
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    cv2.setNumThreads(1)
    try:
        analyzer = build()
    except Exception as error:
        connection.send(error if isinstance(error, FaceveilError) else FaceveilError(str(error)))
        return
    connection.send(None)
    memory: SharedMemory | None = None
    with suppress(EOFError, OSError):
        while True:
            name, shape = connection.recv()
            if memory is None or memory.name.lstrip("/") != name.lstrip("/"):
                if memory is not None:
                    memory.close()
                memory = SharedMemory(name)
            image = np.ndarray(shape, np.uint8, memory.buf).copy()
            connection.send(analyzer(image))
