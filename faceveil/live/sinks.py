"""Where a stream goes: a server, a file that survives a crash, an HLS folder, a virtual camera."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Protocol

import av
import numpy as np
from av.audio.resampler import AudioResampler
from av.container import OutputContainer
from av.error import FFmpegError, ProtocolNotFoundError

from faceveil.errors import OutputError, UsageError
from faceveil.live.sources import shown
from faceveil.media.layout import VideoLayout
from faceveil.resources import usable_cores

VIRTUAL_CAMERA = "virtual-camera"
SOUND_RATE = 48_000
KEYFRAME_SECONDS = 2
_TIME_BASE = Fraction(1, 90_000)
_URL = re.compile(r"([a-z][a-z0-9+.-]*)://", re.IGNORECASE)
_RTMP = re.compile(r"rtmp://(?:[^@/]*@)?([^:/]+)(?::(\d+))?", re.IGNORECASE)
_FORMATS = {"rtmp": "flv", "rtmps": "flv", "rtsp": "rtsp", "srt": "mpegts"}
_FORMATS |= {"udp": "mpegts", "tcp": "mpegts"}
_FILES = {".mp4": "mp4", ".mov": "mov", ".mkv": "matroska", ".ts": "mpegts"}
_IN_PIECES = "frag_keyframe+empty_moov+default_base_moof"
"""A file in fragments can be played up to the last whole one, also after a crash."""
_TIMEOUT = (10.0, 10.0)
_INTERLEAVE_MICROSECONDS = 500_000
_LARGEST_GAP = SOUND_RATE // 20


@dataclass(frozen=True, slots=True, eq=False)
class Format:
    """What a sink will be given.

    Attributes
    ----------
    layout
        How the pictures are stored.
    rate
        Pictures per second, about.
    has_sound
        Whether sound comes as well.
    """

    layout: VideoLayout
    rate: float
    has_sound: bool


class LiveSink(Protocol):
    """Takes what may leave, from one thread. All pictures are veiled or replaced.

    Seconds count from the start of the run; they rise.
    """

    name: str
    reopen: bool
    """Whether to open it again after an error, as of a server that may come back."""

    def open(self, format: Format) -> None:
        """Begin. Raises OutputError."""
        ...

    def picture(self, frame: av.VideoFrame, seconds: float) -> None:
        """Show a picture, in the layout of the format. Raises OutputError."""
        ...

    def sound(self, frame: av.AudioFrame, seconds: float) -> None:
        """Play a piece of sound. Raises OutputError."""
        ...

    def close(self) -> None:
        """End, and complete what was written. Raises OutputError."""
        ...


@dataclass(frozen=True, slots=True)
class SinkOptions:
    """How a stream is encoded.

    Attributes
    ----------
    bitrate
        Kilobits per second of the pictures; None lets their quality decide.
    preset
        One of x264's.
    overwrite
        Whether a file or folder that exists is replaced.
    """

    bitrate: int | None = None
    preset: str = "superfast"
    overwrite: bool = False

    def __post_init__(self) -> None:
        if self.bitrate is not None and self.bitrate < 1:
            raise UsageError(f"bitrate {self.bitrate}: must be 1 kbit/s or more")


def open_sink(place: str, options: SinkOptions = SinkOptions()) -> LiveSink:
    """Return the sink at a place; nothing is opened yet.

    Parameters
    ----------
    place
        An address (rtmp, rtsp, srt, udp, tcp), a file (.mp4, .mov, .mkv, .ts), a folder for HLS
        with a slash at its end, or `virtual-camera`.

    Raises
    ------
    UsageError
        For a place of another kind.
    OutputError
        Where a file or folder exists that is not to be replaced.
    """
    if place == VIRTUAL_CAMERA:
        return VirtualCamera()
    match = _URL.match(place)
    if match is not None:
        scheme = match.group(1).lower()
        if scheme not in _FORMATS:
            raise UsageError(f"{shown(place)}: a stream is sent to {', '.join(_FORMATS)}")
        settings = {"rtsp_transport": "tcp"} if scheme == "rtsp" else {}
        return ContainerSink(place, _FORMATS[scheme], settings, options)
    path = Path(place)
    if place.endswith("/") or path.is_dir():
        return _hls(path, options)
    suffix = path.suffix.lower()
    if suffix not in _FILES:
        raise UsageError(
            f"{place}: name a file ({', '.join(_FILES)}), a folder with a slash at its end for "
            f"HLS, an address (rtmp://…) or {VIRTUAL_CAMERA}"
        )
    if path.exists() and not options.overwrite:
        raise OutputError(f"{place}: exists; name another file, or add --overwrite")
    if not path.absolute().parent.is_dir():
        raise OutputError(f"{place}: there is no folder {path.absolute().parent}")
    settings = {"movflags": _IN_PIECES} if suffix in (".mp4", ".mov") else {}
    return ContainerSink(place, _FILES[suffix], settings, options)


def _hls(folder: Path, options: SinkOptions) -> ContainerSink:
    playlist = folder / "index.m3u8"
    if folder.is_file():
        raise OutputError(f"{folder}: is a file; name a folder")
    if playlist.exists() and not options.overwrite:
        raise OutputError(f"{playlist}: exists; name another folder, or add --overwrite")
    if not folder.absolute().parent.is_dir():
        raise OutputError(f"{folder}: there is no folder {folder.absolute().parent}")
    settings = {
        "hls_time": f"{KEYFRAME_SECONDS}",
        "hls_list_size": "6",
        "hls_flags": "delete_segments+temp_file+independent_segments",
        "hls_segment_filename": str(folder / "segment%06d.ts"),
    }
    return ContainerSink(
        str(playlist), "hls", settings, options, lambda: folder.mkdir(exist_ok=True)
    )


class ContainerSink:
    """Encodes as H.264 and AAC, and writes or sends that with FFmpeg's muxers.

    An address is opened again when it is lost; a file is not, since what fails is the disk.
    """

    def __init__(
        self,
        place: str,
        muxer: str,
        settings: dict[str, str],
        options: SinkOptions,
        prepare: Callable[[], object] = lambda: None,
    ) -> None:
        self.name = shown(place)
        self.reopen = _URL.match(place) is not None
        self._place = place
        self._muxer = muxer
        self._settings = settings
        self._options = options
        self._prepare = prepare
        self._output: OutputContainer | None = None
        self._first: float | None = None

    def open(self, format: Format) -> None:
        """Connect, or create the file. Raises OutputError."""
        self._first = None
        self._layout = format.layout
        settings = {
            "max_interleave_delta": f"{_INTERLEAVE_MICROSECONDS}",
            "flush_packets": "1",
            **self._settings,
        }
        self._reach()
        try:
            self._prepare()
            self._output = av.open(
                self._place,
                "w",
                format=self._muxer,
                container_options=settings,
                timeout=_TIMEOUT if self.reopen else None,
            )
            self._video: Any = _video_stream(self._output, format, self._options)
            self._audio: Any = None
            if format.has_sound:
                self._audio = self._output.add_stream("aac", rate=SOUND_RATE, layout="stereo")
            self._sound = _Continuous()
        except ProtocolNotFoundError as error:
            raise UsageError(
                f"{self.name}: this build of FFmpeg cannot send to "
                f"{self._place.split(':', maxsplit=1)[0]}; use rtmp or rtsp, or install a PyAV "
                "built with it"
            ) from error
        except (FFmpegError, OSError) as error:
            raise self._failed(error) from error

    def picture(self, frame: av.VideoFrame, seconds: float) -> None:
        """Encode a picture. Raises OutputError."""
        if frame.format.name != "yuv420p":
            frame = self._layout.convert(frame, "yuv420p")
        frame.pts = round(self._since_first(seconds) / _TIME_BASE)
        frame.time_base = _TIME_BASE
        frame.pict_type = 0
        self._mux(self._video, frame)

    def sound(self, frame: av.AudioFrame, seconds: float) -> None:
        """Encode a piece of sound. Raises OutputError."""
        if self._audio is None or self._first is None:
            return
        for piece in self._sound.at(frame, self._since_first(seconds)):
            self._mux(self._audio, piece)

    def close(self) -> None:
        """Complete the file, or say goodbye to the server. Raises OutputError."""
        output, self._output = self._output, None
        if output is None:
            return
        try:
            if self._first is not None:
                for stream in (self._video, self._audio):
                    if stream is not None:
                        output.mux(stream.encode(None))
            output.close()
        except (FFmpegError, OSError) as error:
            raise self._failed(error) from error

    def _reach(self) -> None:
        """Raise OutputError where an RTMP server does not answer: FFmpeg would wait for it in a way
        that stops every thread of the program."""
        match = _RTMP.match(self._place)
        if match is None:
            return
        try:
            socket.create_connection(
                (match.group(1), int(match.group(2) or 1935)), _TIMEOUT[0]
            ).close()
        except OSError as error:
            raise self._failed(error) from error

    def _since_first(self, seconds: float) -> float:
        if self._first is None:
            self._first = seconds
        return seconds - self._first

    def _mux(self, stream: Any, frame: Any) -> None:  # noqa: ANN401, PyAV's, untyped
        if self._output is None:
            raise OutputError(f"{self.name}: is not open")
        try:
            for packet in stream.encode(frame):
                self._output.mux(packet)
        except (FFmpegError, OSError) as error:
            raise self._failed(error) from error

    def _failed(self, error: FFmpegError | OSError) -> OutputError:
        return OutputError(f"{self.name}: cannot be written to ({error.strerror or error})")


def _video_stream(output: OutputContainer, format: Format, options: SinkOptions) -> Any:  # noqa: ANN401
    layout, rate = format.layout, max(1, round(format.rate))
    settings = {"preset": options.preset, "tune": "zerolatency"}
    if options.bitrate is None:
        settings["crf"] = "23"
    else:
        # A server, and those who watch, can rely on it.
        settings |= {"maxrate": f"{options.bitrate}k", "bufsize": f"{options.bitrate}k"}
        settings["b"] = f"{options.bitrate}k"
    settings["g"] = f"{KEYFRAME_SECONDS * rate}"
    stream: Any = output.add_stream(
        "libx264",
        rate=rate,
        width=layout.width - layout.width % 2,
        height=layout.height - layout.height % 2,
        pix_fmt="yuv420p",
        time_base=_TIME_BASE,
        options=settings,
    )
    context = stream.codec_context
    context.thread_count = max(1, usable_cores() // 2)
    context.color_primaries = layout.tags.primaries
    context.color_trc = layout.tags.transfer
    context.colorspace = layout.tags.matrix
    context.color_range = layout.tags.range
    return stream


class _Continuous:
    """Sound without gaps: 48 kHz stereo, with silence where none came."""

    def __init__(self) -> None:
        self._resampler = AudioResampler(format="fltp", layout="stereo", rate=SOUND_RATE)
        self._position = 0

    def at(self, frame: av.AudioFrame, seconds: float) -> list[av.AudioFrame]:
        """The pieces to play so that `frame` is heard at these seconds, within 50 ms."""
        frame.pts = None
        place = round(seconds * SOUND_RATE)
        pieces = []
        if place - self._position > _LARGEST_GAP:
            pieces.append(self._piece(np.zeros((2, place - self._position), np.float32)))
        for part in self._resampler.resample(frame):
            samples = part.to_ndarray()
            early = self._position - place
            if early > _LARGEST_GAP:
                samples = samples[:, early:]
            if samples.shape[1]:
                pieces.append(self._piece(samples))
        return pieces

    def _piece(self, samples: np.ndarray) -> av.AudioFrame:
        piece = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples), "fltp", "stereo")
        piece.sample_rate = SOUND_RATE
        piece.pts, piece.time_base = self._position, Fraction(1, SOUND_RATE)
        self._position += samples.shape[1]
        return piece


class VirtualCamera:
    """A camera that other programs see: OBS, Zoom, Teams. It has no sound."""

    name = VIRTUAL_CAMERA
    reopen = False

    def open(self, format: Format) -> None:
        """Start the camera. Raises OutputError, with what to install."""
        try:
            import pyvirtualcam
        except ModuleNotFoundError as error:
            raise UsageError(
                "a virtual camera needs pyvirtualcam (GPL-2.0): pip install pyvirtualcam"
            ) from error
        layout = format.layout
        try:
            self._camera = pyvirtualcam.Camera(layout.width, layout.height, round(format.rate))
        except RuntimeError as error:
            raise OutputError(
                f"{self.name}: cannot be started ({error}); it needs v4l2loopback on Linux "
                "(modprobe v4l2loopback), OBS on macOS and Windows"
            ) from error

    def picture(self, frame: av.VideoFrame, seconds: float) -> None:
        """Show a picture."""
        self._camera.send(frame.to_ndarray(format="rgb24"))

    def sound(self, frame: av.AudioFrame, seconds: float) -> None:
        """Nothing: cameras have no sound."""

    def close(self) -> None:
        """Stop the camera."""
        self._camera.close()
