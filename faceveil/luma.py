"""How bright a colour looks: the luma of ITU-R BT.601."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from faceveil.faces import Floats

RED, GREEN, BLUE = 0.299, 0.587, 0.114
_WEIGHTS = np.array([RED, GREEN, BLUE], np.float32)


def luma(rgb: NDArray[Any]) -> Floats:
    """Return the brightness of RGB samples.

    Parameters
    ----------
    rgb : ndarray [..., 3 or more]
        Red, green and blue in this order; further channels (transparency) do not count.

    Returns
    -------
    ndarray of float32 [...]
        Brightness in the units of the samples.
    """
    return np.asarray(rgb[..., :3] @ _WEIGHTS, np.float32)
