"""Which sequence holds each detection, while corrections change that for a few of them.

Hours of video hold millions of detections, and a correction is about the frames of some sequences:
their rows are found by an index, and a change touches these rows alone.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from faceveil.faces import DetectionLog, Ints

Rows = NDArray[np.intp]
NONE = -1
"""The owner of detections that no sequence holds, which are always veiled."""


class Owners:
    """The owners of detections. A copy shares what is not changed.

    Parameters
    ----------
    log : DetectionLog
        As the analysis has it.

    Attributes
    ----------
    log : DetectionLog
        The same in the order of its frames, with the owners it had at first.
    """

    def __init__(self, log: DetectionLog) -> None:
        if (log.frames[1:] < log.frames[:-1]).any():
            order = np.argsort(log.frames, kind="stable")
            log = DetectionLog(log.frames[order], log.boxes[order], log.sequence[order])
        self.log = log
        self._order: Rows = np.argsort(log.sequence, kind="stable")
        self._starts = np.append(0, np.cumsum(np.bincount(log.sequence + 1)))
        self._changed: dict[int, Rows] = {}

    def copy(self) -> Owners:
        """Return owners that change apart from these."""
        twin = Owners.__new__(Owners)
        twin.log, twin._order, twin._starts = self.log, self._order, self._starts
        twin._changed = dict(self._changed)
        return twin

    def rows_of(self, owner: int) -> Rows:
        """Return the rows of a sequence's detections, or of those of `NONE`, rising."""
        changed = self._changed.get(owner)
        if changed is not None:
            return changed
        end = len(self._starts) - 1  # sequences that corrections added lie beyond it
        start, stop = self._starts[min(owner + 1, end)], self._starts[min(owner + 2, end)]
        return self._order[start:stop]

    def rows_between(self, owner: int, first: int, last: int) -> Rows:
        """Return those of the frames `first` to `last`, both included."""
        rows = self.rows_of(owner)
        # Keys of another type would make NumPy convert all frames first.
        low = np.searchsorted(self.log.frames, np.int32(first))
        high = np.searchsorted(self.log.frames, np.int32(last), side="right")
        start, stop = np.searchsorted(rows, np.array([low, high], np.intp))
        return rows[start:stop]

    def give(self, rows: Rows, owner: int, new: Ints) -> None:
        """Give rows [n] of an owner, in rising order, to the owners `new` [n]."""
        before = self.rows_of(owner)
        self._changed[owner] = np.delete(before, np.searchsorted(before, rows))
        for taker in np.unique(new).tolist():
            taken = rows[new == taker]
            self._changed[taker] = np.sort(np.concatenate([self.rows_of(taker), taken]))

    def log_of(self, numbers: Ints | None) -> DetectionLog:
        """Return the log with the owners of now.

        Parameters
        ----------
        numbers : ndarray of int32 [sequences + 1], optional
            The new number of each sequence and, last, of `NONE`; without it they keep theirs.
        """
        owner = self.log.sequence
        if self._changed:
            owner = owner.copy()
            for index, rows in self._changed.items():
                owner[rows] = index
        return replace(self.log, sequence=owner if numbers is None else numbers[owner])
