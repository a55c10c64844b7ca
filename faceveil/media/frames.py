"""What every source and sink of frames has in common: Frame, FrameSource, FrameSink."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Protocol

from numpy.typing import NDArray

from faceveil.faces import Image


@dataclass(slots=True, eq=False)
class Planes:
    """The stored samples of one frame, upright and writable in place.

    Either one plane [H, W, C] or [H, W] (a picture: RGB, RGBA or grey, uint8 or uint16), or
    luma [H, W] with two chroma planes, subsampled or not (a video frame, 8 or 10 bits). A veil
    works on the stored samples, so that nothing outside it is converted twice.
    """

    planes: tuple[NDArray[Any], ...]
    peak: int

    def colour(self, rgb: tuple[int, int, int]) -> tuple[Any, ...]:
        """What an RGB colour (0-255) is in each plane: a scalar, or one value per channel."""
        raise NotImplementedError


class Frame(Protocol):
    """One decoded frame. `number` is 0-based; width and height are those of the upright frame."""

    number: int
    width: int
    height: int

    def rgb(self) -> Image:
        """The upright frame as RGB uint8 [height, width, 3], contiguous. Safe in any thread."""
        ...

    def planes(self) -> Planes:
        """The upright samples; writing to them changes what a sink will store."""
        ...


@dataclass(frozen=True, slots=True)
class Problem:
    """A part of the input that could not be read: which frames (as text), and why."""

    where: str
    message: str


class FrameSource(Protocol):
    """Frames in order. Iterating again reads again from the start (analysis, then rendering)."""

    path: Path
    width: int
    height: int
    frame_count: int | None
    """How many frames there are; None or an estimate where only decoding can tell."""
    rate: Fraction | None
    """Average frames per second, None for pictures."""
    problems: list[Problem]
    """What the last iteration could not read, filled while iterating."""

    def __iter__(self) -> Iterator[Frame]: ...

    def digest(self) -> str:
        """ "sha256:<hex>" of the input, so that an analysis is never used with another video."""
        ...


class FrameSink(Protocol):
    """Where frames go, in the order of the source. A context manager.

    Leaving the block normally publishes the output under its final name; an exception removes
    everything that was written, so that no half file is left.
    """

    def write(self, frame: Frame, changed: bool) -> None:
        """Store a frame; `changed` says whether its planes were written to."""
        ...

    def __enter__(self) -> FrameSink: ...

    def __exit__(self, *exc: object) -> None: ...
