"""Whether a veil is really in the output, by its pixels: no network, so every frame can be checked.

Where a veil is missing, the output differs from what it must show by exactly what the veil would
have changed. How much of that change is there is a projection: 0 where the veil is, 1 where it is
not, and the noise of an encoder hardly moves it (benchmarks/reports/verification.md).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from faceveil.assure.traces import LATTICE, Samples
from faceveil.faces import Floats

_MISSING, _QUARTER_MISSING = 0.6, 0.75
"""Share of a veil's change that may be absent, over its whole region and in a quarter of it."""
_DISTINCT = 9.0
"""Mean squared difference, in grey levels, that a veil must make to be judged: one that changes
nothing hides nothing."""


def missing_veils(
    original: Samples, veiled: Samples, shown: Samples
) -> tuple[NDArray[np.bool_], Floats]:
    """Find the veils that are missing.

    Parameters
    ----------
    original, veiled, shown : ndarray of uint8 [n, LATTICE, LATTICE]
        Samples of the same places (`traces`) of the input, of the input veiled again, and of the
        output.

    Returns
    -------
    missing : ndarray of bool [n]
        A veil that is absent in one quarter of its region only is missing too.
    share : ndarray of float32 [n]
        How much of each veil is missing, about 0 to 1.
    """
    change = original.astype(np.float32) - veiled
    rest = shown.astype(np.float32) - veiled
    energy, shared = _sums(change * change), _sums(change * rest)
    count = LATTICE * LATTICE / np.array([1, 4, 4, 4, 4], np.float32)
    share = np.divide(shared, energy, out=np.zeros_like(shared), where=energy >= _DISTINCT * count)
    missing = (share[:, 0] >= _MISSING) | (share[:, 1:] >= _QUARTER_MISSING).any(axis=1)
    return missing, np.asarray(share.max(axis=1), np.float32)


def _sums(samples: Floats) -> Floats:
    """Sums over each lattice and over each of its quarters, float32 [n, 5]."""
    half = LATTICE // 2
    quarters = samples.reshape(-1, 2, half, 2, half).sum(axis=(2, 4)).reshape(-1, 4)
    return np.asarray(np.column_stack([quarters.sum(axis=1), quarters]), np.float32)
