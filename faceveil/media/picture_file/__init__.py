"""Picture files by their parts: the picture, what describes it, and what else the file holds.

A camera puts more into a file than the picture that is looked at: thumbnails, a movie of the second
before, a gain map, a depth map. Programs add previews and whole pages. None of that may be
published with a veil missing ("nothing hidden"). So each format has a list of the parts that are
kept, and every other part is taken out. The list names what describes a picture: texts, colour
profiles, resolution, orientation, times. Nothing is decoded for it, and nothing is coded again.
"""

from __future__ import annotations

import struct
from collections.abc import Callable

from faceveil.media.picture_file import gif, heif, jpeg, other, png, tiff, webp
from faceveil.media.picture_file.cleaned import Cleaned

__all__ = ["Cleaned", "clean"]


def clean(content: bytes, strip: bool = False) -> Cleaned:
    """Take out of a picture file all that is neither its picture nor its description.

    Parameters
    ----------
    content
        A JPEG, MPO, PNG, WebP, GIF, TIFF, BMP, JPEG 2000, AVIF or HEIC file, animated or not.
    strip
        Take out who made the picture, where, when and with what, too. Orientation, resolution,
        colour and the times of an animation stay.

    Returns
    -------
    Cleaned
        The file, the very object given where nothing was taken out, and what was.

    Raises
    ------
    ValueError
        The file is of another format, or damaged so that its parts cannot be followed. It can
        hold anything, then.
    """
    if content[4:8] == b"ftyp":
        return _guarded(heif.clean, content, strip)
    reader = next((r for signature, r in _READERS if content.startswith(signature)), None)
    if reader is None or (reader is webp.clean and content[8:12] != b"WEBP"):
        raise ValueError("is of no format whose parts are known")
    return _guarded(reader, content, strip)


def _guarded(reader: Callable[[bytes, bool], Cleaned], content: bytes, strip: bool) -> Cleaned:
    try:
        return reader(content, strip)
    except (struct.error, IndexError, OverflowError) as error:
        raise ValueError(str(error)) from error


_READERS = (
    (b"\xff\xd8", jpeg.clean),
    (png.SIGNATURE, png.clean),
    (b"RIFF", webp.clean),
    (b"GIF8", gif.clean),
    (b"II", tiff.clean),
    (b"MM", tiff.clean),
    (b"BM", other.clean_bmp),
    (b"\xff\x4f\xff\x51", other.clean_jpeg2000),
    (b"\0\0\0\x0cjP  ", other.clean_jpeg2000),
)
