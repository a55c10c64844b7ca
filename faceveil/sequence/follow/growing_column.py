"""A column that grows row by row."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray


class GrowingColumn:
    """An array that rows are appended to; it doubles when full, so that appending stays cheap."""

    def __init__(self, row_shape: tuple[int, ...], dtype: DTypeLike) -> None:
        self._rows = np.zeros((1024, *row_shape), dtype)
        self._length = 0

    def append(self, rows: ArrayLike, count: int) -> None:
        """Append `count` rows, given as an array or as one value for all of them."""
        end = self._length + count
        if end > len(self._rows):
            larger = np.zeros(
                (max(end, 2 * len(self._rows)), *self._rows.shape[1:]), self._rows.dtype
            )
            larger[: self._length] = self._rows[: self._length]
            self._rows = larger
        self._rows[self._length : end] = rows
        self._length = end

    @property
    def values(self) -> NDArray[Any]:
        return self._rows[: self._length]
