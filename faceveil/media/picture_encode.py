"""Pictures out: in the format, depth and quality of the file they were read from."""

from __future__ import annotations

import io
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage

from faceveil.media import colours
from faceveil.media.few_colours import to_few_colours
from faceveil.media.frames import Loss
from faceveil.media.orientation import UPRIGHT
from faceveil.media.picture_file import clean, exif, gif, heif, jpeg, png, webp
from faceveil.media.picture_file.cleaned import is_plain_xmp
from faceveil.media.picture_file.directories import write_directories
from faceveil.media.picture_file.tiff import TiffPages, encode_page
from faceveil.media.pictures import HEIF, StoredPicture

_WEBP_LOSSY_QUALITY = 95
_AVIF_QUALITY = 90
_JPEG_QUALITY = 95
_CODESTREAM = b"\xff\x4f\xff\x51"
_NO_ENCODER = "no free encoder writes HEIC"
_SHOWS_MORE = "it could show what is veiled"


@dataclass(frozen=True, slots=True)
class Encoded:
    """A picture file to publish.

    `suffix` is added to the file's name where the format is another now: ".jpg"; `losses` are
    properties of the original that the file does not keep; `pages` is how many pictures it shows.
    """

    content: bytes
    losses: tuple[Loss, ...] = ()
    suffix: str = ""
    pages: int = 1


def encode_png(samples: NDArray[Any]) -> bytes:
    """A PNG of grey, grey and alpha, RGB or RGBA samples, uint8 or uint16, bit-exact.

    Run-length matching makes files as small as zlib's level 6 in a fifth of its time.
    """
    if samples.ndim == 3 and samples.shape[2] == 2:
        return save(samples, "PNG")
    if samples.ndim == 3:
        order = cv2.COLOR_RGB2BGR if samples.shape[2] == 3 else cv2.COLOR_RGBA2BGRA
        samples = cv2.cvtColor(samples, order)
    fast = [cv2.IMWRITE_PNG_COMPRESSION, 1, cv2.IMWRITE_PNG_STRATEGY, 3]
    _, encoded = cv2.imencode(".png", samples, fast)
    return encoded.tobytes()


def encode_like(picture: StoredPicture, original: bytes, strip: bool = False) -> Encoded:
    """The samples of `picture` as a file like `original`, which it was read from.

    PNG, TIFF, BMP, lossless WebP and JPEG 2000 are bit-exact; JPEG has the source's quantisation
    tables and subsampling. What describes the picture stays, byte for byte (`picture_file`), or,
    with `strip`, only colour profile, resolution and orientation. HEIC becomes JPEG, or PNG where
    it has alpha, for want of an encoder.
    """
    try:
        cleaned = clean(original, strip)
    except ValueError:
        return _encode_without_parts(picture, strip)
    if picture.format in ("AVIF", HEIF):
        encoded = _encode_without_parts(picture, strip)
        depth = depth_lost(original)
        together = dict.fromkeys((*removed_parts(cleaned.removed), *encoded.losses, *depth))
        return replace(encoded, losses=tuple(together))
    content, lost = _encode_with_parts(picture, cleaned.content)
    losses = removed_parts(cleaned.removed) + lost
    return Encoded(content, losses)


def copy_clean(original: bytes, strip: bool = False) -> Encoded | None:
    """The file without what else it holds, its picture untouched; None where its parts cannot be
    followed, so that it has to be encoded again."""
    try:
        cleaned = clean(original, strip)
    except ValueError:
        return None
    return Encoded(cleaned.content, removed_parts(cleaned.removed), pages=cleaned.pages)


def removed_parts(names: tuple[str, ...]) -> tuple[Loss, ...]:
    """Parts of a file that are not published, as losses."""
    return tuple(Loss(name, _SHOWS_MORE) for name in names)


def depth_lost(original: bytes) -> tuple[Loss, ...]:
    """The depth of an AVIF or HEIC file, where it is more than is written."""
    depth = heif.bit_depth(original)
    return (Loss(f"{depth} bits a sample", "it is written with 8"),) if depth > 8 else ()


def encode_jpeg(picture: StoredPicture, cleaned: bytes) -> bytes:
    """A JPEG of the samples, quantised and described as a cleaned one is."""
    # Pillow knows no name for subsampling other than 4:4:4, 4:2:2 and 4:2:0: then keep all.
    options: dict[str, Any] = {
        "qtables": picture.jpeg_tables,
        "subsampling": max(0, picture.jpeg_subsampling),
        "progressive": bool(picture.info.get("progressive")),
    }
    return jpeg.transplant(save(native_samples(picture), "JPEG", **options), cleaned)


def encode_webp(samples: NDArray[Any], lossless: bool) -> bytes:
    """A WebP of the samples, without descriptions."""
    options = {"lossless": lossless, "quality": _WEBP_LOSSY_QUALITY, "exact": True}
    return save(samples, "WEBP", **options)


def native_samples(picture: StoredPicture) -> NDArray[Any]:
    """The samples in the colours of the file: those that did not change as they were."""
    if picture.original is None or picture.original[1] not in colours.CONVERTED:
        return picture.samples
    native, mode = picture.original
    return colours.with_changes(native, mode, picture.samples)


def mode_of(picture: StoredPicture) -> str:
    """Pillow's name of the colours of `native_samples`."""
    if picture.original is not None and picture.original[1] in colours.CONVERTED:
        return picture.original[1]
    channels = picture.samples.shape[2] if picture.samples.ndim == 3 else 1
    return ("L", "LA", "RGB", "RGBA")[channels - 1]


def save(samples: NDArray[Any], file_format: str, **options: Any) -> bytes:  # noqa: ANN401 - Pillow's own options
    """The samples as a file that Pillow writes."""
    stream = io.BytesIO()
    samples = np.ascontiguousarray(samples)
    if file_format == "JPEG" and samples.ndim == 3 and samples.shape[2] == 4:
        image = PillowImage.fromarray(samples, "CMYK")
    else:
        image = PillowImage.fromarray(samples)
    image.save(stream, file_format, **options)
    return stream.getvalue()


def _encode_with_parts(picture: StoredPicture, cleaned: bytes) -> tuple[bytes, tuple[Loss, ...]]:
    height, width = picture.samples.shape[:2]
    losses: tuple[Loss, ...] = ()
    if picture.format == "PNG":
        content = png.transplant(encode_png(picture.samples), cleaned)
    elif picture.format == "WEBP":
        encoded = encode_webp(picture.samples, webp.is_lossless(cleaned))
        content = webp.transplant(encoded, cleaned, (width, height))
    elif picture.format == "GIF":
        few = to_few_colours(picture)
        losses = few.losses
        content = gif.join_frames([few.content], cleaned, transparent=False)
    elif picture.format == "TIFF":
        pages = TiffPages(cleaned)
        samples, mode = native_samples(picture), mode_of(picture)
        page = encode_page(samples, mode, pages.directories[0], pages.order)
        content = write_directories(pages.order, [page])
    elif picture.format == "JPEG2000":
        content, losses = _encode_jpeg2000(picture, cleaned)
    elif picture.jpeg_tables:
        content = encode_jpeg(picture, cleaned)
    else:
        options = {"dpi": picture.info["dpi"]} if "dpi" in picture.info else {}
        content = save(picture.samples, "BMP", **options)
    return content, losses


def _encode_jpeg2000(picture: StoredPicture, cleaned: bytes) -> tuple[bytes, tuple[Loss, ...]]:
    is_bare = cleaned.startswith(_CODESTREAM)
    content = save(picture.samples, "JPEG2000", irreversible=False, no_jp2=is_bare)
    if picture.info.get("icc_profile"):
        return content, (Loss("the colour profile", "the encoder of JPEG 2000 writes none"),)
    return content, ()


def _encode_without_parts(picture: StoredPicture, strip: bool) -> Encoded:
    """A file of the samples alone, with the descriptions that Pillow knows of."""
    options, losses = _descriptions(picture, strip)
    samples = picture.orientation.view(picture.samples)
    has_alpha = samples.ndim == 3 and samples.shape[2] in (2, 4)
    if picture.format == "AVIF":
        options |= {"quality": _AVIF_QUALITY, "subsampling": "4:4:4"}
        return Encoded(save(samples, "AVIF", **options), losses)
    if picture.format != HEIF:
        again = StoredPicture(np.ascontiguousarray(samples), UPRIGHT, picture.format)
        unknown = Loss("what else is in the file", "its parts cannot be followed")
        return Encoded(_alone(again, options), (unknown,))
    suffix = ".png" if has_alpha else ".jpg"
    change = Loss("the format HEIC", f"{_NO_ENCODER}: written as {suffix}")
    if has_alpha:
        return Encoded(save(samples, "PNG", **options), (*losses, change), suffix)
    options |= {"quality": _JPEG_QUALITY, "subsampling": 0}
    return Encoded(save(samples, "JPEG", **options), (*losses, change), suffix)


def _alone(picture: StoredPicture, options: dict[str, Any]) -> bytes:
    if picture.format in ("JPEG", "MPO"):
        return save(picture.samples, "JPEG", quality=_JPEG_QUALITY, subsampling=0, **options)
    if picture.format == "PNG":
        return encode_png(picture.samples)
    if picture.format == "GIF":
        return to_few_colours(picture).content
    if picture.format == "TIFF":
        return save(picture.samples, "TIFF", compression="tiff_adobe_deflate")
    if picture.format == "WEBP":
        return encode_webp(picture.samples, lossless=True)
    return save(picture.samples, picture.format)


def _descriptions(picture: StoredPicture, strip: bool) -> tuple[dict[str, Any], tuple[Loss, ...]]:
    """Colour profile, EXIF without orientation and XMP, as options of Pillow's writers."""
    options: dict[str, Any] = {}
    removed: list[str] = []
    if "dpi" in picture.info:
        options["dpi"] = picture.info["dpi"]
    if picture.info.get("icc_profile"):
        options["icc_profile"] = picture.info["icc_profile"]
    tags = bytes(picture.info.get("exif") or b"").removeprefix(exif.PREFIX)
    if tags:
        kept, removed = exif.clean_exif(tags, strip)
        kept = exif.upright(kept) if kept else b""
        if kept:
            options["exif"] = exif.PREFIX + kept
    packet = picture.info.get("xmp")
    if isinstance(packet, bytes) and not strip:
        if is_plain_xmp(packet):
            options["xmp"] = packet
        else:
            removed.append("XMP that holds a picture")
    return options, removed_parts(tuple(removed))
