"""What of EXIF data is kept: the tags that describe a picture, none that can hold another."""

from __future__ import annotations

import struct

from PIL import ExifTags

from faceveil.media.picture_file.cleaned import holds_data
from faceveil.media.picture_file.directories import (
    EXIF,
    GPS,
    INTEROPERABILITY,
    Directory,
    DirectoryReader,
    Entry,
    short_entry,
    write_directories,
)

PREFIX = b"Exif\0\0"
ORIENTATION = 0x0112
MAKER_NOTE = 0x927C
_THUMBNAILS = {0x501B, 0x0201, 0x0202}
_RESOLUTION = {0x011A, 0x011B, 0x0128}

DESCRIPTIVE = {
    *(0x0100, 0x0101, 0x0102, 0x0103, 0x0106, 0x010D, 0x010E, 0x010F, 0x0110, 0x0112, 0x0115),
    *(0x011A, 0x011B, 0x011C, 0x011D, 0x0128, 0x0129, 0x012D, 0x0131, 0x0132, 0x013B, 0x013C),
    *(0x013E, 0x013F, 0x0211, 0x0212, 0x0213, 0x0214, 0x4746, 0x4749, 0x8298),
    *range(0x9C9B, 0x9CA0),  # Windows' title, comment, author, keywords, subject
}
"""Of a picture itself: TIFF 6.0 and EXIF 2.32, table 4."""
_SHOT = {
    *(0x829A, 0x829D, 0x8822, 0x8824, 0x8827, *range(0x8828, 0x8836), 0x9000, 0x9003, 0x9004),
    *(0x9010, 0x9011, 0x9012, 0x9101, 0x9102, *range(0x9201, 0x920B), 0x9214, 0x9286),
    *(0x9290, 0x9291, 0x9292, *range(0x9400, 0x9406), *range(0xA000, 0xA005), 0xA20B, 0xA20E),
    *(0xA20F, 0xA210, 0xA214, 0xA215, 0xA217, 0xA300, 0xA301, 0xA302, *range(0xA401, 0xA40D)),
    *(0xA420, *range(0xA430, 0xA43D), 0xA460, 0xA461, 0xA462, 0xA500),
}
"""How it was taken: EXIF 2.32 and 3.0, tables 5 and 8."""
_KEPT = {0: DESCRIPTIVE, EXIF: _SHOT, GPS: set(range(0x20)), INTEROPERABILITY: {1, 2}}
_IMPERSONAL = {0: _RESOLUTION | {ORIENTATION}, EXIF: {0x9000, 0xA001, 0xA500}}
_TEXTS = {0x9286, 0x001B, 0x001C, *range(0x9C9B, 0x9CA0)}
_ASCII, _UTF8 = 2, 129
_LONGEST_TEXT = 1 << 16
_LONGEST_VALUE = 2048
"""Bytes. A picture of a face that can be recognised takes more."""


def clean_exif(content: bytes, strip: bool = False) -> tuple[bytes, list[str]]:
    """EXIF data without what can show a picture.

    Parameters
    ----------
    content
        TIFF bytes, without the "Exif" that precedes them in some files.
    strip
        Leave out all but orientation, resolution and colour space, too.

    Returns
    -------
    tuple
        The data, the same object where all of it is kept and empty where none is, and what was
        left out because it can show a picture, in words. Texts stay as their bytes are.
    """
    try:
        reader = DirectoryReader(content)
        directory, following = reader.read(reader.first)
    except (ValueError, struct.error):
        return b"", ["EXIF data that cannot be read"]
    removed: list[str] = []
    kept = filter_tags(directory, strip, removed)
    if following:
        removed.append("the EXIF thumbnail")
    if not removed and reader.unseen():
        removed.append("data between the EXIF tags")
    if not removed and not strip:
        return content, []
    if not kept.entries and not kept.below:
        return b"", removed
    return write_directories(reader.order, [kept]), removed


def filter_tags(
    directory: Directory, strip: bool, removed: list[str], within: int = 0
) -> Directory:
    """The tags of a directory, and of those below it, that are kept; names of others are added
    to `removed`, but not of those that only `strip` leaves out."""
    kept = Directory()
    for tag, entry in directory.entries.items():
        if tag not in _KEPT.get(within, ()) or not _is_plain(tag, entry):
            removed.append(_name(tag, within))
        elif not strip or tag in _IMPERSONAL.get(within, ()):
            kept.entries[tag] = entry
    for tag, below in directory.below.items():
        if tag in _KEPT:
            inner = filter_tags(below, strip, removed, tag)
            if inner.entries or inner.below:
                kept.below[tag] = inner
        else:
            removed.append(_name(tag, within))
    return kept


def orientation_only(orientation: int) -> bytes:
    """EXIF data that says nothing but how a picture is turned (1 to 8)."""
    return write_directories("<", [Directory({ORIENTATION: short_entry("<", [orientation])})])


def upright(content: bytes) -> bytes:
    """EXIF data without its orientation, for a picture that was turned."""
    reader = DirectoryReader(content)
    directory, _ = reader.read(reader.first)
    directory.entries.pop(ORIENTATION, None)
    if not directory.entries and not directory.below:
        return b""
    return write_directories(reader.order, [directory])


def _is_plain(tag: int, entry: Entry) -> bool:
    is_text = entry.type in (_ASCII, _UTF8) or tag in _TEXTS
    longest = _LONGEST_TEXT if is_text else _LONGEST_VALUE
    return len(entry.value) <= longest and not holds_data(entry.value)


def _name(tag: int, within: int) -> str:
    if tag == MAKER_NOTE:
        return "the camera's maker note, which can hold a preview"
    if tag in _THUMBNAILS:
        return "the EXIF thumbnail"
    names = ExifTags.GPSTAGS if within == GPS else ExifTags.TAGS
    return f"the tag {names.get(tag, f'0x{tag:04X}')}"
