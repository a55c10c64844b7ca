"""Frames into a video file: H.264, with everything but the pictures kept from the source."""

from __future__ import annotations

import math
from contextlib import ExitStack, suppress
from fractions import Fraction
from pathlib import Path

import av
from av.codec.context import Flags
from av.container import OutputContainer
from av.error import FFmpegError
from av.video.stream import VideoStream

from faceveil.errors import OutputError, UsageError
from faceveil.media.demux import open_input
from faceveil.media.frames import BT709, EncodeOptions, Frame, FrameSource, Loss
from faceveil.media.orientation import UPRIGHT
from faceveil.media.publish import output_error, remove, temporary_beside
from faceveil.media.remux import COPIED_TYPES, StreamCopy
from faceveil.media.video import (
    ColourTags,
    DecodedFrame,
    VideoLayout,
    VideoSource,
    automatic_threads,
    stored_format,
)

PRESETS = (
    "ultrafast",
    "superfast",
    "veryfast",
    "faster",
    "fast",
    "medium",
    "slow",
    "slower",
    "veryslow",
)
CONTAINERS = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "matroska"}
_INTERLEAVE_MICROSECONDS = 2_000_000
_MAX_MOVIE_TIMESCALE = 2**31 - 1
_STALE = (
    "encoder",
    "major_brand",
    "minor_version",
    "compatible_brands",
    "duration",
    "bps",
    "number_of",
    "_statistics",
)


class VideoSink:
    """Encodes frames with libx264 into .mp4, .m4v, .mov or .mkv; see `frames.FrameSink`.

    From a video source it keeps the time of every frame, all audio and subtitle streams bit for
    bit, colour tags, sample aspect ratio, rotation, chapters and metadata. Times in .mkv are
    whole milliseconds, since FFmpeg writes no finer ones. Pictures become a video of
    `options.rate` frames per second. A size that 4:2:0 cannot hold (odd) is stored as 4:4:4.

    Raises UsageError for an extension it does not know and for streams the container cannot
    hold, before any frame is asked for; OutputError when writing fails.
    """

    def __init__(self, path: Path, source: FrameSource, options: EncodeOptions) -> None:
        if path.suffix.lower() not in CONTAINERS:
            raise UsageError(f"{path}: a video is written as one of {', '.join(CONTAINERS)}")
        if options.preset not in PRESETS:
            raise UsageError(f"preset {options.preset!r} is none of x264's: {', '.join(PRESETS)}")
        if not 0 <= options.crf <= 51:
            raise UsageError(f"crf {options.crf:g} is not between 0 (lossless) and 51 (worst)")
        self.path = path
        self.losses: list[Loss] = []
        self._source = source
        self._options = options
        self._temporary = temporary_beside(path)
        self._resources = ExitStack()
        self._written = 0
        self._frames = 0
        self._finished = False
        if isinstance(source, VideoSource):
            self._layout = source.layout
            self._time_base = source.time_base
        else:
            self._layout = _picture_layout(source.width, source.height)
            self._time_base = 1 / options.rate

    def __enter__(self) -> VideoSink:
        try:
            self._open()
        except BaseException:
            self._abort()
            raise
        return self

    def write(self, frame: Frame, changed: bool) -> None:
        """Encode the next frame. Every frame is encoded, also one that did not change."""
        picture = self._picture(frame)
        picture.pict_type = 0  # the encoder chooses, not the source
        self._encode(picture)
        self._frames += 1

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            self._abort()
            return
        try:
            self.finish()
            self._temporary.replace(self.path)
        except OSError as problem:
            self._abort()
            raise self._failed(problem) from problem
        except BaseException:
            self._abort()
            raise

    def finish(self) -> Path:
        """Complete the file under its hidden name; see `frames.LocalSink`."""
        if self._finished:
            return self._temporary
        if not self._frames:
            raise OutputError(f"{self.path}: no frame was written to it")
        self._encode(None)
        try:
            if self._copy:
                self._copy.until(None)
            self._output.close()
            self._resources.close()
        except (OSError, FFmpegError) as problem:
            raise self._failed(problem) from problem
        self._finished = True
        return self._temporary

    def _open(self) -> None:
        output = self._resources.enter_context(self._create())
        self._output: OutputContainer = output
        self._copy: StreamCopy | None = None
        timescales = [self._time_base.denominator]
        if isinstance(self._source, VideoSource):
            source = self._resources.enter_context(open_input(self._source.path))
            self._copy = StreamCopy(source, output, self.path)
            for stream in source.streams:
                if stream.index == self._source.stream_index:
                    self._add_video()
                    self._video.metadata.update(_kept(stream.metadata))
                    self._video.disposition = stream.disposition
                elif stream.type in COPIED_TYPES:
                    self._copy.add(stream)
                    timescales.append(Fraction(stream.time_base or 1).denominator)
            output.metadata.update(_kept(source.metadata))
            output.set_chapters(source.chapters())
        else:
            self._add_video()
        if CONTAINERS[self.path.suffix.lower()] != "matroska":
            output.container_options.update(
                movflags="+faststart", movie_timescale=str(_movie_timescale(timescales))
            )
        try:
            output.start_encoding()
        except (FFmpegError, ValueError) as problem:
            if isinstance(problem, OSError):
                raise output_error(self.path, problem, 0, None) from problem
            raise UsageError(
                f"{self.path}: the source's streams do not fit this kind of file ({problem}); "
                "write a .mkv file instead"
            ) from problem

    def _create(self) -> OutputContainer:
        # The interleaver waits at most this long for a stream that has nothing to say.
        options = {"max_interleave_delta": str(_INTERLEAVE_MICROSECONDS)}
        return av.open(
            str(self._temporary.absolute()),
            "w",
            format=CONTAINERS[self.path.suffix.lower()],
            container_options=options,
        )

    def _add_video(self) -> None:
        layout, options, source = self._layout, self._options, self._source
        rate = source.rate or options.rate
        stream: VideoStream = self._output.add_stream(
            "libx264",
            rate=rate,
            width=layout.width,
            height=layout.height,
            time_base=self._time_base,
            options={"crf": str(options.crf), "preset": options.preset},
        )
        context = stream.codec_context
        context.pix_fmt = layout.pixel_format
        context.thread_count = options.threads or automatic_threads()
        context.color_primaries = layout.tags.primaries
        context.color_trc = layout.tags.transfer
        context.colorspace = layout.tags.matrix
        context.color_range = layout.tags.range
        context.flags |= Flags.frame_duration
        if isinstance(source, VideoSource) and source.sample_aspect_ratio:
            context.sample_aspect_ratio = source.sample_aspect_ratio
        if layout.display_matrix:
            stream.set_display_matrix(layout.display_matrix)
        self._video = stream

    def _picture(self, frame: Frame) -> av.VideoFrame:
        if isinstance(frame, DecodedFrame):
            return frame.stored()
        picture = av.VideoFrame.from_ndarray(frame.rgb(), "rgb24")
        picture = self._layout.convert(
            picture, self._layout.pixel_format, dst_colorspace=1, dst_color_range=1
        )
        picture.pts, picture.time_base = frame.number, self._time_base
        return picture

    def _encode(self, picture: av.VideoFrame | None) -> None:
        try:
            for packet in self._video.encode(picture):
                if self._copy:
                    self._copy.until((packet.dts or 0) * Fraction(packet.time_base))
                self._written += packet.size
                self._output.mux_one(packet)
        except (OSError, FFmpegError) as problem:
            raise self._failed(problem) from problem

    def _failed(self, problem: OSError | FFmpegError) -> OutputError:
        total = self._source.frame_count
        share = min(1.0, self._frames / total) if total else None
        return output_error(self.path, problem, self._written, share)

    def _abort(self) -> None:
        # Removed before closing: else FFmpeg would complete the file, which can take long.
        with suppress(OSError):
            remove(self._temporary)
        with suppress(FFmpegError, OSError):
            self._resources.close()
        remove(self._temporary)


def _picture_layout(width: int, height: int) -> VideoLayout:
    pixel_format = stored_format("yuv420p", width, height)
    return VideoLayout(width, height, pixel_format, UPRIGHT, None, ColourTags(), 1, BT709)


def _kept(metadata: dict[str, str]) -> dict[str, str]:
    """Tags that still hold for the new video; its brands, length and statistics do not."""
    return {key: text for key, text in metadata.items() if not key.lower().startswith(_STALE)}


def _movie_timescale(timescales: list[int]) -> int:
    """A clock in which the start of every stream is a whole number, or that of the video."""
    common = math.lcm(*timescales)
    return common if common <= _MAX_MOVIE_TIMESCALE else timescales[0]
