"""Whether a veil is really in the output, by its pixels: no network, so every frame can be checked.

The veil is a function of the input, so what the output must show is known: the input, veiled once
more. A missing veil changes that by exactly what the veil would have changed. How much of that is
seen is a projection: 0 where the veil is, 1 where it is not, and an encoder's noise hardly moves it
(benchmarks/reports/verification.md).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from faceveil.faces import Floats, Image

_MISSING, _QUARTER_MISSING = 0.6, 0.75
"""Share of a veil's change that may be absent, over its whole region and in a quarter of it.
Correct outputs reach 0.05 and 0.14 at crf 18, 0.43 and 0.60 at crf 35."""
_DISTINCT = 9.0
"""Mean squared difference (grey levels) that a veil must make to be judged: what looks the same
with and without its veil hides nothing."""


def missing_veils(
    original: Image, expected: Image, shown: Image, regions: NDArray[np.float64]
) -> tuple[NDArray[np.bool_], Floats]:
    """Which veils are missing, bool [n], and how much of each is, float32 [n] about 0 to 1.

    original, expected and shown are one frame RGB uint8 [H, W, 3]: of the input, of the input
    veiled again, and of the output. regions [n, 4] are the parts that a veil must hide; one that is
    missing in a quarter of its region only is missing too.
    """
    height, width = original.shape[:2]
    low = np.floor(regions[:, :2]).clip(0, (width, height)).astype(int)
    high = np.ceil(regions[:, 2:]).clip(0, (width, height)).astype(int)
    shares = np.zeros((len(regions), 5), np.float32)
    for row, ((x1, y1), (x2, y2)) in enumerate(zip(low.tolist(), high.tolist(), strict=True)):
        part = slice(y1, y2), slice(x1, x2)
        shares[row] = _absent(original[part], expected[part], shown[part])
    missing = (shares[:, 0] >= _MISSING) | (shares[:, 1:] >= _QUARTER_MISSING).any(axis=1)
    return missing, shares.max(axis=1)


def _absent(original: Image, expected: Image, shown: Image) -> Floats:
    """Share of the veil's change that is absent, float32 [5]: of all and of each quarter."""
    veiled = expected.astype(np.float32)
    change, rest = original - veiled, shown - veiled
    height, width = change.shape[:2]
    rows, columns = [0, height // 2], [0, width // 2]
    if 0 in (height // 2, width // 2):
        return np.zeros(5, np.float32)
    energy, shared = (
        np.add.reduceat(np.add.reduceat(product.sum(axis=2), rows, axis=0), columns, axis=1).ravel()
        for product in (change * change, change * rest)
    )
    samples = np.outer(np.diff([*rows, height]), np.diff([*columns, width])).ravel() * 3
    energy, shared, samples = (
        np.concatenate([[value.sum()], value]) for value in (energy, shared, samples)
    )
    distinct = energy >= _DISTINCT * samples
    share = np.divide(shared, energy, out=np.zeros_like(shared), where=distinct)
    return np.asarray(share, np.float32)
