"""Writing a video file: an encoder and a muxer, with the tracks of the source beside them."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from av.container import InputContainer, OutputContainer
from av.packet import Packet
from av.video.stream import VideoStream

from faceveil.media import tags
from faceveil.media.accompaniment import Accompaniment, kept_chapters, kept_tags
from faceveil.media.containers import Container
from faceveil.media.demux import open_input
from faceveil.media.encoders import Encoder
from faceveil.media.frames import EncodeOptions
from faceveil.media.layout import VideoLayout
from faceveil.media.remux import TrackCopy, first_packets
from faceveil.media.splice import Splice
from faceveil.media.video import VideoSource, automatic_threads

_INTERLEAVE_MICROSECONDS = 2_000_000
_MAX_MOVIE_TIMESCALE = 2**31 - 1
_REORDERED = 16
_LONGEST_REORDERING = 600
"""Pictures an encoder holds back at most, and seconds by which it decodes none too early."""


@contextmanager
def _usual_scheduling() -> Iterator[None]:
    """Undo what SVT-AV1 does when root opens it: it makes the process real-time, highest priority.

    Every program started from then on would starve the machine.
    """
    if not hasattr(os, "sched_getscheduler"):
        yield
        return
    policy, parameters = os.sched_getscheduler(0), os.sched_getparam(0)
    try:
        yield
    finally:
        if os.sched_getscheduler(0) != policy:
            os.sched_setscheduler(0, policy, parameters)


@dataclass(frozen=True, slots=True)
class WritingPlan:
    """All that is decided before a video file is written.

    Attributes
    ----------
    container, encoder, layout, time_base, rate, options
        How pictures are stored.
    source
        The video that the other tracks come from; None for pictures.
    accompaniment
        What becomes of those tracks.
    has_own_tags
        Whether MP4 and MOV store tags under the names they have in the source
        (com.apple.quicktime.model), not under those that players know.
    """

    container: Container
    encoder: Encoder
    layout: VideoLayout
    time_base: Fraction
    rate: Fraction
    options: EncodeOptions
    source: VideoSource | None = None
    accompaniment: Accompaniment = field(default_factory=Accompaniment)
    has_own_tags: bool = False


class VideoWriter:
    """Writes one file after a plan, with pictures of the source spliced in where there is a splice.

    Raises FFmpegError, OSError and ValueError as PyAV does.
    """

    def __init__(self, plan: WritingPlan, path: Path, splice: Splice | None = None) -> None:
        self._plan = plan
        self._splice = splice
        self._video: VideoStream
        self._path = path
        self._resources = ExitStack()
        self._copy: TrackCopy | None = None
        self._last: int | None = None
        self._first: int | None = None
        self._pictures = 0
        self._packets = 0
        self.written = 0
        self.moved = 0

    def open(self) -> None:
        """Create the file and write its header."""
        plan = self._plan
        output = self._resources.enter_context(self._create())
        self._output: OutputContainer = output
        timescales = [plan.time_base.denominator]
        if plan.source is not None:
            source = self._resources.enter_context(open_input(plan.source.path))
            self._source = source
            timescales += self._add_streams(source, plan.source)
        else:
            self._add_video()
        if plan.container.is_mp4:
            own = "+use_metadata_tags" if plan.has_own_tags else ""
            output.container_options.update(
                movflags=f"+faststart{own}", movie_timescale=str(_movie_timescale(timescales))
            )
        with _usual_scheduling():
            output.start_encoding()

    def write(self, picture: av.VideoFrame | None) -> None:
        """Encode a picture, or what is left for None; mux what is due before it."""
        if picture is not None:
            picture.pict_type = 0  # the encoder chooses, not the source
            self._keep_apart(picture)
            if self._first is None:
                self._first = picture.pts or 0
            self._pictures += 1
        for packet in self._encoded(picture):
            if self._copy is not None:
                self._copy.until((packet.dts or 0) * Fraction(packet.time_base))
            self.written += packet.size
            self._output.mux_one(packet)

    def _encoded(self, picture: av.VideoFrame | None) -> Iterator[Packet[Any]]:
        if self._splice is not None:
            yield from self._splice.encode(picture)
            return
        for packet in self._video.encode(picture):
            self._mend(packet)
            yield packet

    def write_first_packets(self) -> None:
        """Mux one packet of each track, for a trial."""
        if self._copy is not None:
            self._copy.write(first_packets(self._source))

    def finish(self) -> None:
        """Write what is left of the tracks, and the trailer."""
        if self._copy is not None:
            self._copy.until(None)
        self.close()

    def close(self) -> None:
        """Close all files."""
        self._resources.close()

    def _create(self) -> OutputContainer:
        # The interleaver waits at most this long for a stream that has nothing to say.
        options = {"max_interleave_delta": str(_INTERLEAVE_MICROSECONDS)}
        return av.open(
            str(self._path.absolute()),
            "w",
            format=self._plan.container.muxer,
            container_options=options,
        )

    def _add_streams(self, source: InputContainer, video: VideoSource) -> list[int]:
        """Add the video and all tracks, in the order of the source; their clocks."""
        plan, strip = self._plan, self._plan.options.strip_metadata
        timescales, tracks = [], {}
        for stream in source.streams:
            if isinstance(stream, VideoStream) and stream.index == video.stream_index:
                if self._splice is None:
                    self._add_video()
                else:
                    self._video = self._splice.add_to(self._output, video, stream)
                self._video.metadata.update(kept_tags(stream.metadata, strip))
                self._video.disposition = stream.disposition
            elif stream.index in plan.accompaniment.choices:
                choice = plan.accompaniment.choices[stream.index]
                track = choice.track(stream)
                new = track.add(self._output)
                text = tags.without_pictures(stream.metadata)
                if choice.encoder is not None:
                    text = tags.current(text)
                new.metadata.update(tags.stripped(text) if strip else text)
                new.disposition = stream.disposition
                tracks[stream.index] = (track, new)
                timescales.append(Fraction(stream.time_base or 1).denominator)
        for name, kind, content in plan.accompaniment.attachments:
            self._output.add_attachment(name, kind, content)
        self._copy = TrackCopy(source, self._output, tracks, video.timeline)
        self._output.metadata.update(kept_tags(source.metadata, strip))
        self._output.set_chapters(kept_chapters(source.chapters(), strip, video.timeline))
        return timescales

    def _add_video(self) -> None:
        plan, layout = self._plan, self._plan.layout
        stream: Any = self._output.add_stream(
            plan.encoder.name,
            rate=plan.rate,
            width=layout.width,
            height=layout.height,
            time_base=plan.time_base,
            options=dict(plan.encoder.options),
        )
        context = stream.codec_context
        context.thread_count = plan.options.threads or automatic_threads()
        plan.encoder.set_up(context, layout)
        if plan.encoder.family == "hevc" and plan.container.is_mp4:
            context.codec_tag = "hvc1"  # what Apple's players ask for
        if plan.source is not None and plan.source.sample_aspect_ratio:
            context.sample_aspect_ratio = plan.source.sample_aspect_ratio
        if layout.display_matrix:
            stream.set_display_matrix(layout.display_matrix)
        self._video = stream

    def _keep_apart(self, picture: av.VideoFrame) -> None:
        """Move a picture that would be shown together with the one before it, as the container
        counts time; the frame would be lost."""
        if picture.pts is None or not picture.time_base or not self._video.time_base:
            return
        tick = Fraction(self._video.time_base)
        time = round(picture.pts * picture.time_base / tick)
        if self._last is not None and time <= self._last:
            time = self._last + 1
            picture.pts = math.ceil(time * tick / picture.time_base)
            self.moved += 1
        self._last = time

    def _mend(self, packet: Packet[Any]) -> None:
        """Give a packet a time of decoding where x265 leaves it to chance, as it does in a video of
        fewer pictures than it reorders."""
        first = self._first or 0
        longest = _LONGEST_REORDERING / Fraction(packet.time_base)
        is_short = self._plan.encoder.name == "libx265" and self._pictures <= _REORDERED
        if is_short and packet.pts is not None and packet.dts is not None:
            is_sane = first - longest <= packet.dts <= packet.pts
            packet.dts = packet.dts if is_sane else first + self._packets - self._pictures
        self._packets += 1


def _movie_timescale(timescales: list[int]) -> int:
    """A clock in which the start of every stream is a whole number, or that of the video."""
    common = math.lcm(*timescales)
    return common if common <= _MAX_MOVIE_TIMESCALE else timescales[0]
