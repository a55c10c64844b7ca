"""Pictures hidden in what accompanies a video: fonts, headers of sound, scripts of subtitles."""

from __future__ import annotations

import re

_FONTS = (b"\0\1\0\0", b"OTTO", b"true", b"ttcf", b"wOFF", b"wOF2")
_PICTURE = re.compile(
    rb"\xff\xd8\xff(?:\xe0..JFIF|\xe1..(?:Exif|http)|\xe2..(?:ICC|MPF)|\xee..Adobe|\xdb\0[\x43\x84\xc5]|\xfe)"
    rb"|\x89PNG\r\n\x1a\n|GIF8[79]a|WEBPVP8|ftyp(?:avi[fs]|hei[cx]|mif1)",
    re.DOTALL,
)
"""How the usual kinds of picture begin, long enough not to occur by chance in a font."""
_SPARE = 64
"""Bytes that may lie behind the last table of a font, as padding."""
_GRAPHICS = re.compile(rb"(?ims)^\[Graphics\].*?(?=^\[|\Z)")


def is_font(content: bytes) -> bool:
    """Whether a file is a font and nothing else: no picture lies in it or behind it."""
    if not content.startswith(_FONTS) or holds_picture(content):
        return False
    if content[:4] in (b"wOFF", b"wOF2"):
        return len(content) <= int.from_bytes(content[8:12], "big") + _SPARE
    if content[:4] == b"ttcf":
        return True
    count = int.from_bytes(content[4:6], "big")
    tables = [content[at : at + 16] for at in range(12, 12 + 16 * count, 16)]
    ends = [
        int.from_bytes(table[8:12], "big") + int.from_bytes(table[12:16], "big") for table in tables
    ]
    return len(content) <= max(ends, default=0) + _SPARE


def holds_picture(content: bytes) -> bool:
    """Whether the beginning of a picture file lies anywhere in some bytes."""
    return _PICTURE.search(content) is not None


def clean_header(codec: str, header: bytes) -> bytes | None:
    """The header of a stream of sound or subtitles without pictures; None where some are left."""
    if codec == "vorbis":
        header = _without_vorbis_comments(header)
    elif codec == "flac":
        header = _flac_stream_info(header)
    elif codec in ("ass", "ssa"):
        header = _GRAPHICS.sub(b"", header)
    elif codec == "opus":
        header = header[: _opus_length(header)]
    has_picture = holds_picture(header) or b"image/" in header
    return None if has_picture else header


def _flac_stream_info(header: bytes) -> bytes:
    """STREAMINFO alone (RFC 9639), without comments and pictures."""
    return header[8:42] if header[:4] == b"fLaC" else header[:34]


def _opus_length(header: bytes) -> int:
    """How long an identification header is (RFC 7845, section 5.1)."""
    has_table = len(header) > 18 and header[18] != 0
    return 21 + header[9] if has_table else 19


def _without_vorbis_comments(header: bytes) -> bytes:
    """The three packets of a Vorbis header in Xiph's lacing, the second one empty of comments."""
    if header[:1] != b"\2":
        return header
    sizes, at = [], 1
    for _ in range(2):
        size = 0
        while at < len(header) and header[at] == 255:
            size, at = size + 255, at + 1
        if at >= len(header):
            return header
        sizes.append(size + header[at])
        at += 1
    first = header[at : at + sizes[0]]
    rest = header[at + sum(sizes) :]
    comment = b"\3vorbis" + bytes(4) + bytes(4) + b"\1"
    lacing = b"".join(
        b"\xff" * (len(part) // 255) + bytes([len(part) % 255]) for part in (first, comment)
    )
    return b"\2" + lacing + first + comment + rest
