"""A decoded frame of a video, whose stored samples can be edited."""

from __future__ import annotations

import zlib
from fractions import Fraction
from typing import Any

import av
import numpy as np

from faceveil.faces import Image
from faceveil.media.frames import Planes
from faceveil.media.layout import (
    FULL,
    LIMITED,
    SWSCALE,
    VideoLayout,
    is_rgb,
    peak_of,
    samples,
)


class DecodedFrame:
    """A frame of a video; see `frames.Frame`."""

    __slots__ = ("_frame", "_layout", "_planes", "height", "number", "width")

    def __init__(self, number: int, frame: av.VideoFrame, layout: VideoLayout) -> None:
        self.number = number
        self.width, self.height = layout.orientation.size(layout.width, layout.height)
        self._frame = frame
        self._layout = layout
        self._planes: Planes | None = None

    @property
    def time(self) -> Fraction:
        """When the frame is shown, in seconds."""
        return (self._frame.pts or 0) * Fraction(self._frame.time_base or 0)

    def rgb(self) -> Image:
        """The upright frame, RGB uint8 [height, width, 3]; converted anew at each call."""
        layout = self._layout
        matrix = {} if is_rgb(self._frame) else {"src_colorspace": SWSCALE[layout.matrix]}
        picture = layout.convert(self._frame, "rgb24", **matrix)
        plane: Any = picture.planes[0]
        rows = np.frombuffer(plane, np.uint8).reshape(layout.height, plane.line_size)
        image = np.ascontiguousarray(rows[:, : 3 * layout.width])
        return layout.orientation.copy(image.reshape(layout.height, layout.width, 3))

    def planes(self) -> Planes:
        """Upright samples, writable, without alpha. The decoder's own copy, which later frames may
        be predicted from, is never written to."""
        if self._planes is None:
            frame = self.stored()
            frame.make_writable()
            orientation = self._layout.orientation
            peak = peak_of(frame)
            views = tuple(orientation.view(samples(plane, peak)) for plane in frame.planes[:3])
            self._planes = Planes(views, peak, self._layout.coding)
        return self._planes

    def replace(self, image: Image) -> None:
        """Show an upright picture RGB uint8 [height, width, 3] instead, at the time of this one."""
        layout = self._layout
        peak = self.planes().peak  # makes the frame writable
        stored = np.empty((layout.height, layout.width, 3), np.uint8)
        layout.orientation.view(stored)[...] = image
        picture = layout.convert(
            av.VideoFrame.from_ndarray(stored, "rgb24"),
            layout.pixel_format,
            dst_colorspace=SWSCALE[layout.matrix],
            dst_color_range=FULL if layout.coding.full_range else LIMITED,
        )
        for target, changed in zip(self._frame.planes[:3], picture.planes, strict=False):
            samples(target, peak)[...] = samples(changed, peak)

    def copy(self) -> DecodedFrame:
        """The same frame with samples of its own, as it was before any veil was drawn."""
        stored = self.stored()
        twin = av.VideoFrame(stored.width, stored.height, stored.format.name)
        peak = peak_of(stored)
        for target, source in zip(twin.planes, stored.planes, strict=True):
            samples(target, peak)[...] = samples(source, peak)
        twin.pts, twin.time_base = stored.pts, stored.time_base
        twin.colorspace, twin.color_range = stored.colorspace, stored.color_range
        return DecodedFrame(self.number, twin, self._layout)

    @property
    def nbytes(self) -> int:
        """The memory that its samples take."""
        return sum(plane.buffer_size for plane in self.stored().planes)

    def checksum(self) -> int:
        """A number of 32 bits that tells whether two frames show the same, as long as neither was
        made to deceive."""
        frame = self.stored()
        peak, total = peak_of(frame), 0
        for plane in frame.planes:
            columns = np.bitwise_xor.reduce(samples(plane, peak), axis=0)
            total = zlib.crc32(columns.tobytes(), total)
        return total

    def stored(self) -> av.VideoFrame:
        """The frame as it will be encoded: turned as in the source, `layout.pixel_format`."""
        frame, layout = self._frame, self._layout
        if (frame.format.name, frame.width, frame.height) != (
            layout.pixel_format,
            layout.width,
            layout.height,
        ):
            to_limited = {"dst_colorspace": 1, "dst_color_range": LIMITED}
            options = to_limited if is_rgb(frame) else {}
            self._frame = layout.convert(frame, layout.pixel_format, **options)
        return self._frame
