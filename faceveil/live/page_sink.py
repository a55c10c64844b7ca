"""The page as a sink: the veiled pictures, encoded so that a browser shows them at once."""

from __future__ import annotations

from collections import deque
from fractions import Fraction
from typing import Any

import av
from av.container import OutputContainer
from av.error import FFmpegError

from faceveil.errors import OutputError
from faceveil.live.broadcast import Broadcast
from faceveil.live.sinks import Format, LiveSink
from faceveil.media.layout import VideoLayout

MIME_TYPE = 'video/mp4; codecs="avc1.42E034"'
"""H.264, constrained baseline up to level 5.2: what every browser plays without reordering."""
LARGEST_HEIGHT = 1080
_TIME_BASE = Fraction(1, 90_000)
_KEYFRAME_SECONDS = 1
_SETTINGS = {
    "movflags": "frag_every_frame+empty_moov+default_base_moof+skip_trailer",
    "flush_packets": "1",
}


class PageSink:
    """Encodes for the viewers of the page. It has no sound: browsers do not start it by themselves.

    Parameters
    ----------
    broadcast
        Takes the pieces.
    """

    name = "the page"
    reopen = False

    def __init__(self, broadcast: Broadcast) -> None:
        self.start: float | None = None
        """The second of the run that the page counts as 0."""
        self._broadcast = broadcast
        self._output: OutputContainer | None = None

    def open(self, format: Format) -> None:
        """Begin a stream. Raises OutputError."""
        self._layout = format.layout
        self._pieces = _Pieces(self._broadcast)
        try:
            self._output = av.open(self._pieces, "w", format="mp4", container_options=_SETTINGS)
            self._stream = _stream(self._output, format.layout, format.rate)
        except FFmpegError as error:
            raise OutputError(f"{self.name}: cannot be encoded ({error.strerror})") from error

    def picture(self, frame: av.VideoFrame, seconds: float) -> None:
        """Encode a picture. Raises OutputError."""
        if self.start is None:
            self.start = seconds
        context = self._stream.codec_context
        if frame.format.name != "yuv420p":
            frame = self._layout.convert(frame, "yuv420p")
        if (frame.width, frame.height) != (context.width, context.height):
            frame = frame.reformat(context.width, context.height)
        frame.pts = round((seconds - self.start) / _TIME_BASE)
        frame.time_base = _TIME_BASE
        self._mux(frame)

    def sound(self, frame: av.AudioFrame, seconds: float) -> None:
        """Nothing: the page is silent."""

    def close(self) -> None:
        """End the stream of all viewers."""
        output, self._output = self._output, None
        if output is not None:
            output.close()
        self._broadcast.end()

    def _mux(self, frame: av.VideoFrame) -> None:
        if self._output is None:
            raise OutputError(f"{self.name}: is not open")
        try:
            for packet in self._stream.encode(frame):
                self._pieces.expect(packet.is_keyframe)
                self._output.mux(packet)
        except FFmpegError as error:
            raise OutputError(f"{self.name}: cannot be encoded ({error.strerror})") from error


class BothSinks:
    """Two sinks as one: the stream itself, and the page that shows it."""

    def __init__(self, chief: LiveSink, page: PageSink) -> None:
        self._chief = chief
        self._page = page
        self.name = chief.name
        self.reopen = chief.reopen

    def open(self, format: Format) -> None:
        """Open both. Raises OutputError."""
        self._chief.open(format)
        self._page.open(format)

    def picture(self, frame: av.VideoFrame, seconds: float) -> None:
        """Show a picture in both. Raises OutputError."""
        self._page.picture(frame, seconds)
        self._chief.picture(frame, seconds)

    def sound(self, frame: av.AudioFrame, seconds: float) -> None:
        """Play a piece of sound. Raises OutputError."""
        self._chief.sound(frame, seconds)

    def close(self) -> None:
        """Close both. Raises OutputError."""
        self._page.close()
        self._chief.close()


def _stream(output: OutputContainer, layout: VideoLayout, rate: float) -> Any:  # noqa: ANN401, PyAV's, untyped
    scale = min(1.0, LARGEST_HEIGHT / layout.height)
    frames = max(1, round(rate))
    stream: Any = output.add_stream(
        "libx264",
        rate=frames,
        width=round(layout.width * scale / 2) * 2,
        height=round(layout.height * scale / 2) * 2,
        pix_fmt="yuv420p",
        time_base=_TIME_BASE,
        options={
            "preset": "ultrafast",
            "tune": "zerolatency",
            "profile": "baseline",
            "crf": "24",
            "g": f"{_KEYFRAME_SECONDS * frames}",
        },
    )
    return stream


class _Pieces:
    """What the muxer writes, cut into its header and one piece for each picture."""

    def __init__(self, broadcast: Broadcast) -> None:
        self._broadcast = broadcast
        self._held = bytearray()
        self._is_started = False
        self._key_frames: deque[bool] = deque()

    def expect(self, is_key_frame: bool) -> None:
        """Note of the next picture whether a viewer can begin with it."""
        self._key_frames.append(is_key_frame)

    def write(self, content: bytes) -> int:
        """Take what the muxer writes."""
        self._held += content
        while (end := _end_of_piece(self._held)) is not None:
            piece = bytes(self._held[:end])
            del self._held[:end]
            if self._is_started:
                self._broadcast.send(piece, self._key_frames.popleft())
            else:
                self._broadcast.start(piece)
                self._is_started = True
        return len(content)


def _end_of_piece(content: bytearray) -> int | None:
    """Where the header (ftyp, moov) or a fragment (moof, mdat) ends; None where it is not whole."""
    position = 0
    while position + 8 <= len(content):
        size = int.from_bytes(content[position : position + 4], "big")
        kind = bytes(content[position + 4 : position + 8])
        position += size
        if kind in (b"moov", b"mdat"):
            return position if position <= len(content) else None
    return None
