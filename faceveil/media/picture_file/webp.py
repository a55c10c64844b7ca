"""WebP files by their chunks, animated ones too."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from faceveil.media.picture_file import exif
from faceveil.media.picture_file.cleaned import Cleaned, Sieve, is_plain_xmp, name_trailing

_HEADER = 12
_PICTURE = {b"VP8 ", b"VP8L", b"ALPH", b"ICCP", b"ANIM"}
_CODED = {b"VP8 ", b"VP8L", b"ALPH"}
_ICC, _ALPHA, _EXIF, _XMP, _ANIMATED = 0x20, 0x10, 0x08, 0x04, 0x02
_FRAME_HEADER = 16
_NO_BLENDING = 0x02


class Chunk(NamedTuple):
    """A chunk's name, its data, and all of it with the padding."""

    kind: bytes
    data: memoryview
    whole: memoryview


def clean(content: bytes, strip: bool = False) -> Cleaned:
    """See `picture_file.clean`."""
    sieve = Sieve(strip)
    view = memoryview(content)
    end = 8 + int.from_bytes(content[4:8], "little")
    pages = 0
    for chunk in chunks(view[_HEADER:end]):
        pages += chunk.kind == b"ANMF"
        _judge(sieve, chunk)
    if view[end:].tobytes().strip(b"\0"):
        sieve.remove(name_trailing(view[end:]))
    if not sieve.changed:
        return Cleaned(content, (), max(1, pages))
    return Cleaned(_riff(sieve.kept), tuple(sieve.removed), max(1, pages))


def chunks(content: memoryview) -> Iterator[Chunk]:
    """The chunks of a WebP behind its header, or of one of its frames."""
    at = 0
    while at + 8 <= len(content):
        length = int.from_bytes(content[at + 4 : at + 8], "little")
        end = at + 8 + length + length % 2
        if at + 8 + length > len(content):
            raise ValueError("a chunk is cut off")
        yield Chunk(bytes(content[at : at + 4]), content[at + 8 : at + 8 + length], content[at:end])
        at = end


def frame_durations(content: bytes) -> list[int]:
    """Milliseconds that each frame of an animation is shown."""
    return [
        int.from_bytes(chunk.data[12:15], "little")
        for chunk in chunks(memoryview(content)[_HEADER:])
        if chunk.kind == b"ANMF"
    ]


def is_lossless(content: bytes) -> bool:
    """Whether the first picture is coded without loss."""
    for chunk in chunks(memoryview(content)[_HEADER:]):
        inner = chunks(chunk.data[_FRAME_HEADER:]) if chunk.kind == b"ANMF" else iter([chunk])
        for coded in inner:
            if coded.kind in (b"VP8 ", b"VP8L"):
                return coded.kind == b"VP8L"
    return False


def transplant(encoded: bytes, cleaned: bytes, size: tuple[int, int]) -> bytes:
    """A newly encoded WebP of a width and height with the descriptions of a cleaned one."""
    coded = _coded(encoded)
    return _riff([*_before(cleaned), *(part.whole for part in coded), *_behind(cleaned)], size)


def join_frames(frames: Sequence[bytes], cleaned: bytes, size: tuple[int, int]) -> bytes:
    """An animation of encoded WebPs of a width and height, one for each frame of a cleaned one,
    timed, repeated and described as that is."""
    parts = list(_before(cleaned))
    parts += [c.whole for c in chunks(memoryview(cleaned)[_HEADER:]) if c.kind == b"ANIM"]
    width, height = size
    for frame, duration in zip(frames, frame_durations(cleaned), strict=True):
        header = bytes(6) + _three(width - 1) + _three(height - 1) + _three(duration)
        coded = b"".join(part.whole for part in _coded(frame))
        parts.append(_chunk(b"ANMF", header + bytes([_NO_BLENDING]) + coded))
    return _riff([*parts, *_behind(cleaned)], size)


def _judge(sieve: Sieve, chunk: Chunk) -> None:
    if chunk.kind in _PICTURE or chunk.kind == b"VP8X":
        sieve.keep(chunk.whole)
    elif chunk.kind == b"ANMF":
        _frame(sieve, chunk)
    elif chunk.kind == b"EXIF":
        tags = bytes(chunk.data).removeprefix(exif.PREFIX)
        kept, removed = exif.clean_exif(tags, sieve.strip)
        if kept is tags:
            sieve.keep(chunk.whole)
        else:
            sieve.replace(_chunk(b"EXIF", kept) if kept else b"", removed)
    elif chunk.kind == b"XMP ":
        if not is_plain_xmp(bytes(chunk.data)):
            sieve.remove("XMP that holds a picture")
        elif sieve.strip:
            sieve.changed = True
        else:
            sieve.keep(chunk.whole)
    else:
        sieve.remove(f"a chunk of unknown content ({chunk.kind.decode('latin-1')})")


def _frame(sieve: Sieve, chunk: Chunk) -> None:
    inner = list(chunks(chunk.data[_FRAME_HEADER:]))
    if all(part.kind in _CODED for part in inner):
        sieve.keep(chunk.whole)
        return
    coded = [part.whole.tobytes() for part in inner if part.kind in _CODED]
    content = bytes(chunk.data[:_FRAME_HEADER]) + b"".join(coded)
    sieve.replace(_chunk(b"ANMF", content), ["a chunk of unknown content in a frame"])


def _coded(encoded: bytes) -> list[Chunk]:
    return [part for part in chunks(memoryview(encoded)[_HEADER:]) if part.kind in _CODED]


def _before(cleaned: bytes) -> list[bytes | memoryview]:
    return [c.whole for c in chunks(memoryview(cleaned)[_HEADER:]) if c.kind == b"ICCP"]


def _behind(cleaned: bytes) -> list[bytes | memoryview]:
    return [c.whole for c in chunks(memoryview(cleaned)[_HEADER:]) if c.kind in (b"EXIF", b"XMP ")]


def _riff(parts: Sequence[bytes | memoryview], size: tuple[int, int] | None = None) -> bytes:
    """A WebP file of these chunks, in the simple form where it suffices; `size` of the picture is
    needed where no VP8X chunk is among them."""
    kinds, flags = set(), 0
    for part in parts:
        for chunk in chunks(memoryview(part)):
            kinds.add(chunk.kind)
            if chunk.kind == b"VP8X":
                flags = chunk.data[0] & _ALPHA
                width, height = (int.from_bytes(chunk.data[i : i + 3], "little") for i in (4, 7))
                size = size or (width + 1, height + 1)
            elif chunk.kind == b"ANMF":
                inner = chunks(chunk.data[_FRAME_HEADER:])
                flags |= _ALPHA * any(_has_alpha(coded) for coded in inner)
            flags |= _ALPHA * _has_alpha(chunk)
    for kind, flag in ((b"ICCP", _ICC), (b"EXIF", _EXIF), (b"XMP ", _XMP), (b"ANIM", _ANIMATED)):
        flags |= flag * (kind in kinds)
    bare = [part for part in parts if bytes(part[:4]) != b"VP8X"]
    if size is not None and (kinds - {b"VP8 ", b"VP8L", b"VP8X"}):
        extended = bytes([flags, 0, 0, 0]) + _three(size[0] - 1) + _three(size[1] - 1)
        bare.insert(0, _chunk(b"VP8X", extended))
    body = b"WEBP" + b"".join(bare)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def _has_alpha(chunk: Chunk) -> bool:
    lossless = chunk.kind == b"VP8L" and len(chunk.data) > 4 and bool(chunk.data[4] & 0x10)
    return chunk.kind == b"ALPH" or lossless


def _chunk(kind: bytes, data: bytes) -> bytes:
    return kind + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)


def _three(value: int) -> bytes:
    return value.to_bytes(3, "little")
