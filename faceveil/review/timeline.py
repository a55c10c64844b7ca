"""Where to look: the risk of every frame, what has been looked at, and what comes next."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faceveil.analysis import Analysis
from faceveil.assure.risk import FrameRisk, frame_risk, stretches
from faceveil.assure.verification import Verification
from faceveil.faces import Ints

_LISTED = 1000
_PATIENCE = 0.05
"""Seconds: of hours of video the risk takes longer, and a person does not wait for it."""
_SETTLED = 0.3
"""Seconds after the last change from which the risk is computed: what a person does next comes
first, since computing takes the same cores."""


class Timeline:
    """The risk, computed in the background after each correction, and the frames looked at.

    Parameters
    ----------
    frame_count
        How many frames the video has.
    changed
        Called from another thread when the risk has been computed anew.
    """

    def __init__(self, frame_count: int, changed: Callable[[], None]) -> None:
        self.looked = np.zeros(frame_count, bool)
        self._changed = changed
        self._crew = ThreadPoolExecutor(1, thread_name_prefix="faceveil-risk")
        self._lock = threading.Lock()
        self._hurry = threading.Event()
        self._wanted: tuple[Analysis, Verification | None] | None = None
        self._changed_at = 0.0
        self._ready: Future[None] | None = None
        self._risk: FrameRisk | None = None
        self._faces: NDArray[np.uint16] = np.zeros(frame_count, np.uint16)

    def close(self) -> None:
        """End the thread that computes."""
        with self._lock:
            self._wanted = None
        self._hurry.set()
        self._crew.shutdown(wait=True, cancel_futures=True)

    def renew(self, analysis: Analysis, verification: Verification | None) -> None:
        """Compute the risk again a little later; of several changes in a row, for the last."""
        with self._lock:
            is_pending = self._wanted is not None
            self._wanted = analysis, verification
            self._changed_at = time.monotonic()
            if not is_pending:
                self._hurry.clear()
                self._ready = self._crew.submit(self._compute)

    def _compute(self) -> None:
        while (left := self._changed_at + _SETTLED - time.monotonic()) > 0:
            if self._hurry.wait(left):
                break
        with self._lock:
            wanted, self._wanted = self._wanted, None
        if wanted is None:
            return
        analysis, verification = wanted
        self._risk = frame_risk(analysis, verification)
        counts = np.zeros(len(self.looked), np.uint16)
        for sequence in analysis.sequences:
            counts[sequence.frames] += 1
        self._faces = counts
        self._changed()

    @property
    def risk(self) -> FrameRisk | None:
        """The risk as it was computed last; None until the first time."""
        return self._risk

    def _newest(self) -> FrameRisk | None:
        """The risk after the last correction, or the one before it where that takes long."""
        ready = self._ready
        if ready is not None:
            self._hurry.set()
            with suppress(TimeoutError):
                ready.result(None if self._risk is None else _PATIENCE)
        return self._risk

    def buckets(self, first: int, last: int, count: int) -> dict[str, Any]:
        """Return the highest risk, the share looked at and the most faces at once of each bucket.

        Parameters
        ----------
        first, last
            Frames, inclusive.
        count
            Into how many buckets they are divided.
        """
        edges = first + np.arange(count, dtype=np.int64) * (last - first + 1) // count
        stops = np.maximum(np.append(edges[1:], last + 1), edges + 1)
        risk = self._risk
        risks = np.zeros(len(self.looked), np.float32) if risk is None else risk.risk
        looked = np.append(0, np.cumsum(self.looked[first : last + 1]))
        shares = (looked[stops - first] - looked[edges - first]) / (stops - edges)
        span = slice(first, last + 1)
        return {
            "risk": np.round(np.maximum.reduceat(risks[span], edges - first), 4),
            "looked": np.round(shares, 4),
            "faces": np.maximum.reduceat(self._faces[span], edges - first),
            "risk_left": 1.0 if risk is None else round(risk.left(self.looked), 4),
        }

    def next(self) -> dict[str, Any]:
        """Return the riskiest stretch that has not been looked at."""
        risk = self._newest()
        stretch = None if risk is None else next(stretches(risk, self.looked), None)
        if stretch is None:
            return {"done": True}
        return {
            "first": stretch.first,
            "last": stretch.last,
            "risk": round(stretch.risk, 4),
            "reasons": [reason.text for reason in stretch.reasons],
        }


def within(frames: Ints, first: int, last: int) -> list[int]:
    """The numbers of a rising array from first to last, as far as a timeline can show them."""
    start, stop = np.searchsorted(frames, [first, last + 1])
    return [int(frame) for frame in frames[start:stop][:_LISTED]]
