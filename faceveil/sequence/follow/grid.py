"""Every row of a group paired with every column of it, for many small groups at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from faceveil.faces import Floats

Indices = NDArray[np.int64]

SMALL = 64


class Grid:
    """The pairs of each group as one flat list: group after group, row after row.

    Rows and columns lie one group after the other in lists of their own; group g has the
    `row_count[g]` rows from `row_start[g]` on, and columns likewise (int64 [g] each). rows and
    columns int64 [n]: which of them each pair joins; start int64 [g]: the first pair of a group.
    """

    def __init__(
        self, row_start: Indices, row_count: Indices, column_start: Indices, column_count: Indices
    ) -> None:
        self._row_start, self._row_count = row_start, row_count
        self._column_start, self._column_count = column_start, column_count
        sizes = row_count * column_count
        self.start: Indices = np.cumsum(sizes) - sizes
        rows = ranges(row_start, row_count)
        width = np.repeat(column_count, row_count)
        self.rows: Indices = np.repeat(rows, width)
        self.columns: Indices = ranges(np.repeat(column_start, row_count), width)

    def matrix(self, values: Floats, group: int) -> Floats:
        """Values [n] of the pairs of one group as [rows, columns], a view."""
        rows, columns = int(self._row_count[group]), int(self._column_count[group])
        start = int(self.start[group])
        return values[start : start + rows * columns].reshape(rows, columns)

    def products(
        self, row_vectors: Floats, row_of: Indices, column_vectors: Floats, column_of: Indices
    ) -> Floats:
        """The dot product of each pair, float32 [n]: of row_vectors[row_of[row]] and
        column_vectors[column_of[column]].

        Groups of one shape are multiplied together, which is many times faster than pair by pair.
        """
        products = np.zeros(len(self.rows), np.float32)
        shapes = self._row_count << 32 | self._column_count
        for shape in np.unique(shapes).tolist():
            rows, columns = shape >> 32, shape & 0xFFFFFFFF
            groups = np.flatnonzero(shapes == shape)
            left = row_vectors[row_of[self._row_start[groups, None] + np.arange(rows)]]
            columns_of_group = self._column_start[groups, None] + np.arange(columns)
            right = column_vectors[column_of[columns_of_group]]
            pairs = self.start[groups, None] + np.arange(rows * columns)
            # For matrices as small as those of most frames einsum has less overhead than BLAS.
            small = rows * columns <= SMALL
            dot = np.einsum("gid,gjd->gij", left, right) if small else left @ right.mT
            products[pairs] = dot.reshape(pairs.shape)
        return products


def ranges(start: Indices, count: Indices) -> Indices:
    """The numbers start, start + 1, … of each range, one range after the other, int64."""
    before = np.cumsum(count) - count
    return np.asarray(np.arange(int(count.sum())) + np.repeat(start - before, count), np.int64)
