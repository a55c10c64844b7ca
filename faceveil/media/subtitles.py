"""Subtitles that a container cannot hold as they are, converted to a kind that it can."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from av.container import OutputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.stream import Stream
from av.subtitles.stream import SubtitleStream
from av.subtitles.subtitle import AssSubtitle, SubtitleSet

_MILLISECOND = Fraction(1, 1000)
STYLED = ("ass", "ssa")
"""Codecs of subtitles whose fonts, colours and places the others do not hold."""


def is_text(stream: SubtitleStream) -> bool:
    """Whether the subtitles are text, not pictures of it."""
    context = stream.codec_context
    try:
        context.open(strict=False)
    except (FFmpegError, ValueError):
        return False
    return bool(context.subtitle_header)


class ConvertedSubtitles:
    """Decodes subtitles of text and encodes them as another kind (`srt`, `mov_text`, `webvtt`)."""

    def __init__(self, source: SubtitleStream, encoder: str) -> None:
        self._source = source
        self._encoder = encoder
        source.codec_context.open(strict=False)  # so that its header is known

    def add(self, output: OutputContainer) -> Stream:
        """The new stream of an output."""
        stream: Any = output.add_stream(self._encoder)
        stream.codec_context.time_base = _MILLISECOND
        stream.time_base = _MILLISECOND
        stream.codec_context.subtitle_header = self._source.codec_context.subtitle_header
        self._stream = stream
        added: Stream = stream
        return added

    def convert(self, packet: Packet[Any]) -> list[Packet[Any]]:
        """What a packet of the source becomes; nothing where it holds no text."""
        if packet.pts is None:
            return []
        try:
            found = self._source.decode2(packet)
        except FFmpegError:
            return []
        start = round(packet.pts * packet.time_base / _MILLISECOND)
        length = round((packet.duration or 0) * packet.time_base / _MILLISECOND)
        made = []
        for rect in found or ():
            if isinstance(rect, AssSubtitle) and rect.ass:
                text = SubtitleSet.create(rect.ass, 0, length, start)
                new: Packet[Any] = self._stream.codec_context.encode_subtitle(text)
                new.time_base = _MILLISECOND
                new.pts = new.dts = start
                new.duration = length
                new.is_keyframe = True
                made.append(new)
        return made

    def flush(self) -> list[Packet[Any]]:
        """Nothing: every packet was converted when it came."""
        return []
