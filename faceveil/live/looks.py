"""Detection beside the stream: threads that each keep one detector process busy."""

from __future__ import annotations

import threading
import time
from dataclasses import replace

import numpy as np

from faceveil.faces import FrameFaces
from faceveil.live.detector_process import BuildAnalyzer, DetectorLostError, DetectorProcess
from faceveil.live.load import LoadControl
from faceveil.live.metrics import Metrics
from faceveil.live.window import LiveFrame, Window

HANG_SECONDS = 10.0
"""Without an answer for so long, a process is replaced; the picture is blank long before."""
_WAIT_SECONDS = 0.1
_RETRY_SECONDS = 0.5
_STOP_SECONDS = 5.0


class Looks:
    """Detects faces in frames of a window, as many as the machine manages.

    A process that dies, or gives no answer for `HANG_SECONDS`, is replaced.

    Parameters
    ----------
    window
        Whose frames are looked at.
    build
        Opens the networks, in each process.
    load
        Decides which frames, and at which size.
    workers
        How many processes there are.
    delay
        Seconds for which frames wait.
    metrics
        Counts the looks.
    """

    def __init__(
        self,
        window: Window,
        build: BuildAnalyzer,
        load: LoadControl,
        workers: int,
        delay: float,
        metrics: Metrics,
    ) -> None:
        self.load = load
        self.detectors = [DetectorProcess(build) for _ in range(workers)]
        self._window = window
        self._delay = delay
        self._metrics = metrics
        self._stopping = threading.Event()
        self._answered = 0.0
        self._threads = [
            threading.Thread(target=self._work, args=(one,), name="faceveil-look", daemon=True)
            for one in self.detectors
        ]

    def start(self) -> None:
        """Open the networks of all processes, and begin.

        Raises
        ------
        FaceveilError
            What opening the networks raised.
        """
        for detector in self.detectors:
            detector.start()
        self._answered = time.monotonic()
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End all processes."""
        self._stopping.set()
        for detector in self.detectors:
            detector.kill()
        for thread in self._threads:
            if thread.is_alive():
                thread.join(_STOP_SECONDS)
        for detector in self.detectors:
            detector.stop()

    def is_blind(self, now: float) -> bool:
        """Whether no detector has answered for as long as frames wait."""
        return now - self._answered > self._delay

    def _work(self, detector: DetectorProcess) -> None:
        while not self._stopping.is_set():
            behind = self._most_behind()
            frame = self._window.next_look(self.load.stride, behind, _WAIT_SECONDS)
            if frame is None:
                self._answered = time.monotonic()  # there is nothing to be seen
                continue
            try:
                faces = self._look(detector, frame)
            except DetectorLostError:
                self._window.retry(frame.number)
                self._replace(detector)
                continue
            self._window.answer(frame.number, faces, refine=self.load.has_reserve)

    def _look(self, detector: DetectorProcess, frame: LiveFrame) -> FrameFaces | None:
        start = time.monotonic()
        image = frame.reduced(self.load.scale)
        if image is None:
            return None
        faces = detector.detect(image, HANG_SECONDS)
        self._answered = time.monotonic()
        self.load.looked(self._answered - start, self._window.rate(), self._answered)
        self._metrics.count("looks")
        self._metrics.count("faces", int(faces.accepted.sum()))
        return enlarged(faces, frame.picture.width, frame.picture.height)

    def _most_behind(self) -> int:
        """Frames that a look may lie behind the newest one: a third of those that wait."""
        return max(2 * self.load.stride, self._window.waiting // 3)

    def _replace(self, detector: DetectorProcess) -> None:
        """Start another process in place of one that was lost."""
        self._metrics.count("detectors_lost")
        while not self._stopping.is_set():
            detector.stop()
            try:
                detector.start()
                return
            except Exception:  # whatever it is, the picture stays blank until one comes up
                self._stopping.wait(_RETRY_SECONDS)


def enlarged(faces: FrameFaces, width: int, height: int) -> FrameFaces:
    """Return the faces of a reduced picture in pixels of the whole one."""
    if (faces.width, faces.height) == (width, height) or faces.error is not None:
        return faces
    zoom = np.array([width / faces.width, height / faces.height], np.float32)
    return replace(
        faces,
        width=width,
        height=height,
        boxes=faces.boxes * np.tile(zoom, 2),
        landmarks=faces.landmarks * zoom,
    )
