"""The directories of tags that TIFF files and EXIF data are made of, their values as bytes."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

EXIF, GPS, INTEROPERABILITY = 0x8769, 0x8825, 0xA005
POINTERS = (EXIF, GPS, INTEROPERABILITY)

_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
_SIZES |= {16: 8, 17: 8, 18: 8, 129: 1}
_FORMATS = {1: "B", 3: "H", 4: "I", 6: "b", 8: "h", 9: "i", 13: "I", 16: "Q", 17: "q", 18: "Q"}
_CLASSIC, _BIG = 42, 43
_LONG = 4
_PADDING = 16
"""Bytes that programs leave between what they write."""


class Entry(NamedTuple):
    """A tag's value: type and number of values as in TIFF 6.0, the bytes as in the file."""

    type: int
    length: int
    value: bytes


@dataclass(slots=True)
class Directory:
    """Tags and their values, the directories below it by the tag that points to them, and the
    strips or tiles of a picture, where it describes one."""

    entries: dict[int, Entry] = field(default_factory=dict)
    below: dict[int, Directory] = field(default_factory=dict)
    strips: Sequence[bytes | memoryview] = ()
    tiled: bool = False


class DirectoryReader:
    """Reads directories out of TIFF or EXIF bytes, and knows which bytes it has seen.

    Raises ValueError where the bytes are not TIFF or a directory lies outside them. Single values
    that lie outside are left out.
    """

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.order = {b"II": "<", b"MM": ">"}.get(content[:2], "")
        if not self.order or len(content) < 8:
            raise ValueError("is not TIFF")
        version = self._numbers("H", 2, 1)[0]
        if version not in (_CLASSIC, _BIG):
            raise ValueError("is not TIFF")
        self.big = version == _BIG
        self.first = self._numbers("Q" if self.big else "I", 8 if self.big else 4, 1)[0]
        self.spans = [(0, 16 if self.big else 8)]

    def read(self, at: int) -> tuple[Directory, int]:
        """The directory at an offset, and the offset of the next one, 0 where there is none."""
        count_format, entry_size = ("Q", 20) if self.big else ("H", 12)
        count_size = struct.calcsize(count_format)
        count = self._numbers(count_format, at, 1)[0]
        start = at + count_size
        end = start + count * entry_size
        pointer = "Q" if self.big else "I"
        following = 0
        if end + struct.calcsize(pointer) <= len(self.content):
            following = self._numbers(pointer, end, 1)[0]
        elif end > len(self.content):
            raise ValueError("a directory lies outside the file")
        self.spans.append((at, end + struct.calcsize(pointer)))
        directory = Directory()
        for index in range(count):
            self._entry(directory, start + index * entry_size)
        for tag in POINTERS:
            self._below(directory, tag)
        return directory, following

    def numbers(self, entry: Entry) -> list[int]:
        """The whole numbers of an entry; none where it holds others."""
        code = _FORMATS.get(entry.type)
        if code is None:
            return []
        return list(struct.unpack(f"{self.order}{entry.length}{code}", entry.value))

    def unseen(self) -> bool:
        """Whether more than a few bytes, not all zero, lie where nothing points to."""
        at = 0
        for start, end in [*sorted(self.spans), (len(self.content), len(self.content))]:
            if start > at and len(self.content[at:start].strip(b"\0")) > _PADDING:
                return True
            at = max(at, end)
        return False

    def _entry(self, directory: Directory, at: int) -> None:
        tag, kind = self._numbers("H", at, 2)
        count = self._numbers("Q" if self.big else "I", at + 4, 1)[0]
        inside = 8 if self.big else 4
        value_at = at + 4 + inside
        length = _SIZES.get(kind, 0) * count
        if length > inside:
            value_at = self._numbers("Q" if self.big else "I", value_at, 1)[0]
        value = self.content[value_at : value_at + length]
        if not length or len(value) < length or tag in directory.entries:
            return
        self.spans.append((value_at, value_at + length))
        directory.entries[tag] = Entry(kind, count, value)

    def _below(self, directory: Directory, tag: int) -> None:
        entry = directory.entries.pop(tag, None)
        places = self.numbers(entry) if entry else []
        if places and places[0] > 0 and places[0] not in {start for start, _ in self.spans}:
            try:
                directory.below[tag] = self.read(places[0])[0]
            except (ValueError, struct.error):
                return

    def _numbers(self, code: str, at: int, count: int) -> tuple[int, ...]:
        try:
            return struct.unpack_from(f"{self.order}{count}{code}", self.content, at)
        except struct.error as error:
            raise ValueError("a directory lies outside the file") from error


def write_directories(order: str, directories: Sequence[Directory]) -> bytes:
    """A TIFF file of these directories, one after the other, in a byte order, "<" or ">".

    Values are written as they are, so they must be of that order. Raises ValueError where the
    file would be larger than its 32-bit offsets allow.
    """
    out = bytearray((b"II" if order == "<" else b"MM") + struct.pack(f"{order}HI", _CLASSIC, 0))
    link = 4
    for directory in directories:
        at = _write(out, order, directory)
        struct.pack_into(f"{order}I", out, link, at)
        link = len(out) - 4
    return bytes(out)


def long_entry(order: str, values: Sequence[int]) -> Entry:
    """An entry of 32-bit numbers."""
    return Entry(_LONG, len(values), struct.pack(f"{order}{len(values)}I", *values))


def short_entry(order: str, values: Sequence[int]) -> Entry:
    """An entry of 16-bit numbers."""
    return Entry(3, len(values), struct.pack(f"{order}{len(values)}H", *values))


def _write(out: bytearray, order: str, directory: Directory) -> int:
    """Append a directory, what lies below it first, with no next one; its offset."""
    entries: dict[int, Entry] = dict(directory.entries)
    for tag, below in directory.below.items():
        entries[tag] = long_entry(order, [_write(out, order, below)])
    if directory.strips:
        entries |= _strips(out, order, directory)
    table = b"".join(_entry(out, order, tag, entries[tag]) for tag in sorted(entries))
    _align(out)
    at = len(out)
    out += struct.pack(f"{order}H", len(entries)) + table + bytes(4)
    if len(out) > 0xFFFFFFFF:
        raise ValueError("larger than 4 GB")
    return at


def _strips(out: bytearray, order: str, directory: Directory) -> Mapping[int, Entry]:
    places = []
    for strip in directory.strips:
        _align(out)
        places.append(len(out))
        out += strip
    if places[-1] > 0xFFFFFFFF:
        raise ValueError("larger than 4 GB")
    offsets, lengths = (324, 325) if directory.tiled else (273, 279)
    return {
        offsets: long_entry(order, places),
        lengths: long_entry(order, [len(strip) for strip in directory.strips]),
    }


def _entry(out: bytearray, order: str, tag: int, entry: Entry) -> bytes:
    value = entry.value
    if len(value) > 4:
        _align(out)
        at = len(out)
        out += value
        value = struct.pack(f"{order}I", at)
    return struct.pack(f"{order}HHI", tag, entry.type, entry.length) + value.ljust(4, b"\0")


def _align(out: bytearray) -> None:
    if len(out) % 2:
        out += b"\0"
