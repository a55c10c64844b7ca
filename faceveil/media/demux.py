"""Reading packets out of a file, also a damaged one."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import av
from av.codec.hwaccel import HWAccel, hwdevices_available
from av.container import InputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.stream import Stream
from PIL import Image as PillowImage

from faceveil.errors import InputError, UsageError

_DEMUXERS = (
    "mov,matroska,avi,mpegts,mpeg,mpegvideo,m4v,h264,hevc,vvc,obu,ivf,flv,asf,ogg,mxf,gxf,gif,apng,"
    "dv,rm,nut,wtv,vc1,yuv4mpegpipe,mjpeg,mpjpeg,h263,dhav"
)
MAX_FAILURES = 20
"""After as many unreadable packets in a row the rest of the file is given up."""

_NO_VIDEOS = {
    b"\xff\xd8\xff": "a JPEG picture: name it .jpg",
    b"\x89PNG": "a PNG picture: name it .png",
    b"BM": "a BMP picture: name it .bmp",
    b"II*\0": "a TIFF picture: name it .tif",
    b"MM\0*": "a TIFF picture: name it .tif",
    b"%PDF": "a PDF document: export its pages as pictures",
    b"#EXTM3U": "a playlist: name the video itself",
    b"ffconcat": "a playlist: name the video itself",
}
"""What files that are no videos begin with, and what they are."""
_NEXT_JPEG = re.compile(rb"\xff\xd9\xff\xd8\xff")
_JPEG_SEARCHED = 16_000_000


def open_input(path: Path, hwaccel: str | None = None) -> InputContainer:
    """The opened file.

    Parameters
    ----------
    path
        A video file of this machine.
    hwaccel
        The kind of device that decodes it, as FFmpeg names it (`cuda`, `qsv`, `videotoolbox`);
        None decodes with the processor.

    Raises
    ------
    InputError
        When the file is missing, empty or not a video.
    UsageError
        When this machine has no device of that kind.
    """
    if not path.exists():
        raise InputError(f"{path}: there is no such file")
    if path.stat().st_size == 0:
        raise InputError(f"{path}: the file is empty")
    accelerator = _accelerator(hwaccel) if hwaccel else None
    is_mjpeg = _is_raw_mjpeg(path)
    if not is_mjpeg:
        _refuse_other_files(path)
    try:
        # Without the lists a playlist named .mp4 would make us open other files and URLs.
        return av.open(
            f"file:{path}",
            format="mjpeg" if is_mjpeg else None,
            metadata_errors="replace",
            container_options={"protocol_whitelist": "file", "format_whitelist": _DEMUXERS},
            hwaccel=accelerator,
        )
    except (FFmpegError, OSError) as error:
        if kind := _kind_of_picture(path):
            raise InputError(f"{path}: is no video but a {kind} picture: save it as PNG") from error
        raise InputError(
            f"{path}: cannot be opened as a video ({error.strerror}); is it one, and whole?"
        ) from error
    except NotImplementedError as error:  # PyAV's answer where a device cannot decode a codec
        raise UsageError(f"{path}: {hwaccel} cannot decode it ({error})") from error


def _accelerator(kind: str) -> HWAccel:
    known = hwdevices_available()
    if kind not in known:
        raise UsageError(f"hwaccel {kind!r} is none of this build's: {', '.join(known) or 'none'}")
    try:
        return HWAccel(kind, allow_software_fallback=False)
    except (FFmpegError, ValueError, RuntimeError) as error:
        raise UsageError(f"this machine has no device for hwaccel {kind!r} ({error})") from error


def _refuse_other_files(path: Path) -> None:
    """Raise InputError for a file that begins as one that FFmpeg would take for something else.

    It finds a video in a PDF that holds JPEG pictures, for example.
    """
    with path.open("rb") as file:
        head = file.read(8)
    for mark, kind in _NO_VIDEOS.items():
        if head.startswith(mark):
            raise InputError(f"{path}: is no video but {kind}")


def _kind_of_picture(path: Path) -> str | None:
    """What Pillow calls the format of a picture; None for any other file."""
    try:
        with PillowImage.open(path) as picture:
            return picture.format
    except (OSError, ValueError, PillowImage.DecompressionBombError):
        return None


def _is_raw_mjpeg(path: Path) -> bool:
    """Whether the file is JPEG pictures one after the other, which FFmpeg takes for a picture.

    A photo (.jpg, .mpo) with others behind it is none: its name tells.
    """
    if path.suffix.lower() not in ("", ".mjpeg", ".mjpg"):
        return False
    with path.open("rb") as file:
        if file.read(3) != b"\xff\xd8\xff":
            return False
        return bool(path.suffix) or _NEXT_JPEG.search(file.read(_JPEG_SEARCHED)) is not None


class Positions:
    """Where in the file each packet lies; a packet without a place lies where the one before it
    of the same stream did."""

    def __init__(self) -> None:
        self._last: dict[int, int] = {}

    def of(self, packet: Packet[Any]) -> int:
        """Bytes from the start of the file."""
        position = packet.pos
        if position is None:
            return self._last.get(packet.stream_index, 0)
        self._last[packet.stream_index] = position
        return position


def packets(
    container: InputContainer,
    streams: tuple[Stream, ...],
    unreadable: Callable[[FFmpegError], None],
) -> Iterator[Packet[Any]]:
    """All packets of some streams, then an empty one each, which flushes its decoder.

    What cannot be read goes to `unreadable` and is skipped.
    """
    failures = 0
    while failures < MAX_FAILURES:
        try:
            for packet in container.demux(*streams):
                yield packet
                failures = 0
            return
        except FFmpegError as error:
            unreadable(error)
            failures += 1
    for stream in streams:
        flush: Packet[Any] = Packet()
        flush.stream = stream
        yield flush


def is_cut_off(path: Path, container: InputContainer, stream: Stream) -> bool:
    """Whether the file ends before what its index (MP4, MOV) or header (Matroska, AVI) says."""
    size = path.stat().st_size
    with path.open("rb") as file:
        if "matroska" in container.format.name:
            return size < _matroska_end(file.read(4096))
        if container.format.name == "avi":
            return size < _riff_end(file)
    return any(entry.pos + entry.size > size for entry in stream.index_entries)


def _riff_end(file: BinaryIO) -> int:
    """Where the last RIFF chunk of an AVI ends; 0 where a recorder never wrote its size."""
    end = 0
    while (head := file.read(8))[:4] == b"RIFF" and len(head) == 8:
        length = int.from_bytes(head[4:], "little")
        if length in (0, 0xFFFFFFFF):
            return 0
        end += 8 + length + length % 2
        file.seek(end)
    return end


def _matroska_end(head: bytes) -> int:
    """Where the Segment ends that follows the EBML header; 0 where its size is unknown."""
    size, at = _vint(head, 4)  # the EBML header: a four-byte id, its size, its content
    segment = at + size
    if head[segment : segment + 4] != b"\x18\x53\x80\x67" or segment + 12 > len(head):
        return 0
    width = 9 - head[segment + 4].bit_length()
    size, content = _vint(head, segment + 4)
    unknown = size == (1 << 7 * width) - 1
    return 0 if unknown else content + size


def _vint(data: bytes, at: int) -> tuple[int, int]:
    """An EBML variable-length integer, and where it ends (RFC 8794, section 4)."""
    width = 9 - data[at].bit_length()
    value = int.from_bytes(data[at : at + width], "big") & ((1 << 7 * width) - 1)
    return value, at + width
