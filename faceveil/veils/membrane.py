"""A veil filled from its rim, like a membrane stretched over an ellipse: nothing under it is read.

The colours around the ellipse are fitted by a few waves along its rim (a truncated Fourier series),
and each wave decays towards the middle as a harmonic function on a disc does (Poisson's integral):
the fill meets the picture at the rim and has no edge of its own inside.

All of it happens on a unit disc, so that what does not depend on the picture is computed once for
veils of similar size.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from math import ceil, floor, log2
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from faceveil.boxes import centres, sides
from faceveil.faces import Floats
from faceveil.veils.region import Geometry

_MEANS = 24
"""Means along a side of what is read around a veil."""
_WAVES = 4
_STIFFNESS = 0.02
"""How much the waves are held back where little of the rim can be read."""
_UNSURE = 2.0
"""Samples by which a mean may reach beyond its place: a border within a sample, and rounding."""

Bounds = tuple[int, int, int, int]


class Surroundings:
    """What may be read of planes of one resolution: all that lies outside every face.

    Parameters
    ----------
    planes : sequence of ndarray [h, w, c]
        Read when a fill is asked for. Veils that were drawn into them meanwhile are not read.
    peak : int
        The largest value of a sample.
    faces : ndarray of float64 [k, 4]
        The rectangles around the ellipses, in samples, that hold the faces of the frame, veiled
        or not, with their soft edges.
    """

    def __init__(self, planes: Sequence[NDArray[Any]], peak: int, faces: Geometry) -> None:
        self._planes, self._peak, self._faces = planes, peak, faces

    def fill(self, face: int, ellipse: Geometry, grid: Geometry, shape: tuple[int, int]) -> Floats:
        """Fill the cells of a veil with the colours around it.

        Parameters
        ----------
        face : int
            Which of the faces it veils.
        ellipse : ndarray of float64 [4]
            The rectangle around its opaque ellipse, in samples. No sample that it touches is read.
        grid : ndarray of float64 [4]
            The rectangle around the same centre that the cells are laid over.
        shape : (int, int)
            Rows and columns of cells.

        Returns
        -------
        ndarray of float32 [channels, rows, columns]
            The mean colours of the whole frame where none can be read around the veil.
        """
        centre, half = centres(ellipse[None])[0], sides(ellipse[None])[0] / 2
        rim = _rim(_reach(half.min()), *(_at_least(_UNSURE / length) for length in half))
        bounds = _whole(np.concatenate([centre - rim.reach * half, centre + rim.reach * half]))
        cells = _cells(shape, *(sides(grid[None])[0] / 2 / half).round(2).tolist())
        others = self._others(face, bounds)
        if not len(others) and self._in_frame(bounds):
            fill = cells @ (rim.fit @ self._means(bounds)[rim.rows, rim.columns])
        elif (readable := self._readable(bounds, others)[rim.rows, rim.columns]).any():
            means = self._means(bounds)[rim.rows[readable], rim.columns[readable]]
            fill = cells @ (rim.fit_to(readable) @ means)
        else:
            fill = np.broadcast_to(self._elsewhere, (shape[0] * shape[1], len(self._elsewhere)))
        return np.asarray(fill.T, np.float32).reshape(-1, *shape)

    @cached_property
    def _elsewhere(self) -> Geometry:
        """The mean colours [channels] of what lies outside all faces; grey where nothing does."""
        height, width = self._planes[0].shape[:2]
        bounds = 0, 0, width, height
        means = self._means(bounds)[self._readable(bounds, self._faces)]
        if len(means):
            return np.asarray(means.mean(axis=0))
        return np.full(sum(plane.shape[2] for plane in self._planes), (self._peak + 1) / 2)

    def _means(self, bounds: Bounds) -> Geometry:
        """Means over the parts of a rectangle, [_MEANS, _MEANS, channels].

        Outside the frame its border is repeated.
        """
        x1, y1, x2, y2 = bounds
        height, width = self._planes[0].shape[:2]
        left, top = max(x1, 0), max(y1, 0)
        right, bottom = min(x2, width), min(y2, height)
        means = []
        for plane in self._planes:
            part = np.ascontiguousarray(plane[top:bottom, left:right])
            if (left, top, right, bottom) != bounds:
                part = cv2.copyMakeBorder(
                    part, top - y1, y2 - bottom, left - x1, x2 - right, cv2.BORDER_REPLICATE
                )
            small = cv2.resize(part, (_MEANS, _MEANS), interpolation=cv2.INTER_AREA)
            means.append(small.reshape(_MEANS, _MEANS, -1))
        return np.concatenate(means, axis=2, dtype=np.float64)

    def _in_frame(self, bounds: Bounds) -> bool:
        height, width = self._planes[0].shape[:2]
        return bounds[0] >= 0 and bounds[1] >= 0 and bounds[2] <= width and bounds[3] <= height

    def _others(self, face: int, bounds: Bounds) -> Geometry:
        """The faces [k, 4] but one that reach into a rectangle."""
        apart = np.any([self._faces[:, :2] >= bounds[2:], self._faces[:, 2:] <= bounds[:2]], axis=2)
        near = np.flatnonzero(~apart.any(axis=0))
        others: Geometry = self._faces[near[near != face]]
        return others

    def _readable(self, bounds: Bounds, faces: Geometry) -> NDArray[np.bool_]:
        """Which parts of a rectangle lie wholly in the frame and outside faces [k, 4]."""
        x1, y1, x2, y2 = bounds
        height, width = self._planes[0].shape[:2]
        step_x, step_y = (x2 - x1) / _MEANS, (y2 - y1) / _MEANS
        x = x1 + step_x * (np.arange(_MEANS) + 0.5)
        y = y1 + step_y * (np.arange(_MEANS) + 0.5)
        readable = np.logical_and.outer(
            (y - step_y / 2 >= 0) & (y + step_y / 2 <= height),
            (x - step_x / 2 >= 0) & (x + step_x / 2 <= width),
        )
        for (centre_x, centre_y), (half_x, half_y) in zip(
            centres(faces).tolist(), (sides(faces) / 2).tolist(), strict=True
        ):
            across = _nearest(x - centre_x, step_x / 2 + 1) / half_x
            down = _nearest(y - centre_y, step_y / 2 + 1) / half_y
            readable &= np.add.outer(down * down, across * across) > 1
        return np.asarray(readable)


@dataclass(frozen=True, slots=True, eq=False)
class _Rim:
    """How colours around a unit disc become waves along its rim.

    Attributes
    ----------
    reach : float
        The means lie in a square from -reach to reach.
    rows, columns : ndarray of int64 [m]
        Those of the means that are used.
    waves : ndarray of float64 [m, 2 * _WAVES + 1]
        The waves at their directions.
    weights : ndarray of float64 [m]
        The nearer to the disc, the larger.
    fit : ndarray of float64 [2 * _WAVES + 1, m]
        Makes waves of all their colours.
    """

    reach: float
    rows: NDArray[np.int64]
    columns: NDArray[np.int64]
    waves: Geometry
    weights: Geometry
    fit: Geometry

    def fit_to(self, readable: NDArray[np.bool_]) -> Geometry:
        """Return what makes waves of the colours of some of the means, float64 [waves, n]."""
        return _fit(self.waves[readable], self.weights[readable])


@lru_cache(maxsize=256)
def _rim(reach: float, unsure_x: float, unsure_y: float) -> _Rim:
    """The rim of a disc, where means may reach beyond their places by so much in x and y."""
    places = ((np.arange(_MEANS) + 0.5) / _MEANS * 2 - 1) * reach
    half = reach / _MEANS
    across, down = _nearest(places, half + unsure_x), _nearest(places, half + unsure_y)
    outside = np.add.outer(down * down, across * across) > 1
    weights = np.maximum(reach - np.sqrt(np.add.outer(places**2, places**2)), 0) ** 2
    rows, columns = np.nonzero(outside & (weights > 0))
    weights = weights[rows, columns] / weights[outside].sum()
    directions = np.column_stack([places[columns], places[rows]])
    directions /= np.hypot(directions[:, 0], directions[:, 1])[:, None]
    waves = _waves(directions)
    return _Rim(reach, rows, columns, waves, weights, _fit(waves, weights))


def _fit(waves: Geometry, weights: Geometry) -> Geometry:
    """The matrix of weighted least squares; stiffness keeps short waves small."""
    number = np.arange(1, 2 * _WAVES + 2) // 2
    weighted = (waves * weights[:, None]).T
    normal = weighted @ waves + np.diag(_STIFFNESS * number.astype(np.float64) ** 2)
    return np.asarray(np.linalg.solve(normal, weighted))


@lru_cache(maxsize=256)
def _cells(shape: tuple[int, int], across: float, down: float) -> Geometry:
    """The waves at cells laid from -across to across and -down to down, one row for each cell.

    Cells outside the disc have the colours of its rim.
    """
    x = ((np.arange(shape[1]) + 0.5) / shape[1] * 2 - 1) * across
    y = ((np.arange(shape[0]) + 0.5) / shape[0] * 2 - 1) * down
    places = np.stack(np.meshgrid(x, y), axis=2).reshape(-1, 2)
    return _waves(places / np.maximum(np.hypot(places[:, 0], places[:, 1]), 1)[:, None])


def _waves(places: Geometry) -> Geometry:
    """The harmonic functions 1, Re z, Im z, Re z^2, … at places [n, 2] of the unit disc."""
    z = places[:, 0] + 1j * places[:, 1]
    powers = z[:, None] ** np.arange(1, _WAVES + 1)
    columns = np.stack([powers.real, powers.imag], axis=2).reshape(len(z), -1)
    return np.column_stack([np.ones(len(z)), columns])


def _reach(half: float) -> float:
    """How far around an ellipse colours are read, in its half axes: further around small ones."""
    return 1.5 if half >= 16 else 2.0 if half >= 6 else 4.0


def _at_least(share: float) -> float:
    """A power of two that is no less: rims of similar size are one."""
    return float(2.0 ** ceil(log2(share)))


def _nearest(offsets: Geometry, margin: float) -> Geometry:
    """Distances in one direction to the nearest points within a margin of places."""
    return np.maximum(np.abs(offsets) - margin, 0)


def _whole(rectangle: Geometry) -> Bounds:
    x1, y1, x2, y2 = rectangle.tolist()
    return floor(x1), floor(y1), ceil(x2), ceil(y2)
