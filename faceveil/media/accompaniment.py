"""What a video brings besides its pictures, and what becomes of it in another file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.stream import AttachmentStream, Discard, Disposition, Stream
from av.subtitles.stream import SubtitleStream

from faceveil.media import tags
from faceveil.media.containers import Container
from faceveil.media.contents import is_font
from faceveil.media.frames import EncodeOptions, Loss
from faceveil.media.remux import CopiedTrack, Track, first_packets
from faceveil.media.sound import EncodedSound, encoder_of, is_lossless
from faceveil.media.subtitles import STYLED, ConvertedSubtitles, is_text
from faceveil.media.timestamps import Timeline

if TYPE_CHECKING:
    from av.container.core import Chapter


_MIX = "stereo"
"""The channels that every container holds."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What becomes of a track: it is copied, or encoded with `encoder` (FFmpeg's name), sound with
    the channels of `layout` where it cannot keep its own."""

    encoder: str | None = None
    layout: str | None = None

    def track(self, stream: Stream) -> Track:
        """The track that does so with a stream of an opened source."""
        if self.encoder is None:
            return CopiedTrack(stream)
        if isinstance(stream, AudioStream):
            return EncodedSound(stream, self.encoder, self.layout)
        if isinstance(stream, SubtitleStream):
            return ConvertedSubtitles(stream, self.encoder)
        raise ValueError(f"{describe(stream)} cannot be encoded")


@dataclass(frozen=True, slots=True)
class Accompaniment:
    """What becomes of everything in a source besides its pictures.

    Attributes
    ----------
    choices
        By the index of the stream in the source.
    attachments
        Fonts for subtitles: name, MIME type, content.
    losses
        What is not kept.
    """

    choices: Mapping[int, Choice] = field(default_factory=dict)
    attachments: Sequence[tuple[str, str, bytes]] = ()
    losses: Sequence[Loss] = ()


class Planner:
    """Tries, stream by stream, what a container accepts.

    A muxer says only when it is given the first packet, or at the very end, what it refuses. So
    each stream is written into a scratch file of its own.

    Parameters
    ----------
    source
        The opened source.
    video
        The index of the video that is veiled.
    path, container
        The output, and its kind.
    options
        What was asked for.
    scratch
        A file that may be written and is removed afterwards.
    """

    def __init__(
        self,
        source: InputContainer,
        video: int,
        path: Path,
        container: Container,
        options: EncodeOptions,
        scratch: Path,
    ) -> None:
        self._source = source
        self._video = video
        self._kind = f"a {path.suffix or container.muxer} file"
        self._container = container
        self._options = options
        self._scratch = scratch
        self._losses: list[Loss] = []
        self._first: Mapping[int, Packet[Any]] = {}

    def plan(self) -> Accompaniment:
        """What becomes of each stream; the source is read from its start."""
        choices: dict[int, Choice] = {}
        attachments = []
        self._first = first_packets(self._source)
        for stream in self._source.streams:
            if stream.index == self._video:
                continue
            if isinstance(stream, AttachmentStream):
                attachments += self._attachment(stream)
            elif stream.type in ("audio", "subtitle"):
                choice = self._choice(stream)
                if choice is not None:
                    choices[stream.index] = choice
            else:
                self._leave_out(stream)
        return Accompaniment(choices, attachments, self._losses)

    def _choice(self, stream: Stream) -> Choice | None:
        name = describe(stream)
        if stream.type == "audio" and self._options.audio == "drop":
            self._losses.append(Loss(name, "sound is left out, as asked for"))
            return None
        if stream.codec_context is None:
            self._losses.append(Loss(name, "this build of FFmpeg does not know its codec"))
            return None
        if isinstance(stream, SubtitleStream) and not is_text(stream):
            self._losses.append(Loss(name, "its subtitles are pictures, which are not looked at"))
            return None
        must_encode = stream.type == "audio" and self._options.audio == "encode"
        if not must_encode and self._can_copy(stream):
            return Choice()
        choice = None
        if isinstance(stream, AudioStream):
            choice = self._sound(stream)
        elif isinstance(stream, SubtitleStream):
            choice = self._text(stream)
        if choice is None or choice.encoder is None:
            return None
        reason = "as asked for" if must_encode else f"{self._kind} cannot hold it as it is"
        codec = choice.encoder.removeprefix("lib")
        self._losses.append(Loss(f"the encoding of {name}", f"it becomes {codec}, {reason}"))
        return choice

    def _can_copy(self, stream: Stream) -> bool:
        known = self._container.copied
        name = stream.codec_context.codec.canonical_name
        return (known is None or name in known) and self._accepts(stream, Choice())

    def _sound(self, stream: AudioStream) -> Choice | None:
        sounds = [self._container.sound]
        if is_lossless(stream.codec_context.name) and self._options.audio != "encode":
            sounds.insert(0, self._container.lossless_sound)
        encoders = [encoder_of(sound, stream) for sound in sounds]
        for choice in (Choice(encoder, layout) for layout in (None, _MIX) for encoder in encoders):
            if not self._accepts(stream, choice):
                continue
            if choice.layout:
                count = stream.codec_context.layout.nb_channels
                why = f"they are mixed into {_MIX}, since {self._kind} cannot hold them"
                self._losses.append(Loss(f"the {count} channels of {describe(stream)}", why))
            return choice
        self._losses.append(
            Loss(describe(stream), f"{self._kind} cannot hold it and it cannot be encoded anew")
        )
        return None

    def _text(self, stream: SubtitleStream) -> Choice | None:
        name, text = describe(stream), self._container.text
        if text is None or not self._accepts(stream, Choice(text)):
            advice = "" if self._container.has_attachments else "; a .mkv file may"
            self._losses.append(Loss(name, f"{self._kind} cannot hold it{advice}"))
            return None
        if stream.codec_context.name in STYLED:
            self._losses.append(
                Loss(f"the styling of {name}", f"{text} has none; a .mkv file keeps it")
            )
        return Choice(text)

    def _attachment(self, stream: AttachmentStream) -> list[tuple[str, str, bytes]]:
        content, kind = stream.data, stream.mimetype or "application/octet-stream"
        name = stream.metadata.get("filename", f"attachment {stream.index}")
        if not is_font(content):
            self._losses.append(Loss(f"the attached file {name}", "only fonts are kept"))
        elif not self._container.has_attachments:
            self._losses.append(
                Loss(f"the attached font {name}", f"{self._kind} cannot hold it; a .mkv file does")
            )
        else:
            return [(name, kind, content)]
        return []

    def _leave_out(self, stream: Stream) -> None:
        if stream.type == "video":
            is_cover = bool(stream.disposition & Disposition.attached_pic)
            name = "the cover picture" if is_cover else describe(stream)
            self._losses.append(Loss(name, "only the first video is looked at for faces"))
            return
        is_made_anew = stream.discard == Discard.all or (
            "timecode" in self._source.streams[self._video].metadata
        )
        if stream.type == "data" and is_made_anew:
            return  # the titles of chapters, or a time code, which the muxer writes itself
        self._losses.append(Loss(describe(stream), "it may show what is veiled"))

    def _accepts(self, stream: Stream, choice: Choice) -> bool:
        """Whether the container takes the track, tried with its first packet."""
        try:
            track = choice.track(stream)
            with av.open(str(self._scratch), "w", format=self._container.muxer) as output:
                added = track.add(output)
                output.start_encoding()
                first = self._first.get(stream.index)
                if first is not None:
                    for packet in (*track.convert(_copy(first)), *track.flush()):
                        packet.stream = added
                        output.mux_one(packet)
            return True
        except (FFmpegError, ValueError, NotImplementedError):
            return False
        finally:
            stream.codec_context.flush_buffers()
            self._scratch.unlink(missing_ok=True)


def _copy(packet: Packet[Any]) -> Packet[Any]:
    """A packet that can be muxed without changing the original's times and stream."""
    copy: Packet[Any] = Packet(bytes(packet))
    copy.stream, copy.time_base = packet.stream, packet.time_base
    copy.pts, copy.dts, copy.duration = packet.pts, packet.dts, packet.duration
    copy.is_keyframe = True
    return copy


def describe(stream: Stream) -> str:
    """A stream as a user knows it: "audio track 1 (aac, eng)"."""
    context = stream.codec_context
    codec = context.name if context is not None else getattr(stream, "name", None) or "unknown"
    language = stream.metadata.get("language", "und")
    told = codec if language == "und" else f"{codec}, {language}"
    return f"{stream.type} track {stream.index} ({told})"


def kept_tags(metadata: Mapping[str, str], strip: bool) -> dict[str, str]:
    """The tags of a file or of a stream that go into the new one."""
    text = tags.without_pictures(tags.current(metadata))
    return tags.stripped(text) if strip else text


def kept_chapters(chapters: Sequence[Chapter], strip: bool, timeline: Timeline) -> list[Chapter]:
    """Chapters on the clock of the new video, with their titles."""
    made = []
    for chapter in chapters:
        new = dict(chapter)
        new["metadata"] = kept_tags(chapter["metadata"], strip)
        base = chapter["time_base"]
        if base and timeline.shifts[0]:
            ticks = round(timeline.shifts[0] / base)
            new["start"], new["end"] = chapter["start"] + ticks, chapter["end"] + ticks
        made.append(new)
    return made  # type: ignore[return-value]
