"""How the frames of one video are stored: size, pixel format, rotation and colours."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import av
import numpy as np
from av.video.plane import VideoPlane
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray

from faceveil.media.frames import BT601, BT709, BT2020, ColourCoding
from faceveil.media.orientation import UPRIGHT, Orientation, from_display_matrix
from faceveil.media.side_data import side_data

LIMITED, FULL = 1, 2  # AVCOL_RANGE_MPEG, AVCOL_RANGE_JPEG

_WEIGHTS = {  # AVColorSpace: weights of red and blue
    1: (BT709.red, BT709.blue),
    4: (0.30, 0.11),
    5: (BT601.red, BT601.blue),
    6: (BT601.red, BT601.blue),
    7: (0.212, 0.087),
    9: (BT2020.red, BT2020.blue),
    10: (BT2020.red, BT2020.blue),
}
SWSCALE = {1: 1, 4: 4, 5: 5, 6: 5, 7: 7, 9: 9, 10: 9}
"""swscale's own number of each AVColorSpace."""


@dataclass(frozen=True, slots=True)
class ColourTags:
    """What a video says about its colours, as FFmpeg's numbers."""

    primaries: int = 1
    transfer: int = 13
    matrix: int = 1
    range: int = LIMITED


@dataclass(frozen=True, slots=True, eq=False)
class VideoLayout:
    """How the frames of one video are stored.

    Attributes
    ----------
    width, height
        Of the stored frame, before it is turned; the largest there is where the size changes.
    pixel_format
        Planar YUV of 8, 10 or 12 bits in which frames are edited, with alpha where there is any.
    source_format
        The pixel format in which the decoder returns frames.
    orientation, display_matrix
        How the stored frame becomes upright.
    tags, matrix, coding
        Colours: what the file says, and the matrix and range that follow from it.
    converters
        One converter a thread.
    """

    width: int
    height: int
    pixel_format: str
    source_format: str
    orientation: Orientation
    display_matrix: tuple[int, ...] | None
    tags: ColourTags
    matrix: int
    coding: ColourCoding
    converters: threading.local = field(default_factory=threading.local)

    def convert(self, frame: av.VideoFrame, pixel_format: str, **options: int) -> av.VideoFrame:
        """The frame in another pixel format, at the size of the layout. Thread-safe."""
        return self._reformat(frame, self.width, self.height, pixel_format, **options)

    def fit(self, frame: av.VideoFrame) -> av.VideoFrame:
        """A frame of another size, scaled into the middle of a black one of this layout."""
        scale = min(self.width / frame.width, self.height / frame.height)
        width = min(self.width, 2 * round(frame.width * scale / 2))
        height = min(self.height, 2 * round(frame.height * scale / 2))
        options = {"dst_colorspace": 1, "dst_color_range": LIMITED} if is_rgb(frame) else {}
        scaled = self._reformat(frame, width, height, self.pixel_format, **options)
        if (width, height) == (self.width, self.height):
            return scaled
        canvas = self.black()
        canvas.pts, canvas.time_base = frame.pts, frame.time_base
        canvas.colorspace, canvas.color_range = scaled.colorspace, scaled.color_range
        peak = peak_of(canvas)
        left, top = (self.width - width) // 4 * 2, (self.height - height) // 4 * 2
        for plane, part in zip(canvas.planes, scaled.planes, strict=True):
            target, source = samples(plane, peak), samples(part, peak)
            across, down = self.width // target.shape[1], self.height // target.shape[0]
            y, x = top // down, left // across
            target[y : y + source.shape[0], x : x + source.shape[1]] = source
        return canvas

    def black(self) -> av.VideoFrame:
        """A black frame, opaque, without a time."""
        frame = av.VideoFrame(self.width, self.height, self.pixel_format)
        peak = peak_of(frame)
        fills = (*self.coding.encode((0, 0, 0), peak), peak)
        for plane, fill in zip(frame.planes, fills, strict=False):
            samples(plane, peak)[...] = fill
        return frame

    def _reformat(
        self, frame: av.VideoFrame, width: int, height: int, pixel_format: str, **options: int
    ) -> av.VideoFrame:
        if not hasattr(self.converters, "reformatter"):
            self.converters.reformatter = VideoReformatter()
        reformatter: VideoReformatter = self.converters.reformatter
        return reformatter.reformat(frame, width, height, pixel_format, threads=1, **options)


def depth_of(pixel_format: str) -> int:
    """Bits of the deepest component."""
    return max(component.bits for component in av.VideoFormat(pixel_format).components)


def has_alpha(pixel_format: str) -> bool:
    """Whether a pixel format has an alpha component of its own (not of a palette)."""
    return any(component.is_alpha for component in av.VideoFormat(pixel_format).components)


def subsampling_of(pixel_format: str) -> tuple[int, int]:
    """(across, down): how many luma samples one chroma sample covers."""
    image = av.VideoFormat(pixel_format, 64, 64)
    if len(image.components) < 3 or image.is_rgb:
        return 1, 1
    return 64 // image.chroma_width(64), 64 // image.chroma_height(64)


def stored_format(name: str, width: int, height: int) -> str:
    """The planar YUV format a frame is edited in; 4:4:4 where the size is odd.

    Chroma and alpha stay as they are. The depth becomes 8, 10 or 12 bits. RGB becomes 4:2:0, which
    every player shows.
    """
    depth = depth_of(name)
    bits = "" if depth <= 8 else "10le" if depth <= 10 else "12le"
    chroma = {(2, 1): "422", (1, 1): "444"}.get(subsampling_of(name), "420")
    if is_rgb_format(name):
        chroma = "420"
    if (width % 2 and chroma != "444") or (height % 2 and chroma == "420"):
        chroma = "444"
    alpha = "a" if has_alpha(name) and not is_rgb_format(name) else ""
    if alpha and bits == "12le":
        chroma = "444" if chroma == "420" else chroma  # there is no 4:2:0 with alpha of 12 bits
    full = "j" if name.startswith("yuvj") else ""
    return f"yuv{alpha}{full}{chroma}p{bits}"


def is_rgb(frame: av.VideoFrame) -> bool:
    """Whether a frame has no chroma samples (RGB, a palette, grey)."""
    return is_rgb_format(frame.format.name)


def is_rgb_format(name: str) -> bool:
    """Whether a pixel format has no chroma samples."""
    return av.VideoFormat(name).is_rgb or name in ("pal8", "ya8") or name.startswith("gray")


def layout_of(frame: av.VideoFrame, sizes: Sequence[tuple[int, int]] = ()) -> VideoLayout:
    """What the first frame tells about all of them; `sizes` are those that frames have."""
    width = max([frame.width, *(width for width, _ in sizes)])
    height = max([frame.height, *(height for _, height in sizes)])
    tags = ColourTags(frame.color_primaries, frame.color_trc, frame.colorspace, frame.color_range)
    if is_rgb(frame):
        tags = ColourTags()
    matrix = tags.matrix
    if matrix not in _WEIGHTS:  # untagged: what players assume
        matrix = 1 if frame.width >= 1280 or frame.height > 576 else 6
    full = tags.range == FULL or frame.format.name.startswith("yuvj")
    display_matrix = None
    raw = side_data(frame).get("DISPLAYMATRIX")
    if raw is not None:
        display_matrix = tuple(np.frombuffer(raw, np.int32).tolist())
    return VideoLayout(
        width,
        height,
        stored_format(frame.format.name, width, height),
        frame.format.name,
        from_display_matrix(display_matrix) if display_matrix else UPRIGHT,
        display_matrix,
        tags,
        matrix,
        ColourCoding(*_WEIGHTS[matrix], full_range=full),
    )


def picture_layout(width: int, height: int) -> VideoLayout:
    """The layout of a video made from pictures."""
    pixel_format = stored_format("yuv420p", width, height)
    return VideoLayout(
        width, height, pixel_format, pixel_format, UPRIGHT, None, ColourTags(), 1, BT709
    )


def peak_of(frame: av.VideoFrame) -> int:
    """The largest value a sample of a planar frame can have."""
    return (1 << frame.format.components[0].bits) - 1


def samples(plane: VideoPlane, peak: int) -> NDArray[Any]:
    """A plane of a frame as an array [H, W] that shares its memory."""
    buffer: Any = plane
    dtype = np.dtype(np.uint8 if peak == 255 else np.uint16)
    rows = np.frombuffer(buffer, dtype).reshape(plane.height, plane.line_size // dtype.itemsize)
    return rows[:, : plane.width]
