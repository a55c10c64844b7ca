"""What only a look through the whole file can tell, before work starts: its clock and its sizes."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import Any

from av.container import InputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.stream import Discard
from av.video.stream import VideoStream

from faceveil.media.demux import Positions, open_input, packets
from faceveil.media.parameter_sets import ParameterSets
from faceveil.media.timestamps import Timeline, TimelineBuilder, is_timed, start_shift

_SIZE_IN_HEADER = ("avc1", "hvc1", "mp4v", "apc", "ap4", "jpeg", "mjp", "dvh1", "s263")
"""Starts of the codec tags of MP4 and MOV with a size in the header alone, which cannot change."""
_UNCHANGING = ("avi", "gif", "apng", "asf", "mxf", "dv", "yuv4mpegpipe")
_SECONDS_BETWEEN_LOOKS = 1


@dataclass(frozen=True, slots=True)
class Survey:
    """A file as a whole.

    Attributes
    ----------
    timeline
        How the times of its packets become those of one clock.
    sizes
        The sizes (width, height) its pictures have, in the order in which they first appear;
        empty where the format does not let them change.
    pictures
        How many packets of the video there are; None where they were not counted.
    """

    timeline: Timeline = field(default_factory=Timeline)
    sizes: tuple[tuple[int, int], ...] = ()
    pictures: int | None = None


def survey(path: Path, container: InputContainer, video: VideoStream) -> Survey:
    """The survey of a file, read once for each state of it.

    Formats that can neither change their size nor begin their times again are not read.
    """
    if not _may_change(container, video):
        return Survey(Timeline(shifts=(start_shift(container),)))
    state = path.stat()
    return _survey(path, video.index, state.st_mtime_ns, state.st_size)


def _may_change(container: InputContainer, video: VideoStream) -> bool:
    if "mov" in container.format.name.split(","):
        return not str(video.codec_tag).startswith(_SIZE_IN_HEADER)
    return container.format.name not in _UNCHANGING


@lru_cache(maxsize=32)
def _survey(path: Path, index: int, _modified: int, _length: int) -> Survey:
    with open_input(path) as container:
        chosen = tuple(stream for stream in container.streams if is_timed(stream))
        for stream in container.streams:
            if stream not in chosen:
                stream.discard = Discard.all
        builder, positions, pictures = TimelineBuilder(container), Positions(), 0
        video: Any = container.streams[index]
        looks = _SizeLooks(video)
        for packet in packets(container, chosen, lambda _: None):
            if packet.size:
                builder.add(packet, positions.of(packet))
            if packet.stream_index == index:
                pictures += packet.size > 0
                looks.look(packet)
        return Survey(builder.build(), tuple(looks.sizes), pictures)


class _SizeLooks:
    """The sizes of key frames, of which about one a second is decoded: those that have no parameter
    sets that were decoded before."""

    def __init__(self, stream: VideoStream) -> None:
        self.sizes: dict[tuple[int, int], None] = {}
        self._stream = stream
        self._next: Fraction | None = None
        context = stream.codec_context
        self._sets = ParameterSets(context.name, context.extradata)
        self._decoded: set[bytes] = set()

    def look(self, packet: Packet[Any]) -> None:
        """Decode a packet of the stream where it is time to."""
        if packet.size and not (packet.is_keyframe and self._is_due(packet)):
            return
        if packet.size and (sets := self._sets.of(bytes(packet))) is not None:
            if sets in self._decoded:
                return
            self._decoded.add(sets)
        with suppress(FFmpegError):  # what cannot be read is told when the frames are read
            for frame in self._stream.decode(packet):
                self.sizes.setdefault((frame.width, frame.height))

    def _is_due(self, packet: Packet[Any]) -> bool:
        if packet.dts is None or not packet.time_base:
            return True
        time = packet.dts * packet.time_base
        if self._next is not None and 0 < self._next - time <= _SECONDS_BETWEEN_LOOKS:
            return False
        self._next = time + _SECONDS_BETWEEN_LOOKS
        return True
