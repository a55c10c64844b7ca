"""BMP and JPEG 2000 files: what lies in them beside the picture."""

from __future__ import annotations

import struct

from faceveil.media.picture_file.cleaned import Cleaned, Sieve, holds_data, name_trailing

_BMP_HEADER = 14
_UNPACKED = (0, 3)
_PROFILE_EMBEDDED = b"DEBM"
_BOXES = {b"jP  ", b"ftyp", b"jp2h", b"jp2c"}
_HEADER_BOXES = {b"ihdr", b"bpcc", b"colr", b"pclr", b"cmap", b"cdef", b"res "}
_CODESTREAM = b"\xff\x4f\xff\x51"
_START_OF_TILE, _COMMENT, _END = 0xFF90, 0xFF64, 0xFFD9


def clean_bmp(content: bytes, strip: bool = False) -> Cleaned:
    """See `picture_file.clean`."""
    (offset,) = struct.unpack_from("<I", content, 10)
    header_size, width, height = struct.unpack_from("<Iii", content, _BMP_HEADER)
    if header_size < 40:
        raise ValueError("its header is of an old kind")
    bits, coding, coded = struct.unpack_from("<HII", content, _BMP_HEADER + 14)
    stride = (abs(width) * bits + 31) // 32 * 4
    end = offset + (stride * abs(height) if coding in _UNPACKED else coded)
    ends = [end]
    if header_size >= 124 and content[_BMP_HEADER + 56 : _BMP_HEADER + 60] == _PROFILE_EMBEDDED:
        at, length = struct.unpack_from("<II", content, _BMP_HEADER + 112)
        ends.append(_BMP_HEADER + at + length)
    (colours,) = struct.unpack_from("<I", content, _BMP_HEADER + 32)
    colours = colours or (1 << bits if bits <= 8 else 0)
    masks = 16 if coding == 3 and header_size == 40 else 0
    before = _BMP_HEADER + header_size + masks + 4 * colours
    sieve = Sieve(strip)
    if content[before:offset].strip(b"\0"):
        sieve.replace(
            content[:before] + bytes(max(0, offset - before)), ["data before the samples"]
        )
        sieve.keep(memoryview(content)[max(before, offset) : max(ends)])
    else:
        sieve.keep(memoryview(content)[: max(ends)])
    trailing = memoryview(content)[max(ends) :]
    if trailing.tobytes().strip(b"\0"):
        sieve.remove(name_trailing(trailing))
    else:
        sieve.keep(trailing)
    return sieve.result(content)


def clean_jpeg2000(content: bytes, strip: bool = False) -> Cleaned:
    """See `picture_file.clean`: the picture of a .jp2 file or a bare codestream."""
    sieve = Sieve(strip)
    if content.startswith(_CODESTREAM):
        end = _codestream_end(content, 0, len(content))
        sieve.keep(memoryview(content)[:end])
        if content[end:].strip(b"\0"):
            sieve.remove(name_trailing(content[end:]))
        return sieve.result(content)
    at = 0
    while at + 8 <= len(content):
        try:
            start, end, kind = _box(content, at)
        except ValueError:
            break  # what follows the last box is taken out
        _judge(sieve, content, at, start, end, kind)
        at = end
    if content[at:].strip(b"\0"):
        sieve.remove(name_trailing(content[at:]))
    return sieve.result(content)


def _judge(sieve: Sieve, content: bytes, at: int, start: int, end: int, kind: bytes) -> None:
    whole = memoryview(content)[at:end]
    if kind == b"jp2c":
        stop = _codestream_end(content, start, end)
        if content[stop:end].strip(b"\0"):
            box = struct.pack(">I4s", 8 + stop - start, kind) + content[start:stop]
            sieve.replace(box, [name_trailing(content[stop:end])])
        else:
            sieve.keep(whole)
    elif kind == b"jp2h" and not _is_plain_header(content, start, end):
        raise ValueError("its header holds boxes of unknown content")
    elif kind in _BOXES:
        sieve.keep(whole)
    else:
        sieve.remove(f"a box of unknown content ({kind.decode('latin-1').strip()})")


def _is_plain_header(content: bytes, at: int, end: int) -> bool:
    while at + 8 <= end:
        _, at, kind = _box(content, at)
        if kind not in _HEADER_BOXES:
            return False
    return True


def _box(content: bytes, at: int) -> tuple[int, int, bytes]:
    """Where a box's data begin and end, and its kind."""
    length, kind = struct.unpack_from(">I4s", content, at)
    start = at + 8
    if length == 1:
        (length,) = struct.unpack_from(">Q", content, at + 8)
        start = at + 16
    end = len(content) if length == 0 else at + length
    if end > len(content) or end < start:
        raise ValueError("a box is cut off")
    return start, end, kind


def _codestream_end(content: bytes, at: int, limit: int) -> int:
    """Behind the end marker of a codestream (ISO 15444-1, annex A)."""
    at += 2
    while at + 4 <= limit:
        marker, length = struct.unpack_from(">HH", content, at)
        if marker == _END:
            return at + 2
        if marker == _COMMENT and holds_data(content[at + 6 : at + 2 + length]):
            raise ValueError("a comment that holds data")
        if marker == _START_OF_TILE:
            (tile,) = struct.unpack_from(">I", content, at + 6)
            if not tile:
                end = content.rfind(b"\xff\xd9", at, limit)
                return end + 2 if end > 0 else limit
            at += tile
        else:
            at += 2 + length
    if content[at : at + 2] == b"\xff\xd9":
        return at + 2
    raise ValueError("its codestream is cut off")
