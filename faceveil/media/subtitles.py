"""Subtitles that a container cannot hold as they are, converted to a kind that it can."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from av.container import OutputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.stream import Stream
from av.subtitles.stream import SubtitleStream
from av.subtitles.subtitle import AssSubtitle, SubtitleSet

_MILLISECOND = Fraction(1, 1000)
_ONE_AT_A_TIME = ("mov_text",)
"""Encodings of which a track shows one text at a time, until the next one begins."""
_FIELDS = 8
"""Of a line of ASS, before its text."""
STYLED = ("ass", "ssa")
"""Codecs of subtitles whose fonts, colours and places the others do not hold."""


_TEXT_WITHOUT_DECODER = ("dvb_teletext", "hdmv_text_subtitle")


def is_text(stream: SubtitleStream) -> bool:
    """Whether the subtitles are text, not pictures of it."""
    context = stream.codec_context
    if context.name in _TEXT_WITHOUT_DECODER:
        return True
    try:
        context.open(strict=False)
    except (FFmpegError, ValueError):
        return False
    return bool(context.subtitle_header)


@dataclass(frozen=True, slots=True)
class _Cue:
    """A line of ASS, shown from `start` to `end` in milliseconds."""

    start: int
    end: int
    line: str


class ConvertedSubtitles:
    """Decodes subtitles of text and encodes them as another kind (`srt`, `mov_text`, `webvtt`).

    Where that shows one text at a time, those that are shown together become one.
    """

    def __init__(self, source: SubtitleStream, encoder: str) -> None:
        self._source = source
        self._encoder = encoder
        self._shown = _Shown() if encoder in _ONE_AT_A_TIME else None
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
        cues = [
            _Cue(start, start + length, rect.ass.decode("utf-8", "replace"))
            for rect in found or ()
            if isinstance(rect, AssSubtitle) and rect.ass
        ]
        if self._shown is None:
            return list(map(self._encode, cues))
        return [self._encode(made) for cue in cues for made in self._shown.add(cue)]

    def flush(self) -> list[Packet[Any]]:
        """The texts that are still shown."""
        return [] if self._shown is None else list(map(self._encode, self._shown.until(None)))

    def _encode(self, cue: _Cue) -> Packet[Any]:
        text = SubtitleSet.create(cue.line.encode(), 0, cue.end - cue.start, cue.start)
        packet: Packet[Any] = self._stream.codec_context.encode_subtitle(text)
        packet.time_base = _MILLISECOND
        packet.pts = packet.dts = cue.start
        packet.duration = cue.end - cue.start
        packet.is_keyframe = True
        return packet


class _Shown:
    """The texts that are shown at one time, as cues of which each ends before the next begins."""

    def __init__(self) -> None:
        self._cues: list[_Cue] = []
        self._time = 0

    def add(self, cue: _Cue) -> list[_Cue]:
        """Take a cue, in the order of their starts; the cues that are complete by then."""
        complete = list(self.until(cue.start))
        self._time = max(self._time, cue.start) if self._cues else cue.start
        self._cues.append(cue)
        return complete

    def until(self, time: int | None) -> Iterator[_Cue]:
        """The cues up to a time, or all that are left for None."""
        while self._cues and (time is None or self._time < time):
            ends = [cue.end for cue in self._cues if cue.end > self._time]
            if time is not None:
                ends.append(time)  # also of one without a duration, which the next one ends
            end = min(ends, default=self._time)
            yield _Cue(self._time, end, _joined(self._cues))
            self._time = end
            self._cues = [cue for cue in self._cues if cue.end > end]


def _joined(cues: list[_Cue]) -> str:
    """One line of ASS with the texts of several, one below the other."""
    texts = [cue.line.split(",", _FIELDS)[-1].rstrip("\r\n") for cue in cues]
    first = cues[0].line.split(",", _FIELDS)[:-1]
    return ",".join([*first, "\\N".join(texts)])
