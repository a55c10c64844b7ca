"""Frames by number, in any order: a person steps, jumps and plays.

A frame's number is its place in the order of presentation, so finding it needs the times of all
frames. They are read from the packets of the file, without decoding; only where packets do not
tell them (no times, times that begin again, or another number of frames than were analysed) the
file is decoded once to learn them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from av.error import FFmpegError
from numpy.typing import NDArray

from faceveil.errors import InputError
from faceveil.faces import Image
from faceveil.media.decoded_frame import DecodedFrame
from faceveil.media.demux import packets
from faceveil.media.frames import FrameSource, Planes
from faceveil.media.video import VideoSource

_STEPS_BACK = 3
"""Key frames further back that are tried where a format seeks too far."""
_TIMES_ARE_GUESSED = ("mpeg",)
"""Program streams time some pictures only; after a jump FFmpeg guesses the others differently."""


class StillFrame(Protocol):
    """A frame that can be kept: a copy of it is written to, never the frame itself."""

    number: int
    width: int
    height: int

    @property
    def nbytes(self) -> int: ...

    def rgb(self) -> Image: ...

    def planes(self) -> Planes: ...

    def copy(self) -> StillFrame: ...


@runtime_checkable
class FrameReader(Protocol):
    """Reads frames from any number on."""

    def frames_from(self, first: int) -> Iterator[StillFrame]:
        """The frames from a 0-based number on. Those that cannot be read are left out."""
        ...


def open_reader(source: FrameSource, frame_count: int | None = None) -> FrameReader:
    """Read the frames of a source by number.

    Parameters
    ----------
    source
        A video file, a folder or frames in S3.
    frame_count
        How many frames reading from the start gives; None while that is not known. Whether a file
        has other frames than its packets say is then for the caller to check.

    Raises
    ------
    InputError
        Where the source has no such reader.
    """
    if isinstance(source, VideoSource):
        return VideoReader(source, frame_count)
    if isinstance(source, FrameReader):
        return source
    raise InputError(f"{source.path}: its frames cannot be read by number")


@dataclass(frozen=True, slots=True, eq=False)
class FrameTimes:
    """The times of a video's frames, in ticks of its own clock.

    Attributes
    ----------
    times : ndarray of int64 [frames]
        Rising; empty where frames cannot be found by time.
    keys : ndarray of int64 [keys]
        Of the frames from which decoding can begin, rising.
    """

    times: NDArray[np.int64]
    keys: NDArray[np.int64]


class VideoReader:
    """The frames of a video file by number; see `FrameReader`."""

    def __init__(self, source: VideoSource, frame_count: int | None = None) -> None:
        self._source = source
        self._frame_count = frame_count
        self._times: FrameTimes | None = None

    def prepare(self) -> None:
        """Read the times of all frames, unless that is done. Frame 0 is found without."""
        if self._times is None:
            found = frame_times(self._source)
            if self._frame_count not in (None, len(found.times)):
                found = FrameTimes(np.zeros(0, np.int64), np.zeros(0, np.int64))
            self._times = found

    @property
    def can_seek(self) -> bool:
        """Whether frames are found by their times; otherwise all before them are decoded, too."""
        self.prepare()
        return self._times is not None and len(self._times.times) > 0

    def frames_from(self, first: int) -> Iterator[DecodedFrame]:
        """The frames from a number on."""
        if first > 0:
            self.prepare()
        found = self._times
        if first == 0 or found is None or not len(found.times):
            yield from (frame for frame in self._source if frame.number >= first)
            return
        if first >= len(found.times):
            return
        for back in range(_STEPS_BACK):
            frames = self._decoded_near(first, found, back)
            frame = next(frames, None)
            if frame is not None and frame.number <= first:
                if frame.number == first:
                    yield frame
                yield from (frame for frame in frames if frame.number >= first)
                return
        yield from (frame for frame in self._source if frame.number >= first)

    def _decoded_near(self, first: int, found: FrameTimes, back: int) -> Iterator[DecodedFrame]:
        """Frames from a key frame at or before `first` on, or from `back` key frames earlier."""
        source = self._source
        size = (source.layout.width, source.layout.height)
        key = int(np.searchsorted(found.keys, found.times[first], side="right")) - 1 - back
        with source.opened() as (container, stream):
            if key >= 0:
                container.seek(int(found.keys[key]), stream=stream, backward=True)
            for packet in packets(container, (stream,), lambda _: None):
                try:
                    decoded = stream.decode(packet)
                except EOFError:
                    return
                except FFmpegError:
                    continue
                for frame in decoded:
                    number = _number(found.times, frame.pts)
                    if number is None:
                        continue
                    if (frame.width, frame.height) != size:
                        frame = source.layout.fit(frame)  # noqa: PLW2901
                    yield DecodedFrame(number, frame, source.layout)


def frame_times(source: VideoSource) -> FrameTimes:
    """Read the times of all frames from the packets of a file; none where they do not tell."""
    times: list[int] = []
    keys: list[int] = []
    with source.opened() as (container, stream):
        if len(source.timeline.shifts) == 1 and container.format.name not in _TIMES_ARE_GUESSED:
            for packet in packets(container, (stream,), lambda _: None):
                if packet.size == 0 or packet.is_discard:
                    continue
                if packet.pts is None:
                    return FrameTimes(np.zeros(0, np.int64), np.zeros(0, np.int64))
                times.append(packet.pts)
                if packet.is_keyframe:
                    keys.append(packet.pts)
    unique = np.unique(np.array(times, np.int64))
    if len(unique) != len(times):
        unique = unique[:0]
    return FrameTimes(unique, np.unique(np.array(keys, np.int64)))


def _number(times: NDArray[np.int64], time: int | None) -> int | None:
    if time is None:
        return None
    index = int(np.searchsorted(times, time))
    return index if index < len(times) and int(times[index]) == time else None
