"""MTCNN written out in plain numpy, the way the package `mtcnn` defines it, and random weights.

Pictures are [N, H, W, C]. Slow and obvious on purpose: what the converters are held against.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

Array = NDArray[Any]

KERNELS = {
    "pnet": [(3, 3, 10), (3, 10, 16), (3, 16, 32)],
    "rnet": [(3, 3, 28), (3, 28, 48), (2, 48, 64)],
    "onet": [(3, 3, 32), (3, 32, 64), (3, 64, 64), (2, 64, 128)],
}
POOLS = {"pnet": [2, 0, 0], "rnet": [3, 3, 0], "onet": [3, 3, 2, 0]}
DENSE = {"rnet": (3, 128), "onet": (3, 256)}
HEADS = {"pnet": [4, 2], "rnet": [4, 2], "onet": [4, 10, 2]}


def random_weights(name: str, seed: int = 0) -> list[Array]:
    """Arrays in the shapes and the order of the package's .lz4 files."""
    rng = np.random.default_rng(seed)
    arrays: list[Array] = []
    for size, inputs, outputs in KERNELS[name]:
        fan_in = size * size * inputs
        arrays.append(rng.normal(0, fan_in**-0.5, (size, size, inputs, outputs)))
        arrays += [rng.normal(0, 0.1, outputs), rng.uniform(-0.3, 0.5, (1, 1, outputs))]
    features = KERNELS[name][-1][2]
    if name in DENSE:
        side, width = DENSE[name]
        count = side * side * features
        arrays += [rng.normal(0, count**-0.5, (count, width)), rng.normal(0, 0.1, width)]
        arrays.append(rng.uniform(-0.3, 0.5, width))
        features = width
    for size in HEADS[name]:
        kernel = rng.normal(0, features**-0.5, (features, size))
        arrays += [kernel if name in DENSE else kernel[None, None], rng.normal(0, 0.1, size)]
    return [array.astype(np.float32) for array in arrays]


def run(name: str, weights: Iterable[Array], pictures: Array) -> list[Array]:
    """The heads in the file's order: box, landmarks for onet, probability."""
    arrays = iter(weights)
    value = pictures.astype(np.float64)
    for pool in POOLS[name]:
        value = _prelu(_convolve(value, next(arrays), next(arrays)), next(arrays))
        value = _pool(value, pool) if pool else value
    if name in DENSE:
        value = value.transpose(0, 2, 1, 3).reshape(len(value), -1)  # Keras Permute((2, 1, 3))
        value = _prelu(value @ next(arrays) + next(arrays), next(arrays))
    heads = [value @ np.squeeze(next(arrays)) + next(arrays) for _ in HEADS[name]]
    exponent = np.exp(heads[-1])
    heads[-1] = exponent / exponent.sum(axis=-1, keepdims=True)
    return heads


def _convolve(value: Array, kernel: Array, bias: Array) -> Array:
    size = kernel.shape[0]
    windows = sliding_window_view(value, (size, size), axis=(1, 2))
    convolved: Array = np.einsum("nhwcij,ijco->nhwo", windows, kernel) + bias
    return convolved


def _prelu(value: Array, slope: Array) -> Array:
    return np.where(value > 0, value, value * slope)


def _pool(value: Array, size: int) -> Array:
    """Stride 2; a window may reach over the lower and right edge."""
    rows, columns = (-(-(length - size) // 2) + 1 for length in value.shape[1:3])
    padded = np.full((len(value), 2 * rows + size, 2 * columns + size, value.shape[3]), -np.inf)
    padded[:, : value.shape[1], : value.shape[2]] = value
    windows = sliding_window_view(padded, (size, size), axis=(1, 2))[:, ::2, ::2]
    largest: Array = windows.max(axis=(-2, -1))[:, :rows, :columns]
    return largest
