"""JPEG files by their segments, and MPO: several JPEG files in one."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from typing import NamedTuple

from faceveil.media.picture_file import exif
from faceveil.media.picture_file.cleaned import (
    Cleaned,
    Sieve,
    holds_data,
    is_plain_xmp,
    name_trailing,
)
from faceveil.media.picture_file.directories import (
    Directory,
    DirectoryReader,
    Entry,
    long_entry,
    write_directories,
)

_START, _END, _SCAN, _COMMENT = 0xD8, 0xD9, 0xDA, 0xFE
_ALONE = {0x01, *range(0xD0, 0xDA)}
_CODING = {*range(0xC0, 0xD0), 0xDA, 0xDB, 0xDC, 0xDD, 0xDE, 0xDF} - {0xC8}
_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]", re.DOTALL)
_JFIF, _XMP, _ICC = b"JFIF\0", b"http://ns.adobe.com/xap/1.0/\0", b"ICC_PROFILE\0"
_MPF, _PHOTOSHOP, _ADOBE = b"MPF\0", b"Photoshop 3.0\0", b"Adobe"
_EXTENDED_XMP = b"http://ns.adobe.com/xmp/extension/\0"
_NAMES = {
    b"JFXX": "the JFIF thumbnail",
    b"FPXR": "a FlashPix picture",
    b"JP": "content credentials, which hold a preview",
    b"urn:iso:std:iso:ts:21496": "the HDR gain map",
}
_PREVIEWS = {1033: "the Photoshop thumbnail", 1036: "the Photoshop thumbnail"}
_IPTC, _LONGEST_IPTC = 1028, 1 << 15
_SMALL = 64
"""Bytes that can hold no picture, whatever they mean."""
_IPTC_PICTURES = (b"\x1c\x02\xca", b"\x1c\x02\x7d")  # object data preview, rasterised caption
_UNDEFINED, _VIEWS = 0x000000, 0x02
_MOST_VIEWS = 64
_LARGEST_INDEX = 2048


class Segment(NamedTuple):
    """A marker's code, and where it, what follows it, and its data begin and end."""

    marker: int
    start: int
    data: int
    end: int


def clean(content: bytes, strip: bool = False) -> Cleaned:
    """See `picture_file.clean`."""
    views = find_views(content)
    if len(views) < 2:
        return _clean_one(content, strip)
    alone = [_clean_one(view, strip, is_view=True) for view in views]
    removed = {what: None for view in alone for what in view.removed}
    unchanged = all(view.content is part for view, part in zip(alone, views, strict=True))
    if unchanged and sum(map(len, views)) == len(content):
        return Cleaned(content, (), len(views))
    return Cleaned(join_views([view.content for view in alone]), tuple(removed), len(views))


def find_views(content: bytes) -> list[bytes]:
    """The JPEG files that an MPO shows, each by itself; none where the file is a single JPEG.

    Views are what the Multi-Picture Format (CIPA DC-007) calls so, and pictures of no said type
    that are no gain map. Its thumbnails and gain maps are none.
    """
    for segment in segments(content):
        data = content[segment.data : segment.end]
        if segment.marker == _SCAN:
            break
        if segment.marker == 0xE2 and data.startswith(_MPF):
            return _indexed(content, data[len(_MPF) :], segment.data + len(_MPF))
    return []


def join_views(views: list[bytes]) -> bytes:
    """An MPO of these JPEG files: an index in the first, the others behind it."""
    bare = [_without_index(view) for view in views]
    index = b""
    for _ in range(2):  # the index says how long the first is, which the index lengthens
        index = _index(bare, len(index))
    return bare[0][:2] + index + bare[0][2:] + b"".join(bare[1:])


def transplant(encoded: bytes, cleaned: bytes) -> bytes:
    """A newly encoded JPEG with the descriptions of a cleaned one, as their bytes are."""
    described = []
    for segment in segments(cleaned):
        data = cleaned[segment.data : segment.end]
        if segment.marker == _SCAN:
            break
        if _is_description(segment.marker) and not data.startswith(_MPF):
            described.append(cleaned[segment.start : segment.end])
    coding = [
        encoded[segment.start : segment.end]
        for segment in segments(encoded)
        if segment.marker != _START and not _is_description(segment.marker)
    ]
    return b"".join([encoded[:2], *described, *coding])


def segments(content: bytes) -> Iterator[Segment]:
    """The segments of a JPEG up to its end marker; a scan counts with its coded samples.

    Raises ValueError where the segments cannot be followed.
    """
    at = 0
    while at < len(content):
        found = _MARKER.search(content, at)
        if found is None:
            return
        start, data = found.end() - 2, found.end()
        marker = content[start + 1]
        if marker in _ALONE:
            yield Segment(marker, start, data, data)
            if marker == _END:
                return
            at = data
            continue
        if data + 2 > len(content):
            raise ValueError("a segment is cut off")
        end = data + int.from_bytes(content[data : data + 2], "big")
        if marker == _SCAN:
            following = _MARKER.search(content, end)
            end = following.start() if following else len(content)
        yield Segment(marker, start, data + 2, end)
        at = end


def _clean_one(content: bytes, strip: bool, is_view: bool = False) -> Cleaned:
    sieve = Sieve(strip)
    view = memoryview(content)
    at = 0
    for segment in segments(content):
        if view[at : segment.start].tobytes().strip(b"\xff"):
            sieve.remove("data between the segments")
        elif segment.start > at:
            sieve.keep(view[at : segment.start])
        if is_view and _is_index(content, segment):
            sieve.keep(view[segment.start : segment.end])
        else:
            _judge(sieve, segment, view, is_first=at == 0)
        at = segment.end
    trailing = view[at:]
    if trailing.tobytes().strip(b"\0"):
        sieve.remove(name_trailing(trailing))
    else:
        sieve.keep(trailing)
    return sieve.result(content)


def _is_index(content: bytes, segment: Segment) -> bool:
    small = segment.end - segment.data <= _LARGEST_INDEX
    return small and segment.marker == 0xE2 and content.startswith(_MPF, segment.data)


def _judge(sieve: Sieve, segment: Segment, view: memoryview, is_first: bool) -> None:
    """Keep a segment, or what of it may be kept."""
    marker, whole = segment.marker, view[segment.start : segment.end]
    if marker in _CODING or marker == _END or (marker == _START and is_first):
        sieve.keep(whole)
        return
    data = bytes(view[segment.data : segment.end])
    if marker == _COMMENT:
        _keep_if(sieve, whole, data, not holds_data(data), "a comment that holds data")
    elif marker == 0xE1 and data.startswith(exif.PREFIX):
        _exif(sieve, whole, data)
    elif marker == 0xE1 and data.startswith(_XMP):
        _keep_if(sieve, whole, data, is_plain_xmp(data[len(_XMP) :]), "XMP that holds a picture")
    elif marker == 0xED and data.startswith(_PHOTOSHOP):
        _photoshop(sieve, whole, data)
    elif marker == 0xE0 and data.startswith(_JFIF) and len(data) >= 14:
        _jfif(sieve, whole, data)
    elif _is_colour(marker, data) or len(data) <= _SMALL:
        sieve.keep(whole)
    else:
        sieve.remove(_name(marker, data))


def _is_colour(marker: int, data: bytes) -> bool:
    profile = marker == 0xE2 and data.startswith(_ICC)
    return profile or (marker == 0xEE and data.startswith(_ADOBE) and len(data) <= 16)


def _keep_if(sieve: Sieve, whole: memoryview, data: bytes, plain: bool, what: str) -> None:
    if not plain:
        sieve.remove(what)
    elif sieve.strip:
        sieve.changed = True
    else:
        sieve.keep(whole)


def _exif(sieve: Sieve, whole: memoryview, data: bytes) -> None:
    tags = data[len(exif.PREFIX) :]
    kept, removed = exif.clean_exif(tags, sieve.strip)
    if kept is tags:
        sieve.keep(whole)
    else:
        sieve.replace(_segment(0xE1, exif.PREFIX + kept) if kept else b"", removed)


def _jfif(sieve: Sieve, whole: memoryview, data: bytes) -> None:
    if data[12:] == b"\0\0":
        sieve.keep(whole)
    else:
        sieve.replace(_segment(0xE0, data[:12] + b"\0\0"), ["the JFIF thumbnail"])


def _photoshop(sieve: Sieve, whole: memoryview, data: bytes) -> None:
    """Photoshop's resources: IPTC texts and what is too small for a picture."""
    kept, removed, at = [], [], len(_PHOTOSHOP)
    while at + 12 <= len(data) and data[at : at + 4] == b"8BIM":
        (number,) = struct.unpack_from(">H", data, at + 4)
        name_end = at + 6 + (data[at + 6] + 2) // 2 * 2
        (length,) = struct.unpack_from(">I", data, name_end)
        end = name_end + 4 + (length + 1) // 2 * 2
        value = data[name_end + 4 : name_end + 4 + length]
        if length <= _SMALL or (number == _IPTC and _is_plain_iptc(value)):
            kept.append(data[at:end])
        else:
            removed.append(_PREVIEWS.get(number, "Photoshop's own data"))
        at = end
    if data[at:].strip(b"\0"):
        removed.append("Photoshop's own data")
    if sieve.strip:
        sieve.replace(b"", removed)
    elif removed:
        content = _segment(0xED, _PHOTOSHOP + b"".join(kept)) if kept else b""
        sieve.replace(content, removed)
    else:
        sieve.keep(whole)


def _is_plain_iptc(value: bytes) -> bool:
    pictures = any(marker in value for marker in _IPTC_PICTURES)
    return len(value) <= _LONGEST_IPTC and not pictures and not holds_data(value)


def _segment(marker: int, data: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(data) + 2) + data


def _name(marker: int, data: bytes) -> str:
    if data.startswith(_MPF):
        return "further pictures of the camera, such as a preview or a gain map"
    if data.startswith(_EXTENDED_XMP):
        return "XMP that holds a picture"
    for beginning, name in _NAMES.items():
        if data.startswith(beginning):
            return name
    kind = f"APP{marker - 0xE0}" if 0xE0 <= marker <= 0xEF else f"0x{marker:02X}"
    return f"a segment of unknown content ({kind})"


def _is_description(marker: int) -> bool:
    """Whether a segment describes the picture; APP14 says how its colours are coded."""
    return marker == _COMMENT or 0xE0 <= marker <= 0xED


def _entries(index: bytes) -> list[tuple[int, int, int]]:
    """(type, length, offset) of the pictures that an index of the Multi-Picture Format lists."""
    try:
        reader = DirectoryReader(index)
        directory, _ = reader.read(reader.first)
    except (ValueError, struct.error):
        return []
    entry = directory.entries.get(0xB002)
    if entry is None:
        return []
    rows = len(entry.value) // 16
    values = struct.unpack_from(f"{reader.order}" + "IIIHH" * rows, entry.value)
    return [(values[5 * i] & 0xFFFFFF, values[5 * i + 1], values[5 * i + 2]) for i in range(rows)]


def _indexed(content: bytes, index: bytes, base: int) -> list[bytes]:
    """The views that an index lists. `base` is where its offsets count from."""
    entries = _entries(index)[:_MOST_VIEWS]
    starts = [0] + [base + at for _, _, at in entries[1:]]
    lengths = [length for _, length, _ in entries]
    parts = [content[at : at + length] for at, length in zip(starts, lengths, strict=False)]
    is_right = all(part.startswith(b"\xff\xd8") for part in parts)
    if not is_right or [len(part) for part in parts] != lengths:
        parts = _in_a_row(content, len(entries))  # as some programs write wrong places
    return [
        part
        for number, (part, (kind, _, _)) in enumerate(zip(parts, entries, strict=False))
        if number == 0 or ((kind == _UNDEFINED or kind >> 16 == _VIEWS) and not _is_gain_map(part))
    ]


def _in_a_row(content: bytes, most: int) -> list[bytes]:
    """JPEG files that follow each other."""
    parts: list[bytes] = []
    while content.startswith(b"\xff\xd8") and len(parts) < most:
        end = max(segment.end for segment in segments(content))
        parts.append(content[:end])
        content = content[end:]
    return parts


def _is_gain_map(part: bytes) -> bool:
    head = part[: 1 << 16]
    return any(word in head for word in (b"hdrgm", b"HDRGainMap", b"urn:iso:std:iso:ts:21496"))


def _without_index(view: bytes) -> bytes:
    kept, at = [], 0
    for segment in segments(view):
        if segment.marker == 0xE2 and view.startswith(_MPF, segment.data):
            kept.append(view[at : segment.start])
            at = segment.end
        if segment.marker == _SCAN:
            break
    return b"".join([*kept, view[at:]])


def _index(views: list[bytes], index_length: int) -> bytes:
    """An APP2 segment right behind the start marker that lists the views."""
    first = len(views[0]) + index_length
    base = 2 + 4 + len(_MPF)
    rows, at = [struct.pack("<IIIHH", 0x20030000, first, 0, 0, 0)], first
    for view in views[1:]:
        rows.append(struct.pack("<IIIHH", 0x020003, len(view), at - base, 0, 0))
        at += len(view)
    table = b"".join(rows)
    directory = Directory(
        {
            0xB000: Entry(7, 4, b"0100"),
            0xB001: long_entry("<", [len(views)]),
            0xB002: Entry(7, len(table), table),
        }
    )
    return _segment(0xE2, _MPF + write_directories("<", [directory]))
