"""GIF files by their blocks, animated ones too."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from faceveil.media.picture_file.cleaned import (
    Cleaned,
    Sieve,
    holds_data,
    is_plain_xmp,
    name_trailing,
)

_EXTENSION, _IMAGE, _TRAILER = 0x21, 0x2C, 0x3B
_CONTROL, _COMMENT, _APPLICATION = 0xF9, 0xFE, 0xFF
_LOOPS = {b"NETSCAPE2.0", b"ANIMEXTS1.0"}
_PROFILE, _XMP = b"ICCRGBG1012", b"XMP DataXMP"
_XMP_TAIL = 258
_TRANSPARENT, _RESTORE = 1, 2 << 2


class Block(NamedTuple):
    """A block: 0x2C for a picture, the label of an extension, 0x3B for the end, 0 for the header.

    `tables_end` is where a picture's coded samples begin.
    """

    kind: int
    start: int
    end: int
    tables_end: int = 0


def clean(content: bytes, strip: bool = False) -> Cleaned:
    """See `picture_file.clean`."""
    sieve = Sieve(strip)
    view = memoryview(content)
    pages = at = 0
    for block in blocks(content):
        pages += block.kind == _IMAGE
        _judge(sieve, content, block)
        at = block.end
    if view[at:].tobytes().strip(b"\0"):
        sieve.remove(name_trailing(view[at:]))
    else:
        sieve.keep(view[at:])
    return sieve.result(content, max(1, pages))


def blocks(content: bytes) -> Iterator[Block]:
    """The blocks up to and with the trailer. Raises ValueError where they cannot be followed."""
    try:
        at = 13 + _table_length(content[10])
        yield Block(0, 0, at)
        while at < len(content):
            kind, start = content[at], at
            if kind == _TRAILER:
                yield Block(kind, start, at + 1)
                return
            if kind == _IMAGE:
                data = at + 10 + _table_length(content[at + 9])
                at = _blocks_end(content, data + 1)
                yield Block(kind, start, at, data)
            elif kind == _EXTENSION:
                at = _blocks_end(content, at + 2)
                yield Block(content[start + 1], start, at)
            else:
                raise ValueError("a block of unknown kind")
    except IndexError as error:
        raise ValueError("a block is cut off") from error


def join_frames(frames: Sequence[bytes], cleaned: bytes, *, transparent: bool) -> bytes:
    """A GIF of encoded GIFs that fill the screen, one for each picture of a cleaned one, timed,
    repeated and described as that is. `transparent` says whether any of them shows what is behind
    it."""
    size = frames[0][6:10]
    out = [b"GIF89a", size, b"\x70\0\0"]
    kept = {_COMMENT, _APPLICATION}
    out += [cleaned[b.start : b.end] for b in blocks(cleaned) if b.kind in kept]
    for frame, delay in zip(frames, _delays(cleaned), strict=True):
        out += [_control(frame, delay, transparent), _picture(frame)]
    return b"".join([*out, b"\x3b"])


def sub_blocks(content: bytes, at: int) -> bytes:
    """The data of the sub-blocks from an offset on."""
    parts = []
    while content[at]:
        parts.append(content[at + 1 : at + 1 + content[at]])
        at += 1 + content[at]
    return b"".join(parts)


def _judge(sieve: Sieve, content: bytes, block: Block) -> None:
    whole = memoryview(content)[block.start : block.end]
    if block.kind in (0, _IMAGE, _TRAILER):
        sieve.keep(whole)
    elif block.kind == _CONTROL:
        _keep_or_remove(sieve, whole, len(whole) == 8, "data among the animation's times")
    elif block.kind == _COMMENT:
        plain = not holds_data(sub_blocks(content, block.start + 2))
        _keep_or_remove(sieve, whole, plain, "a comment that holds data", personal=True)
    elif block.kind == _APPLICATION:
        _application(sieve, content, block, whole)
    else:
        sieve.remove("a block of unknown content")


def _application(sieve: Sieve, content: bytes, block: Block, whole: memoryview) -> None:
    name = content[block.start + 3 : block.start + 14]
    if name in _LOOPS:
        small = len(sub_blocks(content, block.start + 14)) <= 8
        _keep_or_remove(sieve, whole, small, "data among the animation's times")
    elif name == _PROFILE:
        sieve.keep(whole)
    elif name == _XMP:
        packet = content[block.start + 14 : max(block.start + 14, block.end - _XMP_TAIL)]
        plain = is_plain_xmp(packet)
        _keep_or_remove(sieve, whole, plain, "XMP that holds a picture", personal=True)
    else:
        sieve.remove(f"data of an application ({name.decode('latin-1').strip()})")


def _keep_or_remove(
    sieve: Sieve, whole: memoryview, plain: bool, what: str, *, personal: bool = False
) -> None:
    if not plain:
        sieve.remove(what)
    elif personal and sieve.strip:
        sieve.changed = True
    else:
        sieve.keep(whole)


def _table_length(flags: int) -> int:
    return 3 << (1 + (flags & 7)) if flags & 0x80 else 0


def _blocks_end(content: bytes, at: int) -> int:
    while content[at]:
        at += 1 + content[at]
    return at + 1


def _delays(content: bytes) -> Iterator[int]:
    """Hundredths of a second of each picture."""
    delay = 0
    for block in blocks(content):
        if block.kind == _CONTROL:
            (delay,) = struct.unpack_from("<H", content, block.start + 4)
        elif block.kind == _IMAGE:
            yield delay
            delay = 0


def _control(frame: bytes, delay: int, transparent: bool) -> bytes:
    index, seen = 0, 0
    for block in blocks(frame):
        if block.kind == _CONTROL:
            seen, index = frame[block.start + 3] & _TRANSPARENT, frame[block.start + 6]
    flags = (_RESTORE if transparent else 1 << 2) | seen
    return struct.pack("<BBBBHBB", _EXTENSION, _CONTROL, 4, flags, delay, index, 0)


def _picture(frame: bytes) -> bytes:
    """The picture of a GIF of one, with its colours, which lie in the header or with it."""
    picture = next(block for block in blocks(frame) if block.kind == _IMAGE)
    descriptor = frame[picture.start : picture.start + 9]
    flags = frame[picture.start + 9]
    if flags & 0x80:
        return frame[picture.start : picture.end]
    table = frame[13 : 13 + _table_length(frame[10])]
    own = bytes([(flags & 0x40) | 0x80 | (frame[10] & 7)])
    return descriptor + own + table + frame[picture.tables_end : picture.end]
