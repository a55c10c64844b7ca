"""A search for pictures and movies anywhere in a file, which knows nothing of file formats.

It is the tests' own: `faceveil.media.picture_file` follows the structure of files, this follows
none, so that neither hides a fault of the other.
"""

from __future__ import annotations

import base64
import binascii
import io
import re
import string
import zlib
from collections.abc import Iterator
from typing import NamedTuple

from PIL import Image

_SIGNATURES = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"RIFF", b"GIF8", b"\0\0\0\x0cjP  ")
_MOVIE = re.compile(rb"ftyp(?!jp2 )[a-zA-Z0-9 ]{4}")
_BASE64 = re.compile(rb"(?:[A-Za-z0-9+/]{20,}(?:\s|&#xA;|\\n)*)+={0,2}")
_HEX = re.compile(rb"(?:[0-9a-fA-F]{20,}\s*)+")
_DEFLATED = re.compile(rb"\x78[\x01\x5e\x9c\xda]")
_LETTERS = string.ascii_letters.encode() + string.digits.encode() + b"+/"
_IS_LETTER = bytes(byte in _LETTERS for byte in range(256))


class Carved(NamedTuple):
    """What was found: "JPEG 64 x 48" or "movie", and where; None in what is packed or written in
    letters."""

    what: str
    at: int | None

    def __str__(self) -> str:
        return f"{self.what} at {self.at}" if self.at is not None else f"{self.what}, packed"


def carve(content: bytes) -> list[Carved]:
    """What lies inside a file beside its beginning."""
    return [*_inside(content, 1), *(Carved(found.what, None) for found in _encoded(content))]


def _inside(content: bytes, first: int) -> Iterator[Carved]:
    for signature in _SIGNATURES:
        at = content.find(signature, first)
        while at >= 0:
            try:
                with Image.open(io.BytesIO(content[at:])) as found:
                    yield Carved(f"{found.format} {found.width} x {found.height}", at)
            except Exception:
                pass
            at = content.find(signature, at + 1)
    movies = (found.start() - 4 for found in _MOVIE.finditer(content))
    yield from (Carved("movie", at) for at in movies if at >= first)


def _encoded(content: bytes) -> Iterator[Carved]:
    """What is written in letters or packed."""
    yield from _in_letters(content)
    for found in _DEFLATED.finditer(content):
        try:
            text = zlib.decompressobj().decompress(content[found.start() :], 1 << 20)
        except zlib.error:
            continue
        if len(text) > 64:
            yield from _inside(text, 0)
            yield from _in_letters(text[: 1 << 16])


def _in_letters(text: bytes) -> Iterator[Carved]:
    """A letter of what stands before may belong to the run, so every beginning is tried."""
    if bytes([True]) * 20 not in text.translate(_IS_LETTER):  # 30 times as fast as the patterns
        return
    for found in _BASE64.finditer(text):
        letters = re.sub(rb"\s|&#xA;|\\n", b"", found[0]).rstrip(b"=")
        for first in range(4):
            run = letters[first:]
            yield from _inside(base64.b64decode(run[: len(run) // 4 * 4]), 0)
    for found in _HEX.finditer(text):
        digits = re.sub(rb"\s", b"", found[0])
        for first in range(2):
            run = digits[first:]
            yield from _inside(binascii.unhexlify(run[: len(run) // 2 * 2]), 0)
