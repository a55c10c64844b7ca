"""Audio and subtitles copied from the source as they are, in step with the new video."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

from av.container import InputContainer, OutputContainer
from av.packet import Packet
from av.stream import Discard, Stream

from faceveil.errors import UsageError
from faceveil.media.demux import packets

COPIED_TYPES = ("audio", "subtitle")


class StreamCopy:
    """Copies packets, bit for bit and with their times, from one container to another.

    Every audio and subtitle stream is added to `output` by `add`; cover pictures, other video
    streams and data are not copied, since they can show the faces that are veiled.
    """

    def __init__(self, source: InputContainer, output: OutputContainer, path: Path) -> None:
        self._source = source
        self._output = output
        self._path = path
        self._streams: dict[int, Stream] = {}
        self._last: dict[int, int] = {}
        self._packets: Iterator[Packet[Any]] | None = None
        self._next: Packet[Any] | None = None

    def add(self, stream: Stream) -> None:
        """Raises UsageError, which names the codec, when the output cannot hold the stream."""
        codec = stream.codec_context.name if stream.codec_context else "unknown codec"
        try:
            # `opaque` takes the codec's parameters over without opening an encoder.
            copy = self._output.add_stream_from_template(stream, opaque=True)
        except ValueError as problem:
            other = ".mov or .mp4" if self._path.suffix.lower() == ".mkv" else ".mkv"
            raise UsageError(
                f"{self._path}: a {self._path.suffix} file cannot hold the source's "
                f"{stream.type} stream {stream.index} ({codec}); write a {other} file instead"
            ) from problem
        copy.metadata.update(stream.metadata)
        copy.disposition = stream.disposition
        self._streams[stream.index] = copy

    def until(self, time: Fraction | None) -> None:
        """Mux the packets up to a time in seconds, or all that are left for None."""
        if not self._streams:
            return
        if self._packets is None:
            self._packets = self._read()
            self._next = next(self._packets, None)
        while self._next is not None and (time is None or _time(self._next) <= time):
            packet, index = self._next, self._next.stream_index
            self._keep_order(packet)
            packet.stream = self._streams[index]
            self._output.mux_one(packet)
            self._next = next(self._packets, None)

    def _keep_order(self, packet: Packet[Any]) -> None:
        """Move a packet that does not come after the one before it, which no muxer accepts."""
        if packet.dts is None:
            return
        last = self._last.get(packet.stream_index)
        if last is not None:
            # Two subtitles may begin together, two pieces of sound may not.
            earliest = last if packet.stream.type == "subtitle" else last + 1
            packet.dts = max(packet.dts, earliest)
            if packet.pts is not None:
                packet.pts = max(packet.pts, packet.dts)
        self._last[packet.stream_index] = packet.dts

    def _read(self) -> Iterator[Packet[Any]]:
        for stream in self._source.streams:
            if stream.index not in self._streams:
                stream.discard = Discard.all
        chosen = tuple(self._source.streams[index] for index in self._streams)
        # A damaged part is reported where the video is decoded; here it is only left out.
        for packet in packets(self._source, chosen, lambda _: None):
            if packet.size and not packet.is_corrupt and not _is_filler(packet):
                yield packet


def _is_filler(packet: Packet[Any]) -> bool:
    """Whether this is MP4's empty text between two subtitles, which the muxer writes itself."""
    context = packet.stream.codec_context
    return context is not None and context.name == "mov_text" and bytes(packet) == b"\0\0"


def _time(packet: Packet[Any]) -> Fraction:
    stamp = packet.dts if packet.dts is not None else packet.pts
    return Fraction(stamp or 0) * packet.time_base
