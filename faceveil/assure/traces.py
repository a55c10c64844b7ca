"""Traces: what the veils of each frame must change, sampled from the input before rendering.

A veil is a function of the input, so the output can be predicted. A trace holds a lattice of
samples of the input under each veil, and the same samples veiled separately; `pixels.missing_veils`
compares the output with both. Traces are taken while rendering, or later from the input decoded
again.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from tempfile import SpooledTemporaryFile, gettempdir

import numpy as np
from numpy.typing import NDArray

from faceveil.analysis import Analysis
from faceveil.boxes import sides
from faceveil.errors import OutputError
from faceveil.faces import Ints
from faceveil.luma import luma
from faceveil.media.frames import Frame, Planes
from faceveil.veils.kinds import required_of, veil_planned
from faceveil.veils.plan import VeilPlan
from faceveil.veils.region import Geometry
from faceveil.veils.render import veil_whole
from faceveil.veils.styles import VeilStyle

LATTICE = 16
"""Samples along each side of a veil's region: twice as fine as its cells."""
_IN_MEMORY = 1 << 22
_SLIVER = 4
_HEADER = struct.Struct("<4i")

Samples = NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class Trace:
    """The veils of one frame.

    Attributes
    ----------
    number, width, height : int
        Number and size in pixels of the frame.
    original, veiled : ndarray of uint8 [n, LATTICE, LATTICE]
        Grey samples of the input under each veil, and of the veiled input.
    """

    number: int
    width: int
    height: int
    original: Samples
    veiled: Samples


@dataclass(frozen=True, slots=True, eq=False)
class Tracer:
    """Takes traces of the veils that an analysis asks for. Safe to use from several threads."""

    plan: VeilPlan
    style: VeilStyle
    frame_count: int

    @classmethod
    def of(cls, analysis: Analysis, style: VeilStyle) -> Tracer:
        plan = VeilPlan.build(
            analysis.sequences,
            analysis.veiled,
            secret=analysis.source.digest,
            unknown_frames=analysis.unknown_frames,
        )
        return cls(plan, style, analysis.source.frame_count)

    def is_whole(self, number: int) -> bool:
        """Return whether all of the frame must be veiled ("fail closed")."""
        return self.plan.whole(number) or number >= self.frame_count

    def regions(self, number: int, width: int, height: int) -> tuple[Geometry, Ints]:
        """Return the regions of a frame that veils must hide, and their sequences.

        Parameters
        ----------
        number, width, height : int
            Number and size in pixels of the frame.

        Returns
        -------
        regions : ndarray of float64 [n, 4]
            Pixels. Slivers at the border are left out: with few samples a veil cannot be told from
            the noise of an encoder.
        sequences : ndarray of int32 [n]
            -1 where all of the frame must be hidden.
        """
        if self.is_whole(number):
            return np.array([[0, 0, width, height]], np.float64), np.array([-1], np.int32)
        planned = self.plan.at(number)
        regions = required_of(planned.boxes, planned.kinds, self.style).clip(0, (width, height) * 2)
        visible = (sides(regions) >= _SLIVER).all(axis=1)
        return regions[visible], planned.sequence[visible]

    def trace(self, frame: Frame) -> Trace:
        """Return the trace of a frame of the input, which must not be veiled yet."""
        regions, _ = self.regions(frame.number, frame.width, frame.height)
        original = veiled = np.zeros((0, LATTICE, LATTICE), np.uint8)
        if len(regions):
            planes = frame.planes()
            original = grey_samples(planes, regions)
            veiled = grey_samples(self._veiled(planes, frame.number), regions)
        return Trace(frame.number, frame.width, frame.height, original, veiled)

    def _veiled(self, planes: Planes, number: int) -> Planes:
        """The planes with veils in the first of them, from which traces are sampled."""
        if self.is_whole(number):
            copies = tuple(plane.copy() for plane in planes.planes)
            copy = Planes(copies, planes.peak, planes.coding)
            veil_whole(copy, self.plan.whole_seed, self.style)
            return copy
        first, *chroma = planes.planes
        copy = Planes((first.copy(), *chroma), planes.peak, planes.coding)
        veil_planned(copy, self.plan.at(number), self.style, luma_only=True)
        return copy


class TraceLog:
    """The traces of all frames in order, in memory up to 4 MB, beyond that in a temporary file.

    Traces are small pictures of faces: the file has no name and vanishes with the process.
    """

    def __init__(self, analysis: Analysis, style: VeilStyle) -> None:
        self._tracer = Tracer.of(analysis, style)
        self._file = SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115 (lives as long as the log)

    def add(self, frame: Frame) -> None:
        """Trace the next frame of the input; call it before the frame is written to.

        Raises OutputError when the temporary file cannot be written.
        """
        trace = self._tracer.trace(frame)
        header = _HEADER.pack(trace.number, trace.width, trace.height, len(trace.original))
        try:
            self._file.write(header + trace.original.tobytes() + trace.veiled.tobytes())
        except OSError as error:
            raise OutputError(
                f"{gettempdir()}: temporary files of verification cannot be stored there "
                f"({error.strerror}); free space, choose another folder with TMPDIR, or use "
                "--verify-frames off"
            ) from error

    def __iter__(self) -> Iterator[Trace]:
        self._file.seek(0)
        while header := self._file.read(_HEADER.size):
            number, width, height, count = _HEADER.unpack(header)
            shape = (2, count, LATTICE, LATTICE)
            content = self._file.read(int(np.prod(shape)))
            samples = np.frombuffer(content, np.uint8).reshape(shape)
            yield Trace(number, width, height, samples[0], samples[1])


def grey_samples(planes: Planes, regions: Geometry) -> Samples:
    """Return a lattice of brightness, 0-255, over each region [n, 4]: uint8 [n, LATTICE, LATTICE].

    Samples lie in the same places for the same regions of two pictures of one size.
    """
    plane = planes.planes[0]
    rows = _lattice(regions[:, 1], regions[:, 3], plane.shape[0])
    columns = _lattice(regions[:, 0], regions[:, 2], plane.shape[1])
    picked = plane[rows[:, :, None], columns[:, None, :]].astype(np.float32) * (255 / planes.peak)
    if len(planes.planes) == 3 and not planes.coding.full_range:
        picked = (picked - 16) * np.float32(255 / 219)
    if picked.ndim == 4:
        picked = picked[..., 0] if picked.shape[3] < 3 else luma(picked)
    return np.asarray(picked.clip(0, 255) + np.float32(0.5), np.uint8)


def _lattice(low: Geometry, high: Geometry, size: int) -> NDArray[np.intp]:
    """LATTICE sample numbers [n, LATTICE] spread evenly between low and high [n]."""
    step = (np.arange(LATTICE) + 0.5) / LATTICE
    places = low[:, None] + (high - low)[:, None] * step
    return places.astype(np.intp).clip(0, size - 1)
