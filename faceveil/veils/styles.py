"""The look of a veil: its options, and the samples that replace a face.

A veil cannot be undone: at most the mean brightness under it is measured, and "blend" reads nothing
there (`membrane`). Noise in at most 8 x 8 cells is added, and only then are the cells enlarged.
Cells with means of their own would still identify a face (benchmarks/reports/attack.md): noise
averages out over photos of a person, and noise that is fixed per sequence is the same in all
frames, so that it cancels between two of them where a face moves under its veil. Colour identifies
people too, and would need so much noise that veils look garish: they are grey, or have the colours
of what lies around them.

The noise is fixed per sequence and laid over the *box*, to fractions of a pixel: a veil is steady
while it follows a face, and averaging frames leaves it as it is. Its strength follows the
brightness, so that dark scenes stay quiet and a fade does not tell one from the other.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from faceveil.errors import UsageError
from faceveil.faces import Floats

STYLE_NAMES = ("blend", "round", "head", "square", "pixelate", "solid", "upper")
MAX_CELLS = 8
MIN_CELL_SIZE = 4.0
"""Samples along a side of a cell: a small face gets fewer cells, never cells of one sample."""
_DARKEST = 1 / 16
"""Share of the sample range from which the noise follows the brightness: video black."""


@dataclass(frozen=True, slots=True)
class VeilStyle:
    """How faces are veiled. With every value of these options a veil cannot be undone.

    Attributes
    ----------
    name : {"blend", "round", "head", "square", "pixelate", "solid", "upper"}
        "blend" is an ellipse with a soft edge, filled with the colours around it. "round" is a grey
        ellipse with a soft edge, "head" a larger one that covers hair, ears and chin as well, but
        in a profile not the back of the head. "square" is a smooth rectangle, "pixelate" a
        rectangle with visible cells, "solid" a rectangle of one colour. "upper" is as "square",
        over eyes and brows only: what it leaves can be enough for a recogniser. It is for data sets
        that need mouths, not for people who must not be recognised.
    margin : float
        Added on each side, as a share of the box's width and height, 0 to 2.
    head : float
        Added above that for forehead and hair, as a share of the box's height, 0 to 2; not for
        "upper".
    cells : int
        The veil of a face has at most cells x cells values, 1 to 8.
    noise : float
        Standard deviation of the noise, as a share of twice the brightness under the veil (for a
        picture of medium brightness, of the sample range), 0 to 0.5. One part of it differs between
        cells, another is common to all.
    colour : (int, int, int)
        RGB of "solid", 0 to 255.

    Raises
    ------
    UsageError
        For values outside these ranges.
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
        return self.name in ("blend", "round", "head")

    @property
    def is_smooth(self) -> bool:
        return self.name != "pixelate"


def enlargement(low: float, high: float, start: int, stop: int, style: VeilStyle) -> Floats:
    """Return weights float32 [cells, samples] that spread cells over the samples start … stop - 1.

    The cells lie from `low` to `high`, in samples with fractions; a box may begin outside the
    picture.
    """
    count = max(1, min(style.cells, int((high - low) / MIN_CELL_SIZE)))
    size = (high - low) / count
    samples = np.arange(stop - start, dtype=np.float32)
    position = samples * np.float32(1 / size) + np.float32((start + 0.5 - low) / size - 0.5)
    centres = np.arange(count, dtype=np.float32)[:, None]
    distance = np.abs(position.clip(0, count - 1) - centres)
    if not style.is_smooth:
        return np.asarray(distance.argmin(axis=0) == centres, np.float32)
    # Cubic B-spline (times 6): smooth, and without the overshoot of bicubic interpolation.
    far = np.maximum(2 - distance, 0)
    near = np.maximum(1 - distance, 0)
    weights: Floats = far * far * far - 4 * (near * near * near)
    weights /= weights.sum(axis=0)
    return weights


def noisy_cells(cells: Floats, brightness: float, noise: Floats, peak: int) -> Floats:
    """Return cells with noise added, in sample units.

    Parameters
    ----------
    cells : ndarray of float32 [channels, rows, columns]
    brightness : float
        Their brightness, which the strength of the noise follows.
    noise : ndarray of float32 [rows, columns]
        Of `veil_noise`.
    peak : int
        The largest sample value.
    """
    strength = np.float32(2 * max(brightness / peak, _DARKEST))
    return np.asarray((cells + strength * noise).clip(0, peak), np.float32)


@lru_cache(maxsize=1024)
def veil_noise(seed: int, style: VeilStyle, peak: int) -> Floats:
    """Return the noise of a sequence at medium brightness, float32 [8, 8] in sample units."""
    random = np.random.default_rng(seed)
    noise: Floats = random.standard_normal((MAX_CELLS, MAX_CELLS), np.float32)
    noise += random.standard_normal(dtype=np.float32)
    noise *= np.float32(style.noise * peak)
    noise.flags.writeable = False
    return noise
