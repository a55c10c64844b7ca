"""TIFF files by their directories: pages, their strips or tiles, and tags."""

from __future__ import annotations

import struct
import zlib
from typing import Any

from numpy.typing import NDArray

from faceveil.media.picture_file import jpeg
from faceveil.media.picture_file.cleaned import Cleaned, is_plain_xmp
from faceveil.media.picture_file.directories import (
    Directory,
    DirectoryReader,
    Entry,
    long_entry,
    short_entry,
    write_directories,
)
from faceveil.media.picture_file.exif import DESCRIPTIVE, ORIENTATION, filter_tags

_KIND, _XMP, _IPTC, _PROFILE, _SUB_FILES = 254, 700, 33723, 34675, 330
_REDUCED, _MASK = 1, 4
_ALPHA, _UNASSOCIATED = 338, 2
_LAYOUT = {
    *(254, 255, 256, 257, 258, 259, 262, 263, 264, 265, 266, 273, 277, 278, 279, 280, 281),
    *(284, 290, 291, 292, 293, 297, 301, 317, 318, 319, 320, 321, 322, 323, 324, 325, 332),
    *(334, 336, 338, 339, 340, 341, 347, 529, 530, 531, 532, 34675),
}
"""What the samples are and where: TIFF 6.0, sections 3 to 22, and the colour profile."""
_STRIPS, _TILES = (273, 279), (324, 325)
_COMPRESSION, _PREDICTOR, _JPEG_OLD, _JPEG_NEW = 259, 317, 6, 7
_DEFLATE = 8
_STRIP_BYTES = 1 << 20
_PHOTOMETRIC = {"L": 1, "LA": 1, "RGB": 2, "RGBA": 2, "CMYK": 5, "LAB": 8}
_PROFILE_SPACES = {"L": b"GRAY", "LA": b"GRAY", "RGB": b"RGB ", "RGBA": b"RGB ", "CMYK": b"CMYK"}
_PROFILE_SPACES["LAB"] = b"Lab "
_PAGES_AT_MOST = 10_000


class TiffPages:
    """The pictures of a TIFF file, without reduced copies and masks.

    `numbers` are their places in the file, `directories` their tags, samples included. Raises
    ValueError where the file cannot be followed.
    """

    def __init__(self, content: bytes) -> None:
        self._reader = reader = DirectoryReader(content)
        self.order = reader.order
        self.directories: list[Directory] = []
        self.numbers: list[int] = []
        self.previews = 0
        at, seen, number = reader.first, set[int](), 0
        while at and at not in seen and number < _PAGES_AT_MOST:
            seen.add(at)
            directory, at = reader.read(at)
            kind = _first(reader, directory, _KIND)
            if kind & (_REDUCED | _MASK) and (self.directories or at):
                self.previews += 1
            else:
                _find_strips(reader, directory)
                self.directories.append(directory)
                self.numbers.append(number)
            number += 1
        if not self.directories:
            raise ValueError("has no page")
        self.unseen = reader.unseen()


def clean(content: bytes, strip: bool = False) -> Cleaned:
    """See `picture_file.clean`."""
    pages = TiffPages(content)
    removed: list[str] = []
    if pages.previews:
        removed.append("a reduced copy or a mask of a page")
    kept = [_kept(page, strip, removed) for page in pages.directories]
    if pages.unseen:
        removed.append("data outside the pages")
    count = len(pages.directories)
    if not removed and not strip:
        return Cleaned(content, (), count)
    return Cleaned(write_directories(pages.order, kept), tuple(dict.fromkeys(removed)), count)


def encode_page(samples: NDArray[Any], mode: str, described: Directory, order: str) -> Directory:
    """A page of upright samples with the tags of another, packed without loss (Deflate).

    Parameters
    ----------
    samples
        uint8 or uint16 [H, W] or [H, W, C] of the colours that Pillow's `mode` names: L, LA, RGB,
        RGBA, CMYK or LAB.
    described
        The page whose tags are kept, as far as they hold for these samples.
    order
        The byte order of its values, "<" or ">".
    """
    height, width = samples.shape[:2]
    channels = samples.shape[2] if samples.ndim == 3 else 1
    rows = max(1, _STRIP_BYTES // (width * channels * samples.itemsize))
    colours = 4 if mode == "CMYK" else channels if channels in (1, 3) else channels - 1
    entries = {
        tag: entry
        for tag, entry in described.entries.items()
        if tag in (DESCRIPTIVE | {255, 297, _XMP, _IPTC, _PROFILE}) - {ORIENTATION}
    }
    if _PROFILE in entries and entries[_PROFILE].value[16:20] != _PROFILE_SPACES[mode]:
        del entries[_PROFILE]
    entries |= {
        256: long_entry(order, [width]),
        257: long_entry(order, [height]),
        258: short_entry(order, [8 * samples.itemsize] * channels),
        _COMPRESSION: short_entry(order, [_DEFLATE]),
        262: short_entry(order, [_PHOTOMETRIC[mode]]),
        277: short_entry(order, [channels]),
        278: long_entry(order, [rows]),
        284: short_entry(order, [1]),
        _PREDICTOR: short_entry(order, [2]),
    }
    if channels > colours:
        alpha = described.entries.get(_ALPHA)
        # Pillow has divided 8-bit colours by an alpha that they were multiplied with
        kind = _number(alpha, order) if alpha and samples.itemsize > 1 else _UNASSOCIATED
        entries[_ALPHA] = short_entry(order, [kind])
    strips = [_packed(samples[top : top + rows], order) for top in range(0, height, rows)]
    return Directory(entries, dict(described.below), strips)


def _packed(rows: NDArray[Any], order: str) -> bytes:
    """Rows of a strip, each sample as the difference to the one left of it, deflated."""
    wide = rows.reshape(rows.shape[0], rows.shape[1], -1)
    differences = wide.copy()
    differences[:, 1:] -= wide[:, :-1]
    if differences.itemsize > 1:
        differences = differences.astype(f"{order}u{differences.itemsize}")
    return zlib.compress(differences.tobytes(), 3)


def _kept(page: Directory, strip: bool, removed: list[str]) -> Directory:
    layout = {tag: entry for tag, entry in page.entries.items() if tag in _LAYOUT}
    texts = {tag: page.entries[tag] for tag in (_XMP, _IPTC) if tag in page.entries}
    if _SUB_FILES in page.entries:
        removed.append("pictures below a page (SubIFDs)")
    others = {
        tag: entry
        for tag, entry in page.entries.items()
        if tag not in layout and tag not in texts and tag != _SUB_FILES
    }
    described = filter_tags(Directory(others, page.below), strip, removed)
    for tag, entry in texts.items():
        if not is_plain_xmp(entry.value.rstrip(b"\0")):
            removed.append("XMP or IPTC that holds a picture")
        elif not strip:
            layout[tag] = entry
    strips = page.strips
    if _coding(page) == _JPEG_NEW:
        alone = [jpeg.clean(bytes(strip)) for strip in strips]
        removed += [what for one in alone for what in one.removed]
        strips = [one.content for one in alone]
    return Directory(described.entries | layout, described.below, strips, page.tiled)


def _coding(page: Directory) -> int:
    entry = page.entries.get(_COMPRESSION)
    return int.from_bytes(entry.value[:2].strip(b"\0"), "big") if entry else 1


def _find_strips(reader: DirectoryReader, page: Directory) -> None:
    page.tiled = _TILES[0] in page.entries
    places, lengths = (page.entries.pop(tag, None) for tag in (_TILES if page.tiled else _STRIPS))
    if places is None or lengths is None or _coding(page) == _JPEG_OLD:
        raise ValueError("its samples cannot be found")
    view = memoryview(reader.content)
    strips = []
    for at, length in zip(reader.numbers(places), reader.numbers(lengths), strict=True):
        strips.append(view[at : at + length])
        reader.spans.append((at, at + length))
    page.strips = strips


def _first(reader: DirectoryReader, directory: Directory, tag: int) -> int:
    entry = directory.entries.get(tag)
    numbers = reader.numbers(entry) if entry else []
    return numbers[0] if numbers else 0


def _number(entry: Entry, order: str) -> int:
    code = "H" if entry.type == 3 else "I"
    return int(struct.unpack_from(f"{order}{code}", entry.value)[0])
