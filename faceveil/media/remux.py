"""Sound and subtitles taken from the source, in step with the new video."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import Any, Protocol

from av.container import InputContainer, OutputContainer
from av.packet import Packet
from av.stream import Discard, Stream

from faceveil.media.contents import clean_header
from faceveil.media.demux import Positions, packets
from faceveil.media.sound import usual_layout
from faceveil.media.timestamps import Timeline

_SEARCHED = 2000
"""Packets from the start in which the first of each stream is searched."""


class Track(Protocol):
    """What becomes of one stream of the source."""

    def add(self, output: OutputContainer) -> Stream:
        """Add the stream it becomes. Raises ValueError or FFmpegError where that cannot be."""
        ...

    def convert(self, packet: Packet[Any]) -> list[Packet[Any]]:
        """The packets that a packet of the source becomes."""
        ...

    def flush(self) -> list[Packet[Any]]:
        """The packets that are left at the end."""
        ...


class CopiedTrack:
    """Copies packets bit for bit; raises ValueError where the header holds a picture."""

    def __init__(self, source: Stream) -> None:
        self._source = source

    def add(self, output: OutputContainer) -> Stream:
        """The copy, as a new stream of an output."""
        # `opaque` takes the codec's parameters over without opening an encoder.
        copy: Stream = output.add_stream_from_template(self._source, opaque=True)
        context: Any = copy.codec_context
        header = context.extradata
        if header:
            clean = clean_header(context.name, header)
            if clean is None:
                raise ValueError("its header holds a picture")
            if clean != header:
                context.extradata = clean
        if self._source.type == "audio":
            layout = context.layout
            named = usual_layout(layout.name, layout.nb_channels)
            if named != layout.name:  # which MP4 and MOV refuse
                context.layout = named
        return copy

    def convert(self, packet: Packet[Any]) -> list[Packet[Any]]:
        """The packet itself, unless it only fills a gap."""
        return [] if _is_filler(packet) else [packet]

    def flush(self) -> list[Packet[Any]]:
        """Nothing: every packet was copied when it came."""
        return []


class TrackCopy:
    """Writes the tracks of a source into an output, as far as the new video has got.

    Parameters
    ----------
    source
        The file the tracks are read from.
    output
        The file they are written to, to which all have been added.
    tracks
        By the index of the stream in the source: what becomes of it, and the stream it becomes.
    timeline
        How the times of the source's packets become those of the output.
    """

    def __init__(
        self,
        source: InputContainer,
        output: OutputContainer,
        tracks: Mapping[int, tuple[Track, Stream]],
        timeline: Timeline,
    ) -> None:
        self._source = source
        self._output = output
        self._tracks = tracks
        self._timeline = timeline
        self._last: dict[int, int] = {}
        self._packets: Iterator[Packet[Any]] | None = None
        self._next: Packet[Any] | None = None

    def until(self, time: Fraction | None) -> None:
        """Mux the packets up to a time in seconds, or all that are left for None."""
        if not self._tracks:
            return
        if self._packets is None:
            self._packets = self._read()
            self._next = next(self._packets, None)
        while self._next is not None and (time is None or _time(self._next) <= time):
            track, stream = self._tracks[self._next.stream_index]
            for packet in track.convert(self._next):
                self._mux(packet, stream)
            self._next = next(self._packets, None)
        if time is None:
            for track, stream in self._tracks.values():
                for packet in track.flush():
                    self._mux(packet, stream)

    def write(self, firsts: Mapping[int, Packet[Any]]) -> None:
        """Mux single packets by the index of their stream, and nothing more, for a trial."""
        for index, (track, stream) in self._tracks.items():
            if index in firsts:
                for packet in (*track.convert(firsts[index]), *track.flush()):
                    self._mux(packet, stream)
        self._tracks = {}

    def _mux(self, packet: Packet[Any], stream: Stream) -> None:
        packet.stream = stream
        self._keep_order(packet)
        self._output.mux_one(packet)

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
            if stream.index not in self._tracks:
                stream.discard = Discard.all
        chosen = tuple(self._source.streams[index] for index in self._tracks)
        positions = Positions()
        # A damaged part is reported where the video is decoded; here it is only left out.
        for packet in packets(self._source, chosen, lambda _: None):
            if packet.size and not packet.is_corrupt:
                self._timeline.shift(packet, positions.of(packet))
                yield packet


def first_packets(source: InputContainer) -> dict[int, Packet[Any]]:
    """The first packet of each stream of sound or subtitles, where there is one near the start."""
    found: dict[int, Packet[Any]] = {}
    wanted = {
        stream.index
        for stream in source.streams
        if stream.type in ("audio", "subtitle") and stream.codec_context is not None
    }
    if not wanted:
        return found
    for count, packet in enumerate(packets(source, tuple(source.streams), lambda _: None)):
        if packet.size and not packet.is_corrupt and packet.stream_index in wanted:
            found.setdefault(packet.stream_index, packet)
        if wanted <= found.keys() or count > _SEARCHED:
            break
    return found


def _is_filler(packet: Packet[Any]) -> bool:
    """Whether this is MP4's empty text between two subtitles, which the muxer writes itself."""
    context = packet.stream.codec_context
    return context is not None and context.name == "mov_text" and bytes(packet) == b"\0\0"


def _time(packet: Packet[Any]) -> Fraction:
    stamp = packet.dts if packet.dts is not None else packet.pts
    return Fraction(stamp or 0) * packet.time_base
