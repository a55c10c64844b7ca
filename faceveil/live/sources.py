"""Where a stream comes from: a camera, an address or a file, opened again when it is lost."""

from __future__ import annotations

import re
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import av
from av.container import InputContainer
from av.error import ExitError, FFmpegError, ProtocolNotFoundError
from av.video.stream import VideoStream

from faceveil.errors import InputError, UsageError
from faceveil.live.backoff import Backoff
from faceveil.media.demux import open_input

SCHEMES = ("rtsp", "rtsps", "rtmp", "rtmps", "srt", "http", "https", "udp", "rtp", "tcp")
_URL = re.compile(r"([a-z][a-z0-9+.-]*)://", re.IGNORECASE)
_OPEN_SECONDS, _READ_SECONDS = 15.0, 5.0
_LISTEN_SECONDS = 86_400.0
_LONGEST_ANALYSIS_MICROSECONDS = 500_000
"""How much of a stream FFmpeg reads to know its streams: all that follows is as late as that."""
_DEVICES = {"linux": "v4l2", "darwin": "avfoundation", "win32": "dshow"}


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """A decoded frame and its time stamp in seconds; `apart` where it follows no other."""

    frame: av.VideoFrame
    stamp: float
    apart: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Sound:
    """A decoded piece of sound and its time stamp in seconds."""

    frame: av.AudioFrame
    stamp: float


Item: TypeAlias = Picture | Sound


@dataclass(frozen=True, slots=True)
class SourceOptions:
    """How a source is read.

    Attributes
    ----------
    loop
        Whether a file begins again at its end.
    listen
        Whether to wait for a sender to connect, instead of connecting (RTMP, RTSP, TCP).
    sound
        Whether its sound is read.
    reopen
        Whether an address or a camera that is lost is opened again.
    """

    loop: bool = False
    listen: bool = False
    sound: bool = True
    reopen: bool = True


class Source(Protocol):
    """Pictures and sound of a stream in order; iterating opens it, and ends with it."""

    name: str
    rate: float
    """Pictures per second that the stream names; 0 until it is open, or where it does not."""
    has_sound: bool
    lost: Callable[[], None]
    """Called each time the source is lost."""

    def __iter__(self) -> Iterator[Item]:
        """Raises FaceveilError where the source cannot be used."""
        ...

    def close(self) -> None:
        """Let the iteration end soon."""
        ...


class LiveSource:
    """A camera, an address or a file; see `Source`.

    A file ends; an address or a camera is opened again when it is lost, after 0.5 s, then after
    longer and longer pauses of up to 15 s.

    Parameters
    ----------
    place
        The number or name of a camera (`0`, `camera:NAME`), an address or a file.
    options
        How it is read.

    Raises
    ------
    UsageError
        Where the place is of no kind that can be read.
    """

    def __init__(self, place: str, options: SourceOptions = SourceOptions()) -> None:
        self.place = place
        self.name = shown(place)
        self._options = options
        self._stopping = threading.Event()
        self._open = _opener(place, options)
        self.is_file = not (_URL.match(place) or _camera(place))
        self.rate = 0.0
        self.has_sound = False
        self.lost: Callable[[], None] = lambda: None

    def close(self) -> None:
        """Let the iteration end with the next packet."""
        self._stopping.set()

    def __iter__(self) -> Iterator[Item]:
        """Read the source. Raises InputError where it cannot be opened for the first time."""
        backoff = Backoff()
        first = True
        while not self._stopping.is_set():
            try:
                with self._opened(first) as container:
                    first = False
                    for item in self._items(container):
                        if self._stopping.is_set():
                            return
                        backoff.reset()
                        yield item
            except (FFmpegError, OSError) as error:
                if self.is_file:
                    raise InputError(f"{self.name}: cannot be read on ({error})") from error
            if self.is_file and not self._options.loop:
                return
            if not self.is_file:
                self.lost()
                if not self._options.reopen:
                    return
                self._stopping.wait(backoff.next())

    def _opened(self, first: bool) -> InputContainer:
        while True:
            try:
                return self._open()
            except ProtocolNotFoundError as error:
                scheme = self.place.split(":")[0]
                raise UsageError(
                    f"{self.name}: this build of FFmpeg cannot read {scheme}; "
                    "have the sender use RTMP or RTSP, or install a PyAV built with it"
                ) from error
            except ExitError as error:  # the time is over
                if not self._options.listen or self._stopping.is_set():
                    if first and not self._stopping.is_set():
                        raise InputError(f"{self.name}: does not answer") from error
                    raise
            except (FFmpegError, OSError) as error:
                if first:
                    raise InputError(
                        f"{self.name}: cannot be opened ({error.strerror or error}); is it there, "
                        "and is the address right?"
                    ) from error
                raise

    def _items(self, container: InputContainer) -> Iterator[Item]:
        """Everything of the best video, and of the best sound, decoded."""
        video = container.streams.best("video")
        if not isinstance(video, VideoStream) or video.codec_context is None:
            raise InputError(f"{self.name}: there is no video in it that can be decoded")
        # Decoding frame by frame in several threads would keep some frames back.
        video.codec_context.thread_type = "AUTO" if self.is_file else "SLICE"
        streams: list[Any] = [video]
        audio = container.streams.best("audio") if self._options.sound else None
        if audio is not None and audio.codec_context is not None:
            streams.append(audio)
        self.rate = float(video.average_rate or video.guessed_rate or 0)
        self.has_sound = len(streams) > 1
        last, apart = 0.0, True
        for packet in container.demux(*streams):
            try:
                frames = packet.decode()
            except EOFError:
                return
            except FFmpegError:  # a damaged packet; the next one may be whole
                continue
            for frame in frames:
                stamp = frame.time
                if isinstance(frame, av.VideoFrame):
                    last = last + 1 / (self.rate or 25) if stamp is None else stamp
                    yield Picture(frame, last, apart)
                    apart = False
                elif isinstance(frame, av.AudioFrame) and stamp is not None:
                    yield Sound(frame, stamp)


def shown(place: str) -> str:
    """Return a place as messages name it: without passwords and stream keys."""
    match = _URL.match(place)
    if not match:
        return place
    rest = place[match.end() :].split("?", maxsplit=1)[0]
    host, _, path = rest.rpartition("@")[2].partition("/")
    return f"{match.group(0)}{host}/{path.split('/')[0]}" + ("/…" if "/" in path else "")


def _camera(place: str) -> str | None:
    """The device of a camera, as FFmpeg names it; None where the place is none."""
    name = place.removeprefix("camera:")
    if not (name.isdecimal() or name != place or place.startswith("/dev/video")):
        return None
    if sys.platform == "linux" and name.isdecimal():
        return f"/dev/video{name}"
    return f"video={name}" if sys.platform == "win32" else name


def _opener(place: str, options: SourceOptions) -> Callable[[], InputContainer]:
    camera = _camera(place)
    if options.listen and not _URL.match(place):
        raise UsageError(
            f"{place}: only an address can be listened at, such as rtmp://0.0.0.0/live"
        )
    if camera is not None:
        device = _DEVICES.get(sys.platform, "v4l2")
        return lambda: av.open(camera, format=device, timeout=(_OPEN_SECONDS, _READ_SECONDS))
    match = _URL.match(place)
    if match is None:
        return lambda: open_input(Path(place))
    scheme = match.group(1).lower()
    if scheme not in SCHEMES:
        raise UsageError(f"{shown(place)}: an address begins with one of {', '.join(SCHEMES)}")
    settings: dict[str, str] = {}
    if scheme not in ("http", "https"):
        settings["analyzeduration"] = f"{_LONGEST_ANALYSIS_MICROSECONDS}"
    if scheme.startswith("rtsp"):
        settings["rtsp_transport"] = "tcp"  # over UDP, lost packets become broken pictures
    if options.listen and scheme.startswith("rtsp"):
        settings |= {"rtsp_flags": "listen", "listen_timeout": f"{_LISTEN_SECONDS:.0f}"}
    elif options.listen:
        settings["listen"] = "1"
    wait = _LISTEN_SECONDS if options.listen else _OPEN_SECONDS
    return lambda: av.open(place, options=settings, timeout=(wait, _READ_SECONDS))
