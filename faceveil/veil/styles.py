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
from numpy.typing import NDArray

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
    the face only: eyes and brows; the mouth stays visible).
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


@lru_cache(maxsize=1024)
def sequence_noise(seed: int) -> Floats:
    """The noise of a sequence: float32 [4, 8, 8], standard normal.

    Layer 0 is shared by all channels of a pixel (brightness), layers 1-3 belong to one each.
    """
    noise = np.random.default_rng(seed).standard_normal((4, MAX_CELLS, MAX_CELLS), np.float32)
    noise.flags.writeable = False
    return noise


@dataclass(frozen=True, slots=True, eq=False)
class Axis:
    """One direction of a veil's cells over the samples of a plane that lie in the picture.

    `first` is the number of the first cell seen (a box may begin outside the picture), `reduce`
    float32 [cells, samples] takes area means, `enlarge` float32 [samples, cells] spreads them.
    """

    first: int
    reduce: Floats
    enlarge: Floats


def axis(low: float, high: float, start: int, stop: int, style: VeilStyle) -> Axis:
    """Lay cells from `low` to `high` (samples, with fractions) for the samples start … stop - 1.

    [low, high] and the samples must overlap. Only those samples are measured.
    """
    count = max(1, min(style.cells, int((high - low) / MIN_CELL_SIZE)))
    edges = np.linspace(low, high, count + 1)
    samples = np.arange(start, stop)
    overlap = np.minimum(edges[1:, None], samples + 1) - np.maximum(edges[:-1, None], samples)
    overlap = np.maximum(overlap, 0)
    area = overlap.sum(axis=1)
    seen = np.flatnonzero(area > 0)
    position = (samples + 0.5 - low) * (count / (high - low)) - seen[0] - 0.5
    return Axis(
        first=int(seen[0]),
        reduce=(overlap[seen] / area[seen, None]).astype(np.float32),
        enlarge=_enlarge(position, len(seen), smooth=style.is_smooth),
    )


def _enlarge(position: NDArray[np.float64], count: int, *, smooth: bool) -> Floats:
    """Weights float32 [samples, count] of the cells, centred at 0 … count - 1, at each position."""
    position = np.clip(position, 0, count - 1)
    distance = np.abs(position[:, None] - np.arange(count))
    if smooth:
        # Cubic B-spline: smooth, without the overshoot of bicubic interpolation.
        near = 2 / 3 - distance**2 + distance**3 / 2
        far = np.maximum(2 - distance, 0) ** 3 / 6
        weights = np.where(distance < 1, near, far)
    else:
        weights = np.zeros_like(distance)
        weights[np.arange(len(position)), distance.argmin(axis=1)] = 1
    weights /= weights.sum(axis=1, keepdims=True)
    return weights.astype(np.float32)


def veil_samples(samples: Floats, rows: Axis, columns: Axis, noise: Floats, peak: int) -> Floats:
    """The samples float32 [h, w] that replace those of a region.

    noise: float32 [8, 8] in sample units, added to the cells; peak: the largest sample value.
    """
    cells = np.asarray(rows.reduce @ samples @ columns.reduce.T, np.float32)
    height, width = cells.shape
    cells += noise[rows.first : rows.first + height, columns.first : columns.first + width]
    np.clip(cells, 0, peak, out=cells)
    return np.asarray(rows.enlarge @ cells @ columns.enlarge.T, np.float32)


def channel_noise(seed: int, channel: int, *, chroma: bool, style: VeilStyle, peak: int) -> Floats:
    """Noise float32 [8, 8] in sample units for a channel (0-2) of a pixel.

    Brightness noise goes into luma and into every channel of RGB; a chroma plane gets its own.
    """
    layers = sequence_noise(seed)
    noise: Floats = layers[1 + channel] * _CHANNEL_NOISE
    if not chroma:
        noise += layers[0]
    noise *= np.float32(style.noise * peak)
    return noise
