"""PNG files by their chunks, animated ones (APNG) too."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from faceveil.media.picture_file import exif
from faceveil.media.picture_file.cleaned import (
    Cleaned,
    Sieve,
    holds_data,
    is_plain_xmp,
    name_trailing,
    unpack,
)

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PICTURE = {b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS"}
_ANIMATION = {b"acTL", b"fcTL", b"fdAT"}
_DISPLAY = {b"iCCP", b"sRGB", b"gAMA", b"cHRM", b"cICP", b"mDCV", b"cLLI", b"pHYs"}
_OTHER_SMALL = {b"bKGD", b"hIST", b"sBIT", b"oFFs", b"pCAL", b"sCAL", b"sTER"}
_TEXT = {b"tEXt", b"zTXt", b"iTXt"}
_LONGEST_SMALL = 2048
_XMP_KEY = b"XML:com.adobe.xmp"
_DATA_KEYS = (b"Raw profile type", b"Thumb")
_NAMES = {
    b"caBX": "content credentials, which hold a preview",
    b"fdAT": "animation frames that no player shows",
}


class Chunk(NamedTuple):
    """A chunk's name and where its length field, its data and it all begin and end."""

    kind: bytes
    start: int
    data: int
    end: int


def clean(content: bytes, strip: bool = False) -> Cleaned:
    """See `picture_file.clean`."""
    sieve = Sieve(strip)
    view = memoryview(content)
    found = list(chunks(content))
    pages = _page_count(content, found)
    sieve.keep(view[: len(SIGNATURE)])
    at = len(SIGNATURE)
    for chunk in found:
        _judge(sieve, chunk, view, is_animated=pages > 0)
        at = chunk.end
    trailing = view[at:]
    if trailing.tobytes().strip(b"\0"):
        sieve.remove(name_trailing(trailing))
    else:
        sieve.keep(trailing)
    return sieve.result(content, max(1, pages))


def chunks(content: bytes) -> Iterator[Chunk]:
    """The chunks up to and with IEND. Raises ValueError where one is cut off."""
    at = len(SIGNATURE)
    while at + 12 <= len(content):
        length = int.from_bytes(content[at : at + 4], "big")
        end = at + 12 + length
        if end > len(content):
            raise ValueError("a chunk is cut off")
        kind = content[at + 4 : at + 8]
        yield Chunk(kind, at, at + 8, end)
        if kind == b"IEND":
            return
        at = end


def transplant(encoded: bytes, cleaned: bytes) -> bytes:
    """A newly encoded PNG with the descriptions of a cleaned one."""
    header_end = len(SIGNATURE) + 25
    return encoded[:header_end] + _described(encoded, cleaned) + encoded[header_end:]


def join_frames(frames: Sequence[bytes], cleaned: bytes) -> bytes:
    """An animated PNG of encoded PNGs of one size and colour type, one for each frame of a cleaned
    one, timed, repeated and described as that is."""
    found = list(chunks(cleaned))
    timing = [cleaned[c.data + 20 : c.data + 24] for c in found if c.kind == b"fcTL"]
    plays = next(cleaned[c.data + 4 : c.data + 8] for c in found if c.kind == b"acTL")
    header_end = len(SIGNATURE) + 25
    size = frames[0][len(SIGNATURE) + 8 : len(SIGNATURE) + 16]
    out = [frames[0][:header_end], chunk(b"acTL", struct.pack(">I", len(timing)) + plays)]
    out.append(_described(frames[0], cleaned))
    sequence = 0
    unplayed = len(frames) - len(timing)  # 1 where the first picture is only for those that
    for number, frame in enumerate(frames):  # cannot show animations
        if number >= unplayed:
            control = struct.pack(">I", sequence) + size + bytes(8)
            out.append(chunk(b"fcTL", control + timing[number - unplayed] + b"\0\0"))
            sequence += 1
        for part in (c for c in chunks(frame) if c.kind == b"IDAT"):
            if number == 0:
                out.append(frame[part.start : part.end])
            else:
                data = frame[part.data : part.end - 4]
                out.append(chunk(b"fdAT", struct.pack(">I", sequence) + data))
                sequence += 1
    return b"".join([*out, chunk(b"IEND", b"")])


def chunk(kind: bytes, data: bytes) -> bytes:
    """A chunk with its length and checksum."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _page_count(content: bytes, found: list[Chunk]) -> int:
    """How many pictures the file shows, 0 where it is not animated."""
    control = next((c for c in found if c.kind == b"acTL"), None)
    if control is None:
        return 0
    kinds = [c.kind for c in found]
    frames = kinds.count(b"fcTL")
    if int.from_bytes(content[control.data : control.data + 4], "big") != frames or not frames:
        raise ValueError("its animation has another number of frames than it says")
    return frames + (kinds.index(b"IDAT") < kinds.index(b"fcTL"))


def _judge(sieve: Sieve, part: Chunk, view: memoryview, is_animated: bool) -> None:
    kind, whole = part.kind, view[part.start : part.end]
    data = view[part.data : part.end - 4]
    if kind in _PICTURE or kind in _DISPLAY or (is_animated and kind in _ANIMATION):
        sieve.keep(whole)
    elif kind == b"eXIf":
        _exif(sieve, whole, bytes(data))
    elif kind in _TEXT or kind == b"tIME":
        if kind in _TEXT and not _is_plain_text(kind, bytes(data)):
            sieve.remove("a text that holds a picture or other data")
        elif sieve.strip:
            sieve.changed = True
        else:
            sieve.keep(whole)
    elif kind in _OTHER_SMALL and len(data) <= _LONGEST_SMALL:
        sieve.keep(whole)
    else:
        unknown = f"a chunk of unknown content ({kind.decode('latin-1')})"
        sieve.remove(_NAMES.get(kind, unknown))


def _exif(sieve: Sieve, whole: memoryview, data: bytes) -> None:
    tags = data.removeprefix(exif.PREFIX)
    kept, removed = exif.clean_exif(tags, sieve.strip)
    if kept is tags:
        sieve.keep(whole)
    else:
        sieve.replace(chunk(b"eXIf", kept) if kept else b"", removed)


def _is_plain_text(kind: bytes, data: bytes) -> bool:
    key, _, text = data.partition(b"\0")
    if key.startswith(_DATA_KEYS) or holds_data(key):
        return False
    unpacked: bytes | None = text
    if kind == b"zTXt":
        unpacked = unpack(text[1:])
    elif kind == b"iTXt":
        is_packed, rest = text[:1] == b"\1", text[2:].split(b"\0", 2)
        if len(rest) < 3 or holds_data(b" ".join(rest[:2])):
            return False
        unpacked = unpack(rest[2]) if is_packed else rest[2]
    if unpacked is None:
        return False
    return is_plain_xmp(unpacked) if key == _XMP_KEY else not holds_data(unpacked)


def _described(encoded: bytes, cleaned: bytes) -> bytes:
    """The chunks of a cleaned file that describe it, as far as they hold for the encoded one."""
    kept = _DISPLAY | _OTHER_SMALL | _TEXT | {b"eXIf", b"tIME"}
    colour, before = encoded[25], cleaned[25]
    if colour == before and colour in (0, 2) and encoded[24] == cleaned[24]:
        kept |= {b"tRNS"}
    if colour != before or encoded[24] != cleaned[24]:
        kept -= {b"bKGD", b"hIST", b"sBIT"}
    parts = [cleaned[c.start : c.end] for c in chunks(cleaned) if c.kind in kept]
    return b"".join(parts)
