"""What a veil looks like: its options, and the samples that replace a face (DESIGN policy 3).

A face is reduced to a few cells (area means), noise is added, and only then is it enlarged again.
Every sample of a veil is a function of those cells, so nothing finer than a cell can come back.

Safety over time. The cells are laid over the *box*, to fractions of a pixel, not over the picture:
however the face moves, each frame measures the same parts of it, so that frames cannot be combined
into a finer grid (world-fixed mosaics can; only the jitter of the box itself is left, and boxes are
smoothed). The noise is fixed per sequence in the same cells, so that averaging frames keeps it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from faceveil.errors import UsageError
from faceveil.faces import Floats

STYLE_NAMES = ("round", "square", "pixelate", "solid", "upper")
MAX_CELLS = 8
MIN_CELL_SIZE = 4.0
"""Samples along a side of a cell: a small face gets fewer cells, never cells of one sample."""
_CHANNEL_NOISE = np.float32(0.5)
"""Noise of single channels, as a share of the noise of the brightness."""


@dataclass(frozen=True, slots=True)
class VeilStyle:
    """How faces are veiled. The defaults are policy 3's.

    name: "round" (ellipse with a soft edge), "square" (rectangle, smooth), "pixelate" (rectangle,
    visible cells), "solid" (rectangle of one colour) or "upper" (as square, over the upper part of
    the face only: eyes and brows). What "upper" leaves can be enough for a recogniser: it is for
    data sets that need mouths, not for people who must not be recognised.
    margin: added on each side, as a share of the box's width and height.
    head: added above that for forehead and hair, as a share of the box's height; not for "upper".
    cells: a face is reduced to at most cells x cells values, 1 to 8.
    noise: standard deviation of the noise, as a share of the sample range, 0 to 0.5.
    colour: RGB 0-255 of "solid".

    Raises UsageError for values outside these.
    """

    name: str = "round"
    margin: float = 0.25
    head: float = 0.25
    cells: int = MAX_CELLS
    noise: float = 0.06
    colour: tuple[int, int, int] = (0, 0, 0)

    def __post_init__(self) -> None:
        if self.name not in STYLE_NAMES:
            raise UsageError(
                f"no veil is called {self.name!r}: use one of {', '.join(STYLE_NAMES)}"
            )
        for field, value, low, high in (
            ("margin", self.margin, 0, 2),
            ("head", self.head, 0, 2),
            ("cells", self.cells, 1, MAX_CELLS),
            ("noise", self.noise, 0, 0.5),
        ):
            if not low <= value <= high:
                raise UsageError(f"veil {field} must be between {low} and {high}, found {value}")
        if len(self.colour) != 3 or not all(0 <= value <= 255 for value in self.colour):
            raise UsageError(f"veil colour must be three numbers 0-255, found {self.colour}")

    @property
    def is_round(self) -> bool:
        return self.name == "round"

    @property
    def is_smooth(self) -> bool:
        return self.name != "pixelate"


@dataclass(frozen=True, slots=True, eq=False)
class Axis:
    """One direction of a veil's cells over the samples of a plane that lie in the picture.

    `first` is the number of the first cell seen (a box may begin outside the picture); `reduce`
    and `enlarge`, float32 [cells, samples], take area means and spread them again.
    """

    first: int
    reduce: Floats
    enlarge: Floats


def axis(low: float, high: float, start: int, stop: int, style: VeilStyle) -> Axis:
    """Lay cells from `low` to `high` (samples, with fractions) for the samples start … stop - 1.

    [low, high] and the samples must overlap. Only those samples are measured.
    """
    count = max(1, min(style.cells, int((high - low) / MIN_CELL_SIZE)))
    size = (high - low) / count
    edges = low - start + size * np.arange(count + 1)
    area = np.diff(edges.clip(0, stop - start))
    # A cell that the frame's border leaves a sliver of would be no mean: its neighbour stands in.
    seen = np.flatnonzero(area >= min(area.max(), MIN_CELL_SIZE))
    first, last = int(seen[0]), int(seen[-1])
    samples = np.arange(stop - start, dtype=np.float32)
    # How much of each sample lies before each edge; between two edges it is in the cell.
    before = (edges[first : last + 2, None].astype(np.float32) - samples).clip(0, 1)
    reduce = (before[1:] - before[:-1]) / area[seen, None].astype(np.float32)
    position = samples * np.float32(1 / size) + np.float32((start + 0.5 - low) / size - first - 0.5)
    return Axis(first, reduce, _enlarge(position, last - first + 1, smooth=style.is_smooth))


def _enlarge(position: Floats, count: int, *, smooth: bool) -> Floats:
    """Weights float32 [count, samples] of the cells, centred at 0 … count - 1, at each position."""
    centres = np.arange(count, dtype=np.float32)[:, None]
    distance = np.abs(position.clip(0, count - 1) - centres)
    if not smooth:
        return np.asarray(distance.argmin(axis=0) == centres, np.float32)
    # Cubic B-spline (times 6): smooth, and without the overshoot of bicubic interpolation.
    far = np.maximum(2 - distance, 0)
    near = np.maximum(1 - distance, 0)
    weights: Floats = far * far * far - 4 * (near * near * near)
    weights /= weights.sum(axis=0)
    return weights


def noisy_cells(means: Floats, rows: Axis, columns: Axis, noise: Floats, peak: int) -> Floats:
    """Cells float32 [channels, rows, columns] with their noise float32 [channels, 8, 8].

    Both in sample units; peak is the largest sample value.
    """
    height, width = means.shape[1:]
    part = noise[:, rows.first : rows.first + height, columns.first : columns.first + width]
    return np.asarray((means + part).clip(0, peak), np.float32)


@lru_cache(maxsize=1024)
def veil_noise(seed: int, style: VeilStyle, peak: int, *, chroma: bool) -> Floats:
    """The noise of a sequence in sample units, float32 [3, 8, 8]: one layer per channel.

    All channels of RGB share most of it (brightness, as luma); chroma planes have their own.
    """
    layers = np.random.default_rng(seed).standard_normal((4, MAX_CELLS, MAX_CELLS), np.float32)
    noise: Floats = layers[1:] * _CHANNEL_NOISE
    if chroma:
        noise = np.roll(noise, -1, axis=0)
    else:
        noise += layers[0]
    noise *= np.float32(style.noise * peak)
    noise.flags.writeable = False
    return noise
