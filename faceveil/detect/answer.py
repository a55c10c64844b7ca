"""The answer for one picture: its faces, or why there are none to know of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from faceveil.errors import InputError
from faceveil.faces import FrameError, FrameFaces, Image
from faceveil.media.pictures import (
    MAX_PIXELS,
    SeveralPicturesError,
    hidden_parts,
    read_picture,
)


def answer(
    analyzer: Callable[[Image], FrameFaces], content: bytes, max_pixels: int = MAX_PIXELS
) -> FrameFaces:
    """Detect the faces of a picture file.

    Parameters
    ----------
    analyzer
        A frame, RGB uint8 [H, W, 3], in; its faces out.
    content
        The bytes of the file.
    max_pixels
        A larger picture is not decoded.

    Returns
    -------
    FrameFaces
        With what the file holds beside its picture as `hidden`. A picture that cannot be read, or
        an animation, has an error and no faces: it must not fail a job of a million others, and
        post-processing must see it.
    """
    try:
        hidden = hidden_parts(content)
        faces = analyzer(read_picture(content, max_pixels))
    except SeveralPicturesError as error:
        return unknown("several_pictures", str(error))
    except InputError as error:
        return unknown("unreadable", str(error))
    return replace(faces, hidden=hidden)


def unknown(code: str, message: str) -> FrameFaces:
    """Return a frame whose faces are not known, and why."""
    return FrameFaces(0, 0, error=FrameError(code, message))
