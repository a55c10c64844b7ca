"""What remains of a picture file once everything but its pictures is taken out."""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass, field

_SIGNATURES = re.compile(
    rb"\xff\xd8\xff|\x89PNG\r\n|RIFF....WEBP|GIF8[79]a|ftyp(?:heic|mif1|avif|mp4|isom|M4V|qt  )"
    rb"|II\*\0|MM\0\*|\0\0\0\x0cjP  |\xff\x4f\xff\x51",
    re.DOTALL,
)
_ENCODED = re.compile(rb"(?:[A-Za-z0-9+/_-]{40,}={0,2}(?:\s|\\n|&#x?[0-9A-Fa-f]+;)*){4,}")
_UNPACKED_AT_MOST = 1 << 20
_EMBEDDING = re.compile(
    rb"[Tt]humbnail|xmpGImg|HasExtendedXMP|MotionPhoto|MicroVideo|GDepth|GImage|hdrgm|HDRGainMap"
    rb"|Container:Directory|imageData"
)


@dataclass(frozen=True, slots=True)
class Cleaned:
    """A picture file that holds only its pictures and what describes them.

    Attributes
    ----------
    content
        The file. It is the very object that was given where nothing had to be taken out.
    removed
        What was taken out, in words, each once: "the EXIF thumbnail".
    pages
        How many pictures the file shows: 1, or the frames of an animation, the pages of a TIFF,
        the views of an MPO.
    """

    content: bytes
    removed: tuple[str, ...] = ()
    pages: int = 1


@dataclass(slots=True)
class Sieve:
    """Collects the parts of a file that are kept and the names of those that are not."""

    strip: bool = False
    kept: list[bytes | memoryview] = field(default_factory=list)
    removed: dict[str, None] = field(default_factory=dict)
    changed: bool = False

    def keep(self, part: bytes | memoryview) -> None:
        self.kept.append(part)

    def remove(self, what: str) -> None:
        """Take out a part that may show what was not looked at."""
        self.removed[what] = None
        self.changed = True

    def replace(self, part: bytes | memoryview, removed: list[str]) -> None:
        """Keep another form of a part, without what is `removed`."""
        self.kept.append(part)
        self.removed.update(dict.fromkeys(removed))
        self.changed = True

    def result(self, content: bytes, pages: int = 1) -> Cleaned:
        if not self.changed:
            return Cleaned(content, (), pages)
        return Cleaned(b"".join(self.kept), tuple(self.removed), pages)


def holds_data(text: bytes) -> bool:
    """Whether a text holds a file in its bytes or encoded in letters, as thumbnails are."""
    plain = text.replace(b"\0", b"")
    return bool(_SIGNATURES.search(text) or _ENCODED.search(plain))


def is_plain_xmp(packet: bytes) -> bool:
    """Whether an XMP packet neither holds a picture nor points to one elsewhere in the file."""
    return b"\0" not in packet and not holds_data(packet) and not _EMBEDDING.search(packet)


def unpack(packed: bytes) -> bytes | None:
    """What zlib data holds; None where it is damaged, large or followed by something else."""
    unpacker = zlib.decompressobj()
    try:
        text = unpacker.decompress(packed, _UNPACKED_AT_MOST)
    except zlib.error:
        return None
    whole = unpacker.eof and not unpacker.unused_data
    return text if whole else None


def name_trailing(trailing: bytes | memoryview) -> str:
    """What lies behind the end of a picture, in words."""
    head = bytes(trailing[:4096])
    if b"ftyp" in head or b"MotionPhoto" in head:
        return "a movie behind the picture"
    if _SIGNATURES.search(head):
        return "a picture behind the picture"
    return "data behind the picture"
