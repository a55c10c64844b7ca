"""Pictures in: any common format, upright, with the samples as they are stored."""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage
from PIL.JpegImagePlugin import get_sampling

from faceveil.errors import InputError
from faceveil.faces import Image
from faceveil.media.orientation import EXIF_ORIENTATIONS, UPRIGHT, Orientation

FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF")
MAX_PIXELS = 178_956_970
"""The largest picture that is read, Pillow's own limit; an 8K frame has 33 million."""

_ORIENTATION_TAG = 0x0112
_PNG_SIXTEEN_BIT_COLOUR = {(16, 2), (16, 4), (16, 6)}  # bit depth and colour type Pillow reduces
_CONVERTED = {"1": "L", "PA": "RGBA", "CMYK": "RGB", "YCbCr": "RGB", "LAB": "RGB", "HSV": "RGB"}

# A picture over half the limit is worth no warning: the limit is checked all the same.
warnings.filterwarnings("ignore", category=PillowImage.DecompressionBombWarning)


@dataclass(frozen=True, slots=True, eq=False)
class StoredPicture:
    """A picture's samples as the file holds them, and what is needed to write it alike.

    `samples` is [H, W] grey or [H, W, C] grey and alpha, RGB or RGBA, uint8 or uint16, writable,
    turned as in the file. `info` is what Pillow says about the file (ICC profile, EXIF, …);
    `jpeg_tables` and `jpeg_subsampling` are set for JPEG files only.
    """

    samples: NDArray[Any]
    orientation: Orientation
    format: str
    info: dict[str, Any]
    exif: PillowImage.Exif
    jpeg_tables: dict[int, list[int]] | None = None
    jpeg_subsampling: int = 0

    @property
    def peak(self) -> int:
        return int(np.iinfo(self.samples.dtype).max)

    @property
    def size(self) -> tuple[int, int]:
        """Upright width and height."""
        height, width = self.samples.shape[:2]
        return self.orientation.size(width, height)

    def rgb(self) -> Image:
        """The upright picture, RGB uint8 [H, W, 3], contiguous; alpha is dropped, not blended,
        since a face under it can be brought back."""
        samples: Any = self.samples
        if samples.dtype == np.uint16:
            samples = (samples >> 8).astype(np.uint8)
        channels = samples.shape[2] if samples.ndim == 3 else 1
        if channels == 4:
            samples = cv2.cvtColor(samples, cv2.COLOR_RGBA2RGB)
        elif channels < 3:
            grey = samples if samples.ndim == 2 else samples[..., 0]
            samples = cv2.cvtColor(np.ascontiguousarray(grey), cv2.COLOR_GRAY2RGB)
        elif samples is self.samples:
            samples = samples.copy()
        return self.orientation.copy(samples)


def read_picture(source: Path | bytes, max_pixels: int = MAX_PIXELS) -> Image:
    """A picture file, or its content, as upright RGB uint8 [H, W, 3].

    EXIF orientation is applied, alpha dropped; grey, palette, CMYK and 16-bit pictures are
    converted. Raises InputError when the picture is missing, empty, damaged, of an unknown
    format or larger than `max_pixels`.
    """
    return read_stored(source, max_pixels).rgb()


def read_stored(source: Path | bytes, max_pixels: int = MAX_PIXELS) -> StoredPicture:
    """A picture with its samples as stored; raises InputError as `read_picture` does."""
    name = "the picture" if isinstance(source, bytes) else str(source)
    data = source if isinstance(source, bytes) else _content(source)
    if not data:
        raise InputError(f"{name}: is empty")
    try:
        with PillowImage.open(io.BytesIO(data), formats=FORMATS) as picture:
            _check_size(picture, name, max_pixels)
            # Tables and subsampling are known only before the pixels are loaded.
            tables = getattr(picture, "quantization", None)
            subsampling = get_sampling(picture) if tables else 0
            picture.load()
            exif = picture.getexif()
            return StoredPicture(
                _samples(picture, data),
                EXIF_ORIENTATIONS.get(exif.get(_ORIENTATION_TAG, 1), UPRIGHT),
                picture.format or "PNG",
                {str(key): value for key, value in picture.info.items()},
                exif,
                tables,
                subsampling,
            )
    except (InputError, MemoryError):
        raise
    except PillowImage.DecompressionBombError as problem:
        raise InputError(f"{name}: larger than the limit of {max_pixels} pixels") from problem
    except Exception as problem:  # decoders of broken files raise almost anything
        raise InputError(f"{name}: cannot be read as a picture ({problem})") from problem


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as problem:
        raise InputError(f"{path}: cannot be read ({problem.strerror})") from problem


def _check_size(picture: PillowImage.Image, name: str, max_pixels: int) -> None:
    width, height = picture.size
    if width * height > max_pixels:
        raise InputError(
            f"{name}: {width} x {height} is larger than the limit of {max_pixels} pixels"
        )


def _samples(picture: PillowImage.Image, data: bytes) -> NDArray[Any]:
    if picture.format == "PNG" and (data[24], data[25]) in _PNG_SIXTEEN_BIT_COLOUR:
        return _sixteen_bit(data)
    if picture.mode == "P":
        picture = picture.convert("RGBA" if "transparency" in picture.info else "RGB")
    elif picture.mode.startswith("I"):
        wide = np.asarray(picture)
        if wide.min() < 0 or wide.max() > np.iinfo(np.uint16).max:
            raise ValueError("samples of more than 16 bits")
        return wide.astype(np.uint16)
    elif picture.mode in _CONVERTED:
        picture = picture.convert(_CONVERTED[picture.mode])
    elif picture.mode not in ("L", "LA", "RGB", "RGBA"):
        raise ValueError(f"samples of Pillow's mode {picture.mode} are not supported")
    return np.array(picture)


def _sixteen_bit(data: bytes) -> NDArray[Any]:
    """RGB or RGBA uint16 of a PNG, which Pillow would reduce to 8 bits."""
    samples = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if samples is None:
        raise ValueError("damaged")
    order = cv2.COLOR_BGR2RGB if samples.shape[2] == 3 else cv2.COLOR_BGRA2RGBA
    return cv2.cvtColor(samples, order)
