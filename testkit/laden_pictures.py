"""Picture files that hold another picture beside their own, in every place known for it."""

from __future__ import annotations

import base64
import io
import struct
import zlib
from collections.abc import Callable

import numpy as np
from PIL import Image, PngImagePlugin

from testkit.made_media import numbered

Made = Callable[[], bytes]


def saved(image: Image.Image, file_format: str, **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, file_format, **options)
    return stream.getvalue()


PICTURE = Image.fromarray(numbered(9))
SECRET = Image.fromarray(np.random.default_rng(5).integers(0, 256, (48, 64, 3), np.uint8))
"""Noise: no part of it is in another file by chance."""
SECRET_JPEG = saved(SECRET, "JPEG")
SECRET_PNG = saved(SECRET, "PNG")
SECRET_RGB = np.asarray(SECRET).tobytes()
SECRET_TEXT = base64.b64encode(SECRET_JPEG)
XMP = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'><xmp:Thumbnails>%s</xmp:Thumbnails></x:xmpmeta>"
SECRET_XMP = XMP % b"&#xA;".join(SECRET_TEXT[i : i + 76] for i in range(0, len(SECRET_TEXT), 76))
MOVIE = b"\0\0\0\x18ftypmp42\0\0\0\0isommp42\0\0\0\x08free" + SECRET_JPEG


def exif_with(
    *entries: tuple[int, int, bytes], thumbnail: bytes = b"", details: bytes = b""
) -> bytes:
    """EXIF bytes of (tag, type, value) entries; `details` becomes the maker note."""
    sizes = {1: 1, 2: 1, 3: 2, 4: 4, 7: 1}
    out = bytearray(b"II*\0\0\0\0\0")

    def directory(rows: list[tuple[int, int, bytes]], following: int) -> int:
        table = b""
        for tag, kind, value in sorted(rows):
            stored = value.ljust(4, b"\0")
            if len(value) > 4:
                stored = struct.pack("<I", len(out))
                out.extend(value + b"\0" * (len(value) % 2))
            table += struct.pack("<HHI", tag, kind, len(value) // sizes[kind]) + stored
        at = len(out)
        out.extend(struct.pack("<H", len(rows)) + table + struct.pack("<I", following))
        return at

    following, rows = 0, list(entries)
    if thumbnail:
        place = struct.pack("<I", len(out))
        out.extend(thumbnail + b"\0" * (len(thumbnail) % 2))
        size = struct.pack("<I", len(thumbnail))
        following = directory([(0x0201, 4, place), (0x0202, 4, size)], 0)
    if details:
        rows.append((0x8769, 4, struct.pack("<I", directory([(0x927C, 7, details)], 0))))
    first = directory(rows, following)
    struct.pack_into("<I", out, 4, first)
    return bytes(out)


ARTIST = (0x013B, 2, "Jörg Ärmel\0".encode())
SECRET_EXIF = exif_with(ARTIST, thumbnail=SECRET_JPEG)
MAKER_NOTE_EXIF = exif_with(ARTIST, details=b"maker" + SECRET_JPEG)


def segment(marker: int, data: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(data) + 2) + data


def jpeg_with(*segments: bytes, behind: bytes = b"", image: Image.Image = PICTURE) -> bytes:
    plain = saved(image, "JPEG", quality=90)
    return plain[:2] + b"".join(segments) + plain[2:] + behind


def jpeg_with_preview() -> bytes:
    """A camera's JPEG with an index (MPF) of a large thumbnail behind it."""
    rows = [(0x20030000, 0, 0), (0x10001, len(SECRET_JPEG), 0)]
    index = b"II*\0\x08\0\0\0" + struct.pack("<H", 3)
    index += struct.pack("<HHI4s", 0xB000, 7, 4, b"0100")
    index += struct.pack("<HHII", 0xB001, 4, 1, 2) + struct.pack("<HHII", 0xB002, 7, 32, 50)
    index += struct.pack("<I", 0)
    plain = saved(PICTURE, "JPEG", quality=90)
    length = len(plain) + 4 + 4 + len(index) + 32
    rows = [(0x20030000, length, 0), (0x10001, len(SECRET_JPEG), length - 10)]
    table = b"".join(struct.pack("<IIIHH", *row, 0, 0) for row in rows)
    return plain[:2] + segment(0xE2, b"MPF\0" + index + table) + plain[2:] + SECRET_JPEG


def photoshop(*resources: tuple[int, bytes]) -> bytes:
    body = b"".join(
        b"8BIM" + struct.pack(">HHI", number, 0, len(data)) + data + b"\0" * (len(data) % 2)
        for number, data in resources
    )
    return segment(0xED, b"Photoshop 3.0\0" + body)


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_with(*chunks: bytes, behind: bytes = b"") -> bytes:
    plain = saved(PICTURE, "PNG")
    return plain[:33] + b"".join(chunks) + plain[33:] + behind


def riff(kind: bytes, data: bytes) -> bytes:
    return kind + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)


def webp_with(*chunks: bytes, behind: bytes = b"", **options: object) -> bytes:
    plain = saved(PICTURE, "WEBP", lossless=True, exif=exif_with(ARTIST), **options)
    body = plain[8:] + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(body)) + body + behind


def gif_with(*blocks: bytes, behind: bytes = b"") -> bytes:
    plain = saved(PICTURE.quantize(64), "GIF")
    head = 13 + (3 << (1 + (plain[10] & 7)))
    return b"GIF89a" + plain[6:head] + b"".join(blocks) + plain[head:] + behind


def gif_block(label: int, head: bytes, data: bytes) -> bytes:
    parts = (data[i : i + 255] for i in range(0, len(data), 255))
    body = b"".join(bytes([len(part)]) + part for part in parts)
    return bytes([0x21, label]) + (bytes([len(head)]) + head if head else b"") + body + b"\0"


def tiff_with(*entries: tuple[int, int, bytes], behind: bytes = b"") -> bytes:
    info = {tag: value for tag, _, value in entries}
    from PIL.TiffImagePlugin import ImageFileDirectory_v2

    directory = ImageFileDirectory_v2()
    for tag, kind, _ in entries:
        directory.tagtype[tag] = kind
        directory[tag] = info[tag]
    return saved(PICTURE, "TIFF", tiffinfo=directory) + behind


def tiff_with_reduced_page() -> bytes:
    from PIL.TiffImagePlugin import ImageFileDirectory_v2

    stream = io.BytesIO()
    reduced = ImageFileDirectory_v2()
    reduced[254] = 1
    small = SECRET.copy()
    small.encoderinfo = {"tiffinfo": reduced}
    PICTURE.save(stream, "TIFF", save_all=True, append_images=[small])
    return stream.getvalue()


def _text_chunk(kind: bytes, key: bytes, text: bytes) -> bytes:
    packed = {b"tEXt": text, b"zTXt": b"\0" + zlib.compress(text)}
    return chunk(kind, key + b"\0" + packed.get(kind, b"\0\0\0\0" + text))


def _raw_profile() -> bytes:
    digits = SECRET_EXIF.hex().encode()
    lines = b"\n".join(digits[i : i + 72] for i in range(0, len(digits), 72))
    return b"\nexif\n%8d\n" % len(SECRET_EXIF) + lines


def avif_with_item(reference: bytes = b"thmb") -> bytes:
    """An AVIF with a further item that refers to the picture, such as its thumbnail: the tables
    are written anew behind the samples, so that these stay where they were."""
    content = bytearray(saved(PICTURE, "AVIF"))
    boxes = _boxes(bytes(content), 0)
    at, end = boxes[b"meta"]
    tables = {kind: bytes(content[a:b]) for kind, (a, b) in _boxes(bytes(content), at + 12).items()}
    content[at + 4 : at + 8] = b"free"
    content[at + 8 : end] = bytes(end - at - 8)
    content += _box(b"mdat", SECRET_JPEG)
    place = len(content) - len(SECRET_JPEG)
    location = struct.pack(">HHHII", 9, 0, 1, place, len(SECRET_JPEG))
    info = _box(b"infe", struct.pack(">IHH4s", 2 << 24, 9, 0, b"jpeg") + b"\0")
    link = _box(reference, struct.pack(">HHH", 9, 1, 1))
    meta = bytes(4)
    for kind, before in tables.items():
        table = before
        if kind == b"iloc":
            (count,) = struct.unpack_from(">H", table, 14)
            table = _box(kind, table[8:14] + struct.pack(">H", count + 1) + table[16:] + location)
        elif kind == b"iinf":
            (count,) = struct.unpack_from(">H", table, 12)
            table = _box(kind, table[8:12] + struct.pack(">H", count + 1) + table[14:] + info)
        elif kind == b"iref":
            table = _box(kind, table[8:] + link)
        meta += table
    if b"iref" not in tables:
        meta += _box(b"iref", bytes(4) + link)
    return bytes(content) + _box(b"meta", meta)


def _box(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(data), kind) + data


def _boxes(content: bytes, at: int) -> dict[bytes, tuple[int, int]]:
    found = {}
    while at + 8 <= len(content):
        length, kind = struct.unpack_from(">I4s", content, at)
        if not kind.isalnum() or length < 8 or at + length > len(content):
            break
        found[kind] = at, at + length
        at += length
    return found


EXIF, XAP = b"Exif\0\0", b"http://ns.adobe.com/xap/1.0/\0"
LADEN: dict[str, Made] = {
    "EXIF thumbnail.jpg": lambda: jpeg_with(segment(0xE1, EXIF + SECRET_EXIF)),
    "maker note.jpg": lambda: jpeg_with(segment(0xE1, EXIF + MAKER_NOTE_EXIF)),
    "private tag.jpg": lambda: jpeg_with(
        segment(0xE1, EXIF + exif_with(ARTIST, (0xC7A1, 7, SECRET_JPEG)))
    ),
    "user comment.jpg": lambda: jpeg_with(
        segment(0xE1, EXIF + exif_with(ARTIST, (0x010E, 2, SECRET_TEXT + b"\0")))
    ),
    "behind the EXIF tags.jpg": lambda: jpeg_with(
        segment(0xE1, EXIF + exif_with(ARTIST) + SECRET_JPEG)
    ),
    "JFIF thumbnail.jpg": lambda: jpeg_with(
        segment(0xE0, b"JFIF\0\1\1\1\0\x48\0\x48\x40\x30" + SECRET_RGB)
    ),
    "JFXX thumbnail.jpg": lambda: jpeg_with(segment(0xE0, b"JFXX\0\x10" + SECRET_JPEG)),
    "XMP thumbnail.jpg": lambda: jpeg_with(segment(0xE1, XAP + SECRET_XMP)),
    "extended XMP.jpg": lambda: jpeg_with(
        segment(0xE1, b"http://ns.adobe.com/xmp/extension/\0" + b"0" * 40 + SECRET_TEXT)
    ),
    "preview of a camera.jpg": jpeg_with_preview,
    "Photoshop thumbnail.jpg": lambda: jpeg_with(photoshop((1036, bytes(28) + SECRET_JPEG))),
    "IPTC preview.jpg": lambda: jpeg_with(
        photoshop((1028, b"\x1c\x02\xca" + struct.pack(">H", len(SECRET_JPEG)) + SECRET_JPEG))
    ),
    "FlashPix.jpg": lambda: jpeg_with(segment(0xE2, b"FPXR\0\0" + SECRET_RGB)),
    "content credentials.jpg": lambda: jpeg_with(segment(0xEB, b"JP\0\1" + SECRET_JPEG)),
    "unknown segment.jpg": lambda: jpeg_with(segment(0xE5, SECRET_RGB)),
    "comment.jpg": lambda: jpeg_with(segment(0xFE, SECRET_TEXT)),
    "movie behind.jpg": lambda: jpeg_with(behind=MOVIE),
    "picture behind.jpg": lambda: jpeg_with(behind=SECRET_JPEG),
    "samples behind.jpg": lambda: jpeg_with(behind=bytes(512) + SECRET_RGB),
    "EXIF thumbnail.png": lambda: png_with(chunk(b"eXIf", SECRET_EXIF)),
    "XMP.png": lambda: png_with(_text_chunk(b"iTXt", b"XML:com.adobe.xmp", SECRET_XMP)),
    "raw profile.png": lambda: png_with(
        _text_chunk(b"zTXt", b"Raw profile type exif", _raw_profile())
    ),
    "packed text.png": lambda: png_with(_text_chunk(b"zTXt", b"Comment", SECRET_TEXT)),
    "text.png": lambda: png_with(_text_chunk(b"tEXt", b"Comment", SECRET_TEXT)),
    "content credentials.png": lambda: png_with(chunk(b"caBX", SECRET_JPEG)),
    "unknown chunk.png": lambda: png_with(chunk(b"prVW", SECRET_RGB)),
    "picture behind.png": lambda: png_with(behind=SECRET_PNG),
    "movie behind.png": lambda: png_with(behind=MOVIE),
    "EXIF thumbnail.webp": lambda: webp_with(riff(b"EXIF", SECRET_EXIF)),
    "XMP.webp": lambda: webp_with(riff(b"XMP ", SECRET_XMP)),
    "unknown chunk.webp": lambda: webp_with(riff(b"PRVW", SECRET_RGB)),
    "picture behind.webp": lambda: webp_with(behind=SECRET_JPEG),
    "comment.gif": lambda: gif_with(gif_block(0xFE, b"", SECRET_TEXT)),
    "application.gif": lambda: gif_with(gif_block(0xFF, b"PREVIEW0001", SECRET_JPEG)),
    "XMP.gif": lambda: gif_with(
        b"\x21\xff\x0bXMP DataXMP" + SECRET_XMP + b"\1" + bytes(range(255, -1, -1)) + b"\0"
    ),
    "picture behind.gif": lambda: gif_with(behind=SECRET_JPEG),
    "private tag.tif": lambda: tiff_with((0xC7A1, 7, SECRET_JPEG)),
    "Photoshop.tif": lambda: tiff_with((34377, 7, SECRET_JPEG)),
    "XMP.tif": lambda: tiff_with((700, 1, SECRET_XMP)),
    "reduced page.tif": tiff_with_reduced_page,
    "picture behind.tif": lambda: tiff_with(behind=SECRET_JPEG),
    "EXIF thumbnail.avif": lambda: saved(PICTURE, "AVIF", exif=SECRET_EXIF),
    "XMP.avif": lambda: saved(PICTURE, "AVIF", xmp=SECRET_XMP),
    "thumbnail.avif": avif_with_item,
    "depth map.avif": lambda: avif_with_item(b"auxl"),
    "picture behind.avif": lambda: saved(PICTURE, "AVIF") + SECRET_JPEG,
    "box of unknown content.avif": lambda: saved(PICTURE, "AVIF") + _box(b"uuid", SECRET_JPEG),
    "picture behind.bmp": lambda: saved(PICTURE, "BMP") + SECRET_JPEG,
    "unknown box.jp2": lambda: (
        saved(PICTURE, "JPEG2000")
        + struct.pack(">I4s16s", 24 + len(SECRET_JPEG), b"uuid", bytes(16))
        + SECRET_JPEG
    ),
    "picture behind.jp2": lambda: saved(PICTURE, "JPEG2000") + SECRET_JPEG,
    "picture behind.j2k": lambda: saved(PICTURE, "JPEG2000", no_jp2=True) + SECRET_JPEG,
}
"""By what hides the picture and the suffix of the file."""


def plain_text() -> PngImagePlugin.PngInfo:
    """Texts that say something, and nothing else."""
    text = PngImagePlugin.PngInfo()
    text.add_text("Title", "A walk")
    text.add_itxt("Author", "Jörg Ärmel")
    return text
