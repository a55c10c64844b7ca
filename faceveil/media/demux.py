"""Reading packets out of a file, also a damaged one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import av
from av.container import InputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.stream import Stream

from faceveil.errors import InputError

_DEMUXERS = (
    "mov,matroska,avi,mpegts,mpeg,mpegvideo,m4v,h264,hevc,obu,ivf,flv,asf,ogg,mxf,gif,apng,"
    "dv,rm,nut,wtv,vc1,yuv4mpegpipe"
)
MAX_FAILURES = 20
"""After as many unreadable packets in a row the rest of the file is given up."""


def open_input(path: Path) -> InputContainer:
    """The opened file. Raises InputError when it is missing, empty or not a video."""
    if not path.exists():
        raise InputError(f"{path}: there is no such file")
    if path.stat().st_size == 0:
        raise InputError(f"{path}: the file is empty")
    try:
        # Without the lists a playlist named .mp4 would make us open other files and URLs.
        return av.open(
            f"file:{path}",
            metadata_errors="replace",
            container_options={"protocol_whitelist": "file", "format_whitelist": _DEMUXERS},
        )
    except (FFmpegError, OSError) as problem:
        raise InputError(
            f"{path}: cannot be opened as a video ({problem.strerror}); is it one, and whole?"
        ) from problem


def packets(
    container: InputContainer,
    streams: tuple[Stream, ...],
    unreadable: Callable[[FFmpegError], None],
) -> Iterator[Packet[Any]]:
    """All packets of some streams, then an empty one each, which flushes its decoder.

    What cannot be read is told to `unreadable` and skipped.
    """
    failures = 0
    while failures < MAX_FAILURES:
        try:
            for packet in container.demux(*streams):
                yield packet
                failures = 0
            return
        except FFmpegError as problem:
            unreadable(problem)
            failures += 1
    for stream in streams:
        flush: Packet[Any] = Packet()
        flush.stream = stream
        yield flush


def is_cut_off(path: Path, container: InputContainer, stream: Stream) -> bool:
    """Whether the file ends before what its index (MP4, MOV) or header (Matroska) announces."""
    size = path.stat().st_size
    if "matroska" in container.format.name:
        with path.open("rb") as file:
            return size < _matroska_end(file.read(4096))
    return any(entry.pos + entry.size > size for entry in stream.index_entries)


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
