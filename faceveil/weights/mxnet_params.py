"""MXNet's binary .params format: named arrays, little-endian, read without MXNet."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faceveil.errors import WeightsError

LIST_MAGIC = 0x112
# an array starts with one of these, or in MXNet < 0.9 with its number of dimensions
INT64_SHAPE_MAGIC = 0xF993FAC8
STORAGE_TYPE_MAGICS = (0xF993FAC9, 0xF993FACA)
DENSE = (0, -1)
DTYPES = (np.float32, np.float64, np.float16, np.uint8, np.int32, np.int8, np.int64)


class _Reader:
    def __init__(self, data: bytes) -> None:
        self.data, self.position = data, 0

    def take(self, layout: str) -> tuple[int, ...]:
        values = struct.unpack_from(f"<{layout}", self.data, self.position)
        self.position += struct.calcsize(f"<{layout}")
        return values

    def raw(self, count: int) -> bytes:
        chunk = self.data[self.position : self.position + count]
        if len(chunk) != count:
            raise ValueError("it ends too early")
        self.position += count
        return chunk


def read_params(data: bytes, name: str) -> dict[str, NDArray[Any]]:
    """Arrays by name, without MXNet's "arg:" or "aux:" in front.

    `name` is the file's, for the WeightsError raised when it is not such a file.
    """
    reader = _Reader(data)
    try:
        magic, _, count = reader.take("QQQ")
        if magic != LIST_MAGIC:
            raise ValueError("it does not start like one")
        arrays = [_array(reader) for _ in range(count)]
        (name_count,) = reader.take("Q")
        names = [reader.raw(reader.take("Q")[0]).decode() for _ in range(name_count)]
    except (struct.error, ValueError, IndexError) as error:
        raise WeightsError(f"{name}: not an MXNet parameter file: {error}") from error
    if len(names) != len(arrays) or reader.position != len(data):
        raise WeightsError(f"{name}: not an MXNet parameter file: names and arrays do not match")
    return {key.split(":", 1)[-1]: array for key, array in zip(names, arrays, strict=True)}


def _array(reader: _Reader) -> NDArray[Any]:
    (first,) = reader.take("I")
    if first in STORAGE_TYPE_MAGICS:
        (storage,) = reader.take("i")
        if storage not in DENSE:
            raise ValueError("sparse arrays are not supported")
    if first in (*STORAGE_TYPE_MAGICS, INT64_SHAPE_MAGIC):
        (dimensions,) = reader.take("I")
        shape = reader.take(f"{dimensions}q")
    else:
        shape = reader.take(f"{first}I")
    _device_type, _device_number, type_number = reader.take("iii")
    dtype = np.dtype(DTYPES[type_number])
    count = int(np.prod(shape))
    return np.frombuffer(reader.raw(count * dtype.itemsize), dtype).reshape(shape)
