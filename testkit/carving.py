"""A search for pictures and movies anywhere in a file, which knows nothing of file formats.

It is the tests' own: `faceveil.media.picture_file` follows the structure of files, this follows
none, so that neither hides a fault of the other.
"""

from __future__ import annotations

import base64
import binascii
import io
import re
import zlib
from collections.abc import Iterator

from PIL import Image

_SIGNATURES = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"RIFF", b"GIF8", b"\0\0\0\x0cjP  ")
_MOVIE = re.compile(rb"....ftyp(?!jp2 )[a-zA-Z0-9 ]{4}", re.DOTALL)
_BASE64 = re.compile(rb"(?:[A-Za-z0-9+/]{20,}(?:\s|&#xA;|\\n)*)+={0,2}")
_HEX = re.compile(rb"(?:[0-9a-fA-F]{20,}\s*)+")
_DEFLATED = re.compile(rb"\x78[\x01\x5e\x9c\xda]")


def carve(content: bytes) -> list[str]:
    """What lies inside a file beside its beginning: "JPEG 64 x 48 at 512", "movie at 900"."""
    return [*_inside(content, 1), *_encoded(content)]


def _inside(content: bytes, first: int) -> Iterator[str]:
    for signature in _SIGNATURES:
        at = content.find(signature, first)
        while at >= 0:
            try:
                with Image.open(io.BytesIO(content[at:])) as found:
                    yield f"{found.format} {found.width} x {found.height} at {at}"
            except Exception:
                pass
            at = content.find(signature, at + 1)
    yield from (f"movie at {m.start()}" for m in _MOVIE.finditer(content) if m.start() >= first)


def _encoded(content: bytes) -> Iterator[str]:
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


def _in_letters(text: bytes) -> Iterator[str]:
    for found in _BASE64.finditer(text):
        letters = re.sub(rb"\s|&#xA;|\\n", b"", found[0]).rstrip(b"=")
        yield from _inside(base64.b64decode(letters[: len(letters) // 4 * 4]), 0)
    for found in _HEX.finditer(text):
        digits = re.sub(rb"\s", b"", found[0])
        yield from _inside(binascii.unhexlify(digits[: len(digits) // 2 * 2]), 0)
