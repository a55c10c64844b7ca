"""Frames out of a video file, decoded with PyAV's own FFmpeg libraries."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import av
from av.container import InputContainer
from av.error import FFmpegError
from av.stream import Discard, Disposition
from av.video.stream import VideoStream

from faceveil.errors import InputError
from faceveil.files import file_digest
from faceveil.media.decoded_frame import DecodedFrame
from faceveil.media.demux import Positions, is_cut_off, open_input, packets
from faceveil.media.frames import Problem, SourceKind
from faceveil.media.layout import layout_of
from faceveil.media.side_data import side_data
from faceveil.media.survey import Survey, survey
from faceveil.media.timestamps import Timeline, has_discontinuities
from faceveil.resources import usable_cores

MAX_THREADS = 8
"""Each thread of a decoder or encoder holds frames in memory."""

_INTERLACED = (2, 3, 4, 5)  # AVFieldOrder: which field is stored and which is shown first


class VideoSource:
    """The frames of a video file (a GIF is one too); see `frames.FrameSource`.

    `width` and `height` are those of the upright frame, the largest there is where the size
    changes in mid-stream: smaller frames are scaled to it. Times are those of the file, moved to
    begin at zero and joined at discontinuities where the format has such (`timestamps`).

    Parameters
    ----------
    path
        The file.
    threads
        Of the decoder; 0 takes as many as there are cores, eight at most, since each holds frames
        in memory.
    hwaccel
        The kind of device that decodes, as FFmpeg names it (`cuda`, `qsv`, `videotoolbox`); None
        decodes with the processor.

    Raises
    ------
    InputError
        When the file is missing, is not a video or has no frame that can be read.
    UsageError
        When the machine has no such device.
    """

    def __init__(self, path: Path, threads: int = 0, hwaccel: str | None = None) -> None:
        self.path = path
        self.kind: SourceKind = "video"
        self.problems: list[Problem] = []
        self._threads = threads
        self._hwaccel = hwaccel
        self._survey = Survey()
        self._met: dict[tuple[int, int], None] = {}
        with self.opened() as (container, stream):
            self._survey = survey(path, container, stream)
        with self.opened() as (container, stream):
            self.stream_index = stream.index
            self.time_base = Fraction(stream.time_base or Fraction(1, 90000))
            self.rate: Fraction | None = stream.average_rate or stream.guessed_rate
            self.has_alpha_aside = stream.metadata.get("alpha_mode") == "1"
            """Whether VP8 or VP9 stores alpha beside its pictures, which FFmpeg does not decode."""
            self.sample_aspect_ratio = stream.sample_aspect_ratio
            self.byte_count = path.stat().st_size
            self.frame_count = _frame_count(container, stream, self.rate)
            if self.frame_count is None or has_discontinuities(container):
                self.frame_count = self._survey.pictures
            first = next(self._decode(container, stream), None)
            if first is None:
                reason = self.problems[0].message if self.problems else "it holds none"
                raise InputError(f"{path}: no frame of the video can be read ({reason})")
            self.layout = layout_of(first, self.sizes)
            self.side_data = side_data(first)
            self.field_order = _field_order(stream, first)
        self.width, self.height = self.layout.orientation.size(
            self.layout.width, self.layout.height
        )

    @property
    def timeline(self) -> Timeline:
        """How the times of the file's packets become those of its frames."""
        return self._survey.timeline

    @property
    def sizes(self) -> tuple[tuple[int, int], ...]:
        """Width and height of the stored frames, as they first appear; more than one where they
        change. Sizes of less than a second may be missing until the frames were read."""
        if not self._met:
            return self._survey.sizes
        surveyed = self._survey.sizes or ((self.layout.width, self.layout.height),)
        return tuple(dict.fromkeys((*surveyed, *self._met)))

    def __iter__(self) -> Iterator[DecodedFrame]:
        self.problems.clear()
        count = 0
        last = None
        size = (self.layout.width, self.layout.height)
        with self.opened() as (container, stream):
            for frame in self._decode(container, stream):
                last = _presentation_time(frame, last)
                if frame.is_corrupt:
                    self._note(f"frame {count}", "damaged; shown as far as it can be decoded")
                if (frame.width, frame.height) != size:
                    self._met[frame.width, frame.height] = None
                    frame = self.layout.fit(frame)  # noqa: PLW2901
                yield DecodedFrame(count, frame, self.layout)
                count += 1
            self._note_missing(count, is_cut_off(self.path, container, stream))

    def digest(self) -> str:
        """`sha256:<hex>` of the file."""
        return file_digest(self.path)

    @contextmanager
    def opened(self) -> Iterator[tuple[InputContainer, VideoStream]]:
        """The file and its video, ready to be decoded, for the length of a block."""
        with open_input(self.path, self._hwaccel) as container:
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

        def unreadable(error: FFmpegError) -> None:
            where = f"near frame {count}" if count else "at the start"
            self._note(where, f"cannot be read: {error.strerror}")

        positions = Positions()
        for packet in packets(container, (stream,), unreadable):
            self.timeline.shift(packet, positions.of(packet))
            try:
                frames = stream.decode(packet)
            except EOFError:
                return
            except FFmpegError as error:
                unreadable(error)
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


def _field_order(stream: VideoStream, first: av.VideoFrame) -> int:
    """FFmpeg's AVFieldOrder of an interlaced video; 0 of a progressive one."""
    order = stream.codec_context.field_order
    if order in _INTERLACED:
        return order
    return _INTERLACED[0] if first.interlaced_frame else 0


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
