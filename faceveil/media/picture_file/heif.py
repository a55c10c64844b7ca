"""HEIC and AVIF files by their items (ISO/IEC 23008-12): the picture, its alpha, its descriptions.

Items that are taken out are overwritten with zeros and struck from the tables; nothing moves, so
the places that the tables name stay right.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import NamedTuple

from faceveil.media.picture_file import exif
from faceveil.media.picture_file.cleaned import Cleaned, is_plain_xmp

_TABLES = {b"hdlr", b"pitm", b"iloc", b"iinf", b"iref", b"iprp", b"idat", b"dinf"}
_ALPHA = b"alpha"
_PADDING = 16
_NAMES = {b"thmb": "a thumbnail", b"auxl": "a depth or gain map", b"dimg": "a gain map"}


class Box(NamedTuple):
    """Kind of a box and where it, its data and it all end."""

    kind: bytes
    start: int
    data: int
    end: int


@dataclass(slots=True)
class _Item:
    """An item's kind, the places of its bytes, and where `iloc` says how long each is."""

    kind: bytes
    info: bytes
    mime: bytes = b""
    extents: list[tuple[int, int]] = field(default_factory=list)
    lengths_at: list[tuple[int, int]] = field(default_factory=list)
    location: bytes = b""
    properties: list[int] = field(default_factory=list)


@dataclass(slots=True)
class _File:
    content: bytes
    top: list[Box]
    meta: Box
    tables: dict[bytes, Box]
    primary: int = 0
    items: dict[int, _Item] = field(default_factory=dict)
    references: list[tuple[bytes, int, list[int]]] = field(default_factory=list)
    alpha_properties: set[int] = field(default_factory=set)


def clean(content: bytes, strip: bool = False) -> Cleaned:
    """See `picture_file.clean`. Sequences are not followed: ValueError."""
    file = _read(content)
    removed: dict[str, None] = {}
    shown = _shown(file)
    gone = {number for number in file.items if number not in shown}
    out = bytearray(content)
    for number in sorted(gone):
        item = file.items[number]
        if item.kind == b"Exif" or item.mime == b"application/rdf+xml":
            continue
        removed[_name(file, number)] = None
    changed = _descriptions(file, out, gone, strip, removed)
    for number in gone:
        for start, end in file.items[number].extents:
            out[start:end] = bytes(end - start)
    changed |= _outside(file, out, removed)
    unknown = [box for kind, box in file.tables.items() if kind not in _TABLES]
    if not gone and not changed and not unknown:
        return Cleaned(content)
    if any(box.kind != b"grpl" for box in unknown):
        removed["a box of unknown content"] = None
    _write_tables(file, out, gone)
    return Cleaned(bytes(out), tuple(removed))


def bit_depth(content: bytes) -> int:
    """Bits a sample, as the property `pixi` of the first item says; 8 where it says nothing."""
    at = content.find(b"pixi", 0, 1 << 16)
    return content[at + 9] if 0 <= at < len(content) - 10 else 8


def _read(content: bytes) -> _File:
    top: list[Box] = []
    with suppress(ValueError):  # what follows the last box is taken out
        top.extend(_boxes(content, 0, len(content)))
    by_kind = {box.kind: box for box in top}
    if b"meta" not in by_kind or b"moov" in by_kind:
        raise ValueError("is an image sequence, or holds no picture")
    meta = by_kind[b"meta"]
    tables = {box.kind: box for box in _boxes(content, meta.data + 4, meta.end)}
    file = _File(content, top, meta, tables)
    for kind in (b"pitm", b"iloc", b"iinf", b"iprp"):
        if kind not in tables:
            raise ValueError(f"has no table {kind.decode()}")
    at = tables[b"pitm"].data
    file.primary = _number(content, at + 4, 2 if content[at] == 0 else 4)
    _read_items(file)
    _read_locations(file)
    _read_references(file)
    _read_properties(file)
    if file.primary not in file.items:
        raise ValueError("its picture is missing")
    return file


def _boxes(content: bytes | bytearray, at: int, end: int) -> Iterator[Box]:
    while at + 8 <= end:
        length, kind = struct.unpack_from(">I4s", content, at)
        data = at + 8
        if length == 1:
            length, data = _number(content, at + 8, 8), at + 16
        stop = end if length == 0 else at + length
        if stop > end or stop < data:
            raise ValueError("a box is cut off")
        yield Box(kind, at, data, stop)
        at = stop


def _number(content: bytes | bytearray, at: int, size: int) -> int:
    if at + size > len(content):
        raise ValueError("a table is cut off")
    return int.from_bytes(content[at : at + size], "big")


def _read_items(file: _File) -> None:
    content, table = file.content, file.tables[b"iinf"]
    start = table.data + (6 if content[table.data] == 0 else 8)
    for box in _boxes(content, start, table.end):
        version = content[box.data]
        if box.kind != b"infe" or version < 2:
            raise ValueError("describes its items in an old way")
        size = 2 if version == 2 else 4
        at = box.data + 4
        kind_at = at + size + 2
        item = _Item(content[kind_at : kind_at + 4], content[box.start : box.end])
        if item.kind == b"mime":
            texts = content[kind_at + 4 : box.end].split(b"\0")
            item.mime = texts[1] if len(texts) > 1 else b""
        file.items[_number(content, at, size)] = item


def _read_locations(file: _File) -> None:
    content, table = file.content, file.tables[b"iloc"]
    version, at = content[table.data], table.data + 4
    offset_size, length_size = content[at] >> 4, content[at] & 15
    base_size, index_size = content[at + 1] >> 4, content[at + 1] & 15 if version else 0
    id_size = 4 if version == 2 else 2
    count = _number(content, at + 2, id_size)
    at += 2 + id_size
    for _ in range(count):
        begin = at
        number = _number(content, at, id_size)
        at += id_size
        method = 0
        if version:
            method, at = _number(content, at, 2) & 15, at + 2
        at += 2
        base, at = _number(content, at, base_size), at + base_size
        extents, at = _number(content, at, 2), at + 2
        item = file.items.get(number)
        if item is None or method > 1 or extents == 0:
            raise ValueError("its items lie elsewhere")
        if method == 1:
            base += file.tables[b"idat"].data
        for _ in range(extents):
            at += index_size
            start, at = base + _number(content, at, offset_size), at + offset_size
            length = _number(content, at, length_size)
            item.lengths_at.append((at - begin, length_size))
            at += length_size
            end = start + length if length else len(content)
            if end > len(content):
                raise ValueError("an item is cut off")
            item.extents.append((start, end))
        item.location = content[begin:at]


def _read_references(file: _File) -> None:
    table = file.tables.get(b"iref")
    if table is None:
        return
    size = 2 if file.content[table.data] == 0 else 4
    for box in _boxes(file.content, table.data + 4, table.end):
        origin = _number(file.content, box.data, size)
        count = _number(file.content, box.data + size, 2)
        at = box.data + size + 2
        targets = [_number(file.content, at + i * size, size) for i in range(count)]
        file.references.append((box.kind, origin, targets))


def _read_properties(file: _File) -> None:
    content, table = file.content, file.tables[b"iprp"]
    for box in _boxes(content, table.data, table.end):
        if box.kind == b"ipco":
            for index, one in enumerate(_boxes(content, box.data, box.end), 1):
                if one.kind == b"auxC" and _ALPHA in content[one.data : one.end]:
                    file.alpha_properties.add(index)
        elif box.kind == b"ipma":
            for number, _, indices in _associations(content, box):
                if number in file.items:
                    file.items[number].properties += indices


def _associations(content: bytes, box: Box) -> Iterator[tuple[int, bytes, list[int]]]:
    """(item, raw bytes, indices of its properties) of an `ipma` box."""
    id_size = 2 if content[box.data] == 0 else 4
    size = 2 if content[box.data + 3] & 1 else 1
    at = box.data + 8
    for _ in range(_number(content, box.data + 4, 4)):
        begin, number = at, _number(content, at, id_size)
        count = content[at + id_size]
        at += id_size + 1
        mask = (1 << (8 * size - 1)) - 1
        indices = [_number(content, at + i * size, size) & mask for i in range(count)]
        at += count * size
        yield number, content[begin:at], indices


def _shown(file: _File) -> set[int]:
    """The picture, its tiles, its alpha, and the items that describe it."""
    shown = {file.primary}
    while True:
        more = set[int]()
        for kind, origin, targets in file.references:
            if kind == b"dimg" and origin in shown:
                more.update(targets)
            elif kind == b"auxl" and shown.intersection(targets) and origin in file.items:
                is_alpha = file.alpha_properties.intersection(file.items[origin].properties)
                more.update([origin] if is_alpha else [])
        if more <= shown:
            break
        shown |= more
    for kind, origin, targets in file.references:
        if kind == b"cdsc" and file.primary in targets and origin in file.items:
            item = file.items[origin]
            if item.kind == b"Exif" or item.mime == b"application/rdf+xml":
                shown.add(origin)
    return shown


def _descriptions(
    file: _File, out: bytearray, gone: set[int], strip: bool, removed: dict[str, None]
) -> bool:
    """Clean EXIF and XMP in their places; whether anything changed."""
    changed = False
    for number, item in file.items.items():
        if item.kind != b"Exif" and item.mime != b"application/rdf+xml":
            continue
        data = b"".join(file.content[start:end] for start, end in item.extents)
        if number in gone or strip:
            gone.add(number)
        elif item.kind != b"Exif":
            if not is_plain_xmp(data):
                removed["XMP that holds a picture"] = None
                gone.add(number)
        else:
            head = 4 + _number(data, 0, 4)
            kept, names = exif.clean_exif(data[head:])
            removed.update(dict.fromkeys(names))
            if names and (len(item.extents) != 1 or not kept or len(kept) + head > len(data)):
                gone.add(number)
            elif names:
                start, end = item.extents[0]
                out[start:end] = (data[:head] + kept).ljust(end - start, b"\0")
                _set_length(item, head + len(kept))
                changed = True
    return changed


def _set_length(item: _Item, length: int) -> None:
    at, size = item.lengths_at[0]
    location = bytearray(item.location)
    location[at : at + size] = length.to_bytes(size, "big")
    item.location = bytes(location)


def _outside(file: _File, out: bytearray, removed: dict[str, None]) -> bool:
    """Overwrite what no item holds; whether there was anything."""
    spans = sorted(span for item in file.items.values() for span in item.extents)
    changed = False
    for box in file.top:
        if box.kind in (b"ftyp", b"meta"):
            continue
        at = box.data
        inside = [span for span in spans if box.data <= span[0] < box.end]
        for start, end in [*inside, (box.end, box.end)]:
            if start > at and len(out[at:start].strip(b"\0")) > _PADDING:
                out[at:start] = bytes(start - at)
                removed["data outside the picture"] = None
                changed = True
            at = max(at, end)
        if box.kind not in (b"mdat", b"free", b"skip"):
            out[box.start + 4 : box.start + 8] = b"free"
            changed = True
    last = file.top[-1].end
    if bytes(out[last:]).strip(b"\0"):
        del out[last:]
        removed["data behind the picture"] = None
        changed = True
    return changed


def _write_tables(file: _File, out: bytearray, gone: set[int]) -> None:
    """The tables without what is gone; what they got shorter by becomes an empty box."""
    content, meta = file.content, file.meta
    parts = [content[meta.data : meta.data + 4]]
    for kind, box in file.tables.items():
        if kind == b"iloc":
            parts.append(_locations(file, gone))
        elif kind == b"iinf":
            parts.append(_infos(file, gone))
        elif kind == b"iref":
            parts.append(_references(file, gone))
        elif kind == b"iprp":
            parts.append(_properties(file, gone))
        elif kind in _TABLES:
            parts.append(bytes(out[box.start : box.end]))
    inner = b"".join(parts)
    room = meta.end - meta.start - 8 - len(inner)
    if room < 0 or 0 < room < 8:
        raise ValueError("its tables cannot be shortened")
    spare = _box(b"free", bytes(room - 8)) if room else b""
    out[meta.start : meta.end] = _box(b"meta", inner) + spare


def _locations(file: _File, gone: set[int]) -> bytes:
    box, content = file.tables[b"iloc"], file.content
    id_size = 4 if content[box.data] == 2 else 2
    kept = [item.location for n, item in file.items.items() if n not in gone and item.location]
    head = content[box.data : box.data + 6] + len(kept).to_bytes(id_size, "big")
    return _box(b"iloc", head + b"".join(kept))


def _infos(file: _File, gone: set[int]) -> bytes:
    box, content = file.tables[b"iinf"], file.content
    size = 2 if content[box.data] == 0 else 4
    kept = [item.info for number, item in file.items.items() if number not in gone]
    head = content[box.data : box.data + 4] + len(kept).to_bytes(size, "big")
    return _box(b"iinf", head + b"".join(kept))


def _references(file: _File, gone: set[int]) -> bytes:
    box, content = file.tables[b"iref"], file.content
    size = 2 if content[box.data] == 0 else 4
    parts = []
    for kind, origin, targets in file.references:
        kept = [number for number in targets if number not in gone]
        if origin not in gone and kept:
            numbers = b"".join(number.to_bytes(size, "big") for number in kept)
            parts.append(
                _box(kind, origin.to_bytes(size, "big") + struct.pack(">H", len(kept)) + numbers)
            )
    return _box(b"iref", content[box.data : box.data + 4] + b"".join(parts)) if parts else b""


def _properties(file: _File, gone: set[int]) -> bytes:
    content, table = file.content, file.tables[b"iprp"]
    parts = []
    for box in _boxes(content, table.data, table.end):
        if box.kind != b"ipma":
            parts.append(content[box.start : box.end])
            continue
        kept = [raw for number, raw, _ in _associations(content, box) if number not in gone]
        head = content[box.data : box.data + 4] + struct.pack(">I", len(kept))
        parts.append(_box(b"ipma", head + b"".join(kept)))
    return _box(b"iprp", b"".join(parts))


def _box(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(data), kind) + data


def _name(file: _File, number: int) -> str:
    for kind, origin, targets in file.references:
        if (origin == number or number in targets) and kind in _NAMES:
            return _NAMES[kind]
    return "a further picture or data"
