"""Frames out of a video file, decoded with PyAV's own FFmpeg libraries."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.container import InputContainer
from av.error import FFmpegError
from av.sidedata.sidedata import Type as SideData
from av.stream import Discard, Disposition
from av.video.plane import VideoPlane
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream
from numpy.typing import NDArray

from faceveil.errors import InputError
from faceveil.faces import Image
from faceveil.files import file_digest
from faceveil.media.demux import is_cut_off, open_input, packets
from faceveil.media.frames import BT601, BT709, BT2020, ColourCoding, Planes, Problem, SourceKind
from faceveil.media.orientation import UPRIGHT, Orientation, from_display_matrix
from faceveil.resources import usable_cores

MAX_THREADS = 8
"""Each thread of a decoder or encoder holds frames in memory."""

_UNSPECIFIED, _LIMITED, _FULL = 2, 1, 2  # AVCOL_*_UNSPECIFIED, AVCOL_RANGE_MPEG, AVCOL_RANGE_JPEG
_WEIGHTS = {  # AVColorSpace: weights of red and blue
    1: (BT709.red, BT709.blue),
    4: (0.30, 0.11),
    5: (BT601.red, BT601.blue),
    6: (BT601.red, BT601.blue),
    7: (0.212, 0.087),
    9: (BT2020.red, BT2020.blue),
    10: (BT2020.red, BT2020.blue),
}
_SWSCALE = {1: 1, 4: 4, 5: 5, 6: 5, 7: 7, 9: 9, 10: 9}  # AVColorSpace: swscale's own number
_DIRECT = {
    f"yuv{full}{chroma}p{depth}"
    for full, depth in (("", ""), ("j", ""), ("", "10le"))
    for chroma in (420, 422, 444)
}


@dataclass(frozen=True, slots=True)
class ColourTags:
    """What a video says about its colours, as FFmpeg's numbers."""

    primaries: int = 1
    transfer: int = 13
    matrix: int = 1
    range: int = _LIMITED


@dataclass(frozen=True, slots=True, eq=False)
class VideoLayout:
    """How the frames of one video are stored; `pixel_format` is planar YUV of 8 or 10 bits."""

    width: int
    height: int
    pixel_format: str
    orientation: Orientation
    display_matrix: tuple[int, ...] | None
    tags: ColourTags
    matrix: int
    coding: ColourCoding
    converters: threading.local = field(default_factory=threading.local)

    def convert(self, frame: av.VideoFrame, pixel_format: str, **options: int) -> av.VideoFrame:
        """The frame in another pixel format, at the size of the first frame. Thread-safe."""
        if not hasattr(self.converters, "reformatter"):
            self.converters.reformatter = VideoReformatter()
        reformatter: VideoReformatter = self.converters.reformatter
        return reformatter.reformat(
            frame, self.width, self.height, pixel_format, threads=1, **options
        )


def stored_format(name: str, width: int, height: int) -> str:
    """The planar YUV format a frame is edited and encoded in; 4:4:4 where the size is odd."""
    if name not in _DIRECT:
        deep = any(component.bits > 8 for component in av.VideoFormat(name).components)
        name = "yuv420p10le" if deep else "yuv420p"
    if (width % 2 and "444" not in name) or (height % 2 and "420" in name):
        name = name.replace("420", "444").replace("422", "444")
    return name


def _is_rgb(frame: av.VideoFrame) -> bool:
    return frame.format.is_rgb or frame.format.name in ("pal8", "gray", "ya8")


def _layout(frame: av.VideoFrame) -> VideoLayout:
    """What the first frame tells about all of them."""
    tags = ColourTags(frame.color_primaries, frame.color_trc, frame.colorspace, frame.color_range)
    if _is_rgb(frame):
        tags = ColourTags()
    matrix = tags.matrix
    if matrix not in _WEIGHTS:  # untagged: what players assume
        matrix = 1 if frame.width >= 1280 or frame.height > 576 else 6
    full = tags.range == _FULL or frame.format.name.startswith("yuvj")
    display_matrix = None
    side_data: Mapping[Any, Any] = frame.side_data
    if SideData.DISPLAYMATRIX in side_data:
        raw = np.frombuffer(side_data[SideData.DISPLAYMATRIX], np.int32)
        display_matrix = tuple(raw.tolist())
    return VideoLayout(
        frame.width,
        frame.height,
        stored_format(frame.format.name, frame.width, frame.height),
        from_display_matrix(display_matrix) if display_matrix else UPRIGHT,
        display_matrix,
        tags,
        matrix,
        ColourCoding(*_WEIGHTS[matrix], full_range=full),
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
        matrix = {} if _is_rgb(self._frame) else {"src_colorspace": _SWSCALE[layout.matrix]}
        picture = layout.convert(self._frame, "rgb24", **matrix)
        plane: Any = picture.planes[0]
        rows = np.frombuffer(plane, np.uint8).reshape(layout.height, plane.line_size)
        image = np.ascontiguousarray(rows[:, : 3 * layout.width])
        return layout.orientation.copy(image.reshape(layout.height, layout.width, 3))

    def planes(self) -> Planes:
        """Upright samples, writable. The decoder's own copy, which later frames may be predicted
        from, is never written to."""
        if self._planes is None:
            frame = self.stored()
            frame.make_writable()
            orientation = self._layout.orientation
            peak = 1023 if "10" in frame.format.name else 255
            views = tuple(orientation.view(_samples(plane, peak)) for plane in frame.planes)
            self._planes = Planes(views, peak, self._layout.coding)
        return self._planes

    def replace(self, image: Image) -> None:
        """Show an upright picture RGB uint8 [height, width, 3] instead, at the time of this one."""
        layout = self._layout
        picture = layout.convert(
            av.VideoFrame.from_ndarray(image, "rgb24"),
            layout.pixel_format,
            dst_colorspace=_SWSCALE[layout.matrix],
            dst_color_range=_FULL if layout.coding.full_range else _LIMITED,
        )
        target = self.planes()
        for samples, plane in zip(target.planes, picture.planes, strict=True):
            samples[...] = _samples(plane, target.peak)

    def stored(self) -> av.VideoFrame:
        """The frame as it will be encoded: turned as in the source, `layout.pixel_format`."""
        frame, layout = self._frame, self._layout
        if (frame.format.name, frame.width, frame.height) != (
            layout.pixel_format,
            layout.width,
            layout.height,
        ):
            to_limited = {"dst_colorspace": 1, "dst_color_range": _LIMITED}
            options = to_limited if _is_rgb(frame) else {}
            self._frame = layout.convert(frame, layout.pixel_format, **options)
        return self._frame


def _samples(plane: VideoPlane, peak: int) -> NDArray[Any]:
    """A plane of a frame as an array [H, W] that shares its memory."""
    buffer: Any = plane
    dtype = np.dtype(np.uint8 if peak == 255 else np.uint16)
    rows = np.frombuffer(buffer, dtype).reshape(plane.height, plane.line_size // dtype.itemsize)
    return rows[:, : plane.width]


class VideoSource:
    """The frames of a video file (a GIF is one too); see `frames.FrameSource`.

    `width` and `height` are those of the upright frame. `threads` 0 decodes with as many threads
    there are cores, eight at most, since each holds frames in memory.

    Raises InputError when the file is missing, is not a video or has no frame that can be read.
    """

    def __init__(self, path: Path, threads: int = 0) -> None:
        self.path = path
        self.kind: SourceKind = "video"
        self.problems: list[Problem] = []
        self._threads = threads
        with self._open() as (container, stream):
            self.stream_index = stream.index
            self.time_base = Fraction(stream.time_base or Fraction(1, 90000))
            self.rate: Fraction | None = stream.average_rate or stream.guessed_rate
            self.sample_aspect_ratio = stream.sample_aspect_ratio
            self.frame_count = _frame_count(container, stream, self.rate)
            first = next(self._decode(container, stream), None)
            if first is None:
                reason = self.problems[0].message if self.problems else "it holds none"
                raise InputError(f"{path}: no frame of the video can be read ({reason})")
            self.layout = _layout(first)
        self.width, self.height = self.layout.orientation.size(
            self.layout.width, self.layout.height
        )

    def __iter__(self) -> Iterator[DecodedFrame]:
        self.problems.clear()
        count = 0
        last = None
        with self._open() as (container, stream):
            for frame in self._decode(container, stream):
                last = _presentation_time(frame, last)
                if frame.is_corrupt:
                    self._note(f"frame {count}", "damaged; shown as far as it can be decoded")
                yield DecodedFrame(count, frame, self.layout)
                count += 1
            self._note_missing(count, is_cut_off(self.path, container, stream))

    def digest(self) -> str:
        """`sha256:<hex>` of the file."""
        return file_digest(self.path)

    @contextmanager
    def _open(self) -> Iterator[tuple[InputContainer, VideoStream]]:
        with open_input(self.path) as container:
            stream = container.streams.best("video")
            if not isinstance(stream, VideoStream) or (
                stream.disposition & Disposition.attached_pic
            ):
                raise InputError(f"{self.path}: there is no video in it")
            if stream.codec_context is None:
                raise InputError(f"{self.path}: there is no decoder for its video")
            for other in container.streams:
                if other.index != stream.index:
                    other.discard = Discard.all
            context = stream.codec_context
            context.thread_type = "AUTO"
            context.thread_count = self._threads or automatic_threads()
            yield container, stream

    def _decode(self, container: InputContainer, stream: VideoStream) -> Iterator[av.VideoFrame]:
        """Frames in order of presentation; what cannot be decoded is noted and left out."""
        count = 0

        def unreadable(problem: FFmpegError) -> None:
            where = f"near frame {count}" if count else "at the start"
            self._note(where, f"cannot be read: {problem.strerror}")

        for packet in packets(container, (stream,), unreadable):
            try:
                frames = stream.decode(packet)
            except EOFError:
                return
            except FFmpegError as problem:
                unreadable(problem)
                continue
            for frame in frames:
                yield frame
                count += 1

    def _note(self, where: str, message: str) -> None:
        problem = Problem(where, message)
        if not self.problems or self.problems[-1] != problem:
            self.problems.append(problem)

    def _note_missing(self, count: int, cut_off: bool) -> None:
        expected = self.frame_count
        if not cut_off:
            return
        where = f"frames from {count}"
        if expected is not None and expected > count:
            where = f"frames {count} to {expected - 1}"
        self._note(where, "missing: the file is cut off there")


def automatic_threads() -> int:
    """As many threads as this process may use cores, `MAX_THREADS` at most."""
    return min(usable_cores(), MAX_THREADS)


def _presentation_time(frame: av.VideoFrame, last: int | None) -> int:
    """The frame's time; where the container gives none or repeats one, the next that is free."""
    time = frame.pts if frame.pts is not None else frame.dts
    if time is None:
        time = 0 if last is None else last + (frame.duration or 1)
    if last is not None and time <= last:
        time = last + 1
    frame.pts = time
    return time


def _frame_count(
    container: InputContainer, stream: VideoStream, rate: Fraction | None
) -> int | None:
    """Exact where the container has an index of all frames, else estimated from the duration."""
    entries = stream.index_entries
    if stream.frames and len(entries) >= stream.frames:
        return sum(not entry.is_discard for entry in entries)
    if stream.frames:
        return stream.frames
    if rate and stream.duration and stream.time_base:
        return max(1, round(stream.duration * stream.time_base * rate))
    if rate and container.duration:
        return max(1, round(Fraction(container.duration, av.time_base) * rate))
    return None
