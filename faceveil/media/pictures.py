"""Pictures in: any common format, upright, with the samples as they are stored."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage
from PIL import UnidentifiedImageError
from PIL.JpegImagePlugin import get_sampling

from faceveil.errors import InputError
from faceveil.faces import Image
from faceveil.media import colours
from faceveil.media.orientation import EXIF_ORIENTATIONS, UPRIGHT, Orientation
from faceveil.media.picture_file import clean, jpeg
from faceveil.media.picture_file.tiff import TiffPages

FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF", "AVIF", "JPEG2000")
HEIF = "HEIF"
MAX_PIXELS = 178_956_970
"""The largest picture that is read, Pillow's own limit; an 8K frame has 33 million."""

_ORIENTATION_TAG = 0x0112
_PNG_SIXTEEN_BIT_COLOUR = {(16, 2), (16, 4), (16, 6)}  # bit depth and colour type Pillow reduces
_TIFF_BITS = 258
_CONVERTED = {"1": "L", "PA": "RGBA", "YCbCr": "RGB", "HSV": "RGB", "RGBX": "RGB"}
_HEIF_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}

# A picture over half the limit is worth no warning: the limit is checked all the same.
warnings.filterwarnings("ignore", category=PillowImage.DecompressionBombWarning)


class SeveralPicturesError(InputError):
    """A frame of a video is an animation or a file of several pages."""

    def __init__(self, pages: int, name: str = "the picture") -> None:
        super().__init__(
            f"{name}: holds {pages} pictures, and a frame of a video is one; animations and files "
            "of several pages are veiled with --stills"
        )


@dataclass(frozen=True, slots=True, eq=False)
class StoredPicture:
    """A picture's samples as the file holds them, and what is needed to write it alike.

    Attributes
    ----------
    samples
        uint8 or uint16, writable, turned as in the file: [H, W] grey or [H, W, C] grey and alpha,
        RGB or RGBA.
    orientation
        How the samples become upright.
    format
        Pillow's name of the file's format.
    info
        What Pillow says about the file: `icc_profile`, `dpi`, `exif` and so on.
    jpeg_tables, jpeg_subsampling
        How a JPEG file was quantised.
    original
        The samples as they were read and Pillow's name of their colours, where these are not the
        colours of `samples` (CMYK, LAB) or where the format holds few (GIF).
    """

    samples: NDArray[Any]
    orientation: Orientation
    format: str
    info: dict[str, Any] = field(default_factory=dict)
    jpeg_tables: dict[int, list[int]] | None = None
    jpeg_subsampling: int = 0
    original: tuple[NDArray[Any], str] | None = None

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
    """A picture file, or its content, as upright RGB uint8 [H, W, 3]; of several pictures the
    first.

    EXIF orientation is applied, alpha dropped; grey, palette, CMYK and 16-bit pictures are
    converted. Raises InputError when the picture is missing, empty, damaged, of an unknown
    format or larger than `max_pixels`.
    """
    return read_stored(source, max_pixels).rgb()


def read_stored(source: Path | bytes, max_pixels: int = MAX_PIXELS) -> StoredPicture:
    """The picture of a file, or the first of several, with its samples as stored; raises
    InputError as `read_picture` does."""
    for picture in read_pages(source, max_pixels):
        return picture
    raise InputError(f"{_name(source)}: holds no picture")


def read_single(content: bytes) -> StoredPicture:
    """The picture of a frame of a video. Raises InputError as `read_picture` does, and
    SeveralPicturesError for an animation or a file of several pages."""
    require_single(content)
    return read_stored(content)


def hidden_parts(content: bytes) -> tuple[str, ...]:
    """What a frame's file holds beside its picture, in words; see `picture_file.clean`. Raises
    SeveralPicturesError for an animation or a file of several pages."""
    try:
        cleaned = clean(content)
    except ValueError as error:
        return (f"parts that cannot be followed ({error})",)
    if cleaned.pages > 1:
        raise SeveralPicturesError(cleaned.pages)
    return cleaned.removed


def require_single(content: bytes) -> None:
    """Raise SeveralPicturesError for a file that shows more than one picture."""
    try:
        pages = clean(content).pages
    except ValueError:
        return  # damaged, or of a format that is no frame's: decoding it says so
    if pages > 1:
        raise SeveralPicturesError(pages)


def read_pages(source: Path | bytes, max_pixels: int = MAX_PIXELS) -> Iterator[StoredPicture]:
    """Every picture of a file: the frames of an animation as they are shown, the pages of a TIFF,
    the views of an MPO, or the only one. Raises InputError as `read_picture` does."""
    name = _name(source)
    data = source if isinstance(source, bytes) else read_content(source)
    if not data:
        raise InputError(f"{name}: is empty")
    try:
        views = jpeg.find_views(data) if data.startswith(b"\xff\xd8") else []
        for content in views if len(views) > 1 else [data]:
            with open_picture(content) as picture:
                for number in [0] if len(views) > 1 else page_numbers(picture, content):
                    if number:
                        picture.seek(number)
                    yield _stored(picture, content, number, name, max_pixels)
    except (InputError, MemoryError):
        raise
    except UnidentifiedImageError as error:
        raise InputError(f"{name}: is no picture of a known format") from error
    except PillowImage.DecompressionBombError as error:
        raise InputError(f"{name}: larger than the limit of {max_pixels} pixels") from error
    except Exception as error:  # decoders of broken files raise almost anything
        raise InputError(f"{name}: cannot be read as a picture ({error})") from error


def read_content(path: Path) -> bytes:
    """The bytes of a file. Raises InputError when it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error


def open_picture(source: Path | bytes) -> PillowImage.Image:
    """A file opened by Pillow, its samples not read yet. Raises what Pillow raises."""
    stream = io.BytesIO(source) if isinstance(source, bytes) else source
    try:
        return PillowImage.open(stream, formats=FORMATS)
    except UnidentifiedImageError:
        head = source[:12] if isinstance(source, bytes) else read_content(source)[:12]
        if head[4:8] != b"ftyp" or head[8:12] not in _HEIF_BRANDS:
            raise
    _register_heif()
    return PillowImage.open(stream, formats=(HEIF,))


def page_numbers(picture: PillowImage.Image, content: bytes) -> Sequence[int]:
    """The pictures of a file that are looked at, as Pillow counts them."""
    if picture.format == "TIFF":
        return TiffPages(content).numbers
    count = getattr(picture, "n_frames", 1)
    if picture.format == HEIF and (count > 1 or b"moov" in content[: 1 << 16]):
        raise ValueError(
            "holds several HEIC pictures, which no free encoder writes; export each by itself"
        )
    if picture.format in ("JPEG", "MPO"):
        return range(max(1, len(jpeg.find_views(content))))
    return range(count)


def _register_heif() -> None:
    import pi_heif

    # previews are neither shown nor kept
    pi_heif.register_heif_opener(thumbnails=False)


def _name(source: Path | bytes) -> str:
    return "the picture" if isinstance(source, bytes) else str(source)


def _stored(
    picture: PillowImage.Image, data: bytes, number: int, name: str, max_pixels: int
) -> StoredPicture:
    width, height = picture.size
    if width * height > max_pixels:
        raise InputError(
            f"{name}: {width} x {height} is larger than the limit of {max_pixels} pixels"
        )
    # Tables and subsampling are known only before the pixels are loaded.
    tables = getattr(picture, "quantization", None)
    subsampling = get_sampling(picture) if tables else 0
    turned = EXIF_ORIENTATIONS.get(_tiff_orientation(picture), UPRIGHT)
    picture.load()
    samples, original, deep = _samples(picture, data, number)
    if picture.format == "TIFF":
        orientation = UPRIGHT  # Pillow has turned it
        if deep:
            samples = np.ascontiguousarray(turned.view(samples))
    else:
        orientation = EXIF_ORIENTATIONS.get(picture.getexif().get(_ORIENTATION_TAG, 1), UPRIGHT)
    return StoredPicture(
        samples,
        orientation,
        picture.format or "PNG",
        {str(key): value for key, value in picture.info.items()},
        tables,
        subsampling,
        original,
    )


def _tiff_orientation(picture: PillowImage.Image) -> int:
    tags: Any = getattr(picture, "tag_v2", {})
    return int(tags.get(_ORIENTATION_TAG, 1))


def _samples(
    picture: PillowImage.Image, data: bytes, number: int
) -> tuple[NDArray[Any], tuple[NDArray[Any], str] | None, bool]:
    """The samples to veil, those of the file where they differ, and whether Pillow would have
    halved their depth."""
    is_animated = getattr(picture, "n_frames", 1) > 1  # which OpenCV reads without its blending
    is_deep = picture.format == "PNG" and (data[24], data[25]) in _PNG_SIXTEEN_BIT_COLOUR
    if is_deep and not is_animated:
        return _sixteen_bit(data, number), None, True
    tags: Any = getattr(picture, "tag_v2", {})
    if picture.format == "TIFF" and max(tags.get(_TIFF_BITS, (8,))) > 8 and picture.mode[0] != "I":
        return _sixteen_bit(data, number), None, True
    if picture.mode == "P":
        picture = picture.convert("RGBA" if "transparency" in picture.info else "RGB")
    elif picture.mode.startswith("I"):
        wide = np.asarray(picture)
        if wide.min() < 0 or wide.max() > np.iinfo(np.uint16).max:
            raise ValueError("samples of more than 16 bits")
        return wide.astype(np.uint16), None, False
    elif picture.mode in colours.CONVERTED:
        native = np.array(picture)
        return colours.to_rgb(native, picture.mode), (native, picture.mode), False
    elif picture.mode in _CONVERTED:
        picture = picture.convert(_CONVERTED[picture.mode])
    elif picture.mode not in ("L", "LA", "RGB", "RGBA"):
        raise ValueError(f"samples of Pillow's mode {picture.mode} are not supported")
    samples = np.array(picture)
    original = (samples.copy(), picture.mode) if picture.format == "GIF" else None
    return samples, original, False


def _sixteen_bit(data: bytes, number: int) -> NDArray[Any]:
    """RGB or RGBA uint16 of a PNG or a TIFF page, which Pillow would reduce to 8 bits."""
    buffer = np.frombuffer(data, np.uint8)
    samples = None
    if number:
        found, pages = cv2.imdecodemulti(buffer, cv2.IMREAD_UNCHANGED, None, (number, number + 1))
        samples = pages[0] if found and pages else None
    else:
        samples = cv2.imdecode(buffer, cv2.IMREAD_UNCHANGED)
    if samples is None or samples.ndim != 3 or samples.dtype != np.uint16:
        raise ValueError("damaged, or samples of more than 8 bits of a kind that is not read")
    order = cv2.COLOR_BGR2RGB if samples.shape[2] == 3 else cv2.COLOR_BGRA2RGBA
    return cv2.cvtColor(samples, order)
