"""TransNetV2 (Souček and Lokoč, 2020): a network that confirms doubtful shot transitions."""

from __future__ import annotations

import logging

import numpy as np

from faceveil.errors import WeightsError
from faceveil.faces import Floats, Image
from faceveil.shots.transitions import Confirm


class TransNet:
    """Rates how likely each of 100 thumbnails ends a shot.

    The network is opened, and fetched where it is not cached, on the first call. Where its weights
    are unavailable a warning is logged once and nothing is confirmed: faint dissolves and wipes
    then go unnoticed.

    Parameters
    ----------
    threads : int
        Threads that one call may use.
    """

    def __init__(self, threads: int = 1) -> None:
        self._threads = threads
        self._run: Confirm | None = None

    def __call__(self, thumbnails: Image) -> Floats:
        """Return a likelihood for each thumbnail.

        Parameters
        ----------
        thumbnails : ndarray of uint8 [100, 27, 48, 3]
            RGB.

        Returns
        -------
        ndarray of float32 [100]
            From 0 to 1.
        """
        if self._run is None:
            try:
                self._run = _open(self._threads)
            except WeightsError as error:
                logging.getLogger(__name__).warning(
                    "TransNetV2 is unavailable, so faint dissolves and wipes are not detected: %s",
                    error,
                )
                self._run = _confirm_nothing
        return self._run(thumbnails)


def _open(threads: int) -> Confirm:
    from faceveil.weights.session import Runtime, open_session
    from faceveil.weights.store import locate

    path = locate("transnetv2", "shots").files["model"]
    session = open_session(path, Runtime(threads=threads))

    def confirm(thumbnails: Image) -> Floats:
        answer: Floats = session.run({"frames": thumbnails[None]}, ["single"])[0][0]
        return answer

    return confirm


def _confirm_nothing(thumbnails: Image) -> Floats:
    return np.zeros(len(thumbnails), np.float32)
