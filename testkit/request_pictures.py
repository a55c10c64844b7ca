"""Bodies of requests: good pictures, and bad ones of every kind."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import av
import numpy as np
from PIL import Image as Picture

FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "BMP")


def encoded(picture: Picture.Image, form: str) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, form)
    return stream.getvalue()


def frames_of(clip: Path, numbers: tuple[int, ...], form: str) -> list[bytes]:
    """Frames of a video as pictures, by their 0-based numbers."""
    found = []
    with av.open(str(clip)) as video:
        for number, frame in enumerate(video.decode(video=0)):
            if number in numbers:
                found.append(encoded(Picture.fromarray(frame.to_ndarray(format="rgb24")), form))
            if number == max(numbers):
                break
    return found


def pixel_bomb(side: int) -> bytes:
    """A PNG of side x side black pixels, small as a file."""

    def chunk(name: bytes, data: bytes) -> bytes:
        check = zlib.crc32(name + data)
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", check)

    rows = zlib.compress(bytes(side * (side // 8 + 1)), 9)
    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    )


def noise(size: int) -> bytes:
    return np.random.default_rng(1).integers(0, 256, size, np.uint8).tobytes()


def bad_bodies(good: bytes) -> dict[str, bytes]:
    """What must be answered with an error object, by the name of its defect."""
    return {
        "empty": b"",
        "noise": noise(10_000),
        "cut": good[: len(good) // 3],
        "text": b"not a picture",
        "video": b"\x00\x00\x00\x20ftypisom" + noise(500),
        "svg": b"<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/>",
        "bomb": pixel_bomb(20_000),
    }
