"""Files of several pictures, put together again from the pictures they were taken apart into."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from PIL import Image as PillowImage

from faceveil.media.few_colours import to_few_colours
from faceveil.media.frames import Loss
from faceveil.media.picture_encode import (
    Encoded,
    copy_clean,
    depth_lost,
    encode_jpeg,
    encode_png,
    encode_webp,
    mode_of,
    native_samples,
    removed_parts,
)
from faceveil.media.picture_file import Cleaned, clean, gif, jpeg, png, webp
from faceveil.media.picture_file.directories import Directory, write_directories
from faceveil.media.picture_file.tiff import TiffPages, encode_page
from faceveil.media.pictures import StoredPicture

_AVIF_QUALITY = 90


class PagedPicture:
    """Collects the pictures of a file in their order and writes the file anew.

    Frames of an animation keep their times, its repetitions and their number; each fills the
    whole picture afterwards. Pages of a TIFF keep their tags, views of an MPO theirs; pages and
    views that did not change are copied. Memory holds the encoded pictures, not their samples.
    """

    def __init__(self, original: bytes, strip: bool = False) -> None:
        self._original, self._strip = original, strip
        self._cleaned: Cleaned | None
        try:
            self._cleaned = clean(original, strip)
        except ValueError:
            self._cleaned = None
        self._pages: list[bytes | Directory] = []
        self._losses: dict[Loss, None] = {}
        self._changed = self._transparent = False
        self._format, self._size = "", (0, 0)
        self._timing: list[tuple[float, int]] = []
        content = self._cleaned.content if self._cleaned else original
        is_tiff = content[:2] in (b"II", b"MM")
        self._tiff = TiffPages(content) if is_tiff else None
        self._views = jpeg.find_views(content) if content.startswith(b"\xff\xd8") else []

    def add(self, picture: StoredPicture, changed: bool) -> None:
        """Take the next picture; `changed` says whether its samples are others now."""
        self._changed = self._changed or changed
        self._format = picture.format
        height, width = picture.samples.shape[:2]
        self._size = width, height
        duration = picture.info.get("duration", 0)
        self._timing.append((duration, picture.info.get("loop", 0)))
        self._pages.append(self._encode(picture, changed))

    def finish(self) -> Encoded:
        """The file of all the pictures."""
        if not self._changed and (unchanged := copy_clean(self._original, self._strip)):
            return unchanged
        removed = removed_parts(self._cleaned.removed) if self._cleaned else ()
        depth = depth_lost(self._original) if self._format == "AVIF" else ()
        return Encoded(self._join(), (*removed, *self._losses, *depth))

    def _encode(self, picture: StoredPicture, changed: bool) -> bytes | Directory:
        number = len(self._pages)
        if self._tiff:
            page = self._tiff.directories[number]
            if not changed:
                return page
            samples, mode = native_samples(picture), mode_of(picture)
            return encode_page(samples, mode, page, self._tiff.order)
        if self._views:
            view = self._views[number]
            return encode_jpeg(picture, view) if changed else view
        if picture.format == "WEBP":
            return encode_webp(picture.samples, webp.is_lossless(self._original))
        if picture.format == "GIF":
            few = to_few_colours(picture)
            self._losses.update(dict.fromkeys(few.losses))
            self._transparent = self._transparent or few.transparent
            return few.content
        if picture.format == "PNG" and self._original[24] == 16 and picture.samples.dtype == "u1":
            self._losses[Loss("16 bits a sample", "animated PNG is read with 8")] = None
        return encode_png(picture.samples)

    def _join(self) -> bytes:
        if self._tiff:
            directories = [page for page in self._pages if isinstance(page, Directory)]
            return write_directories(self._tiff.order, directories)
        pages = [page for page in self._pages if isinstance(page, bytes)]
        if self._views:
            return jpeg.join_views(pages)
        cleaned = self._cleaned.content if self._cleaned else self._original
        if self._format == "WEBP":
            return webp.join_frames(pages, cleaned, self._size)
        if self._format == "GIF":
            return gif.join_frames(pages, cleaned, transparent=self._transparent)
        if self._format == "PNG":
            return png.join_frames(_of_one_kind(pages), cleaned)
        return self._save(pages)

    def _save(self, pages: list[bytes]) -> bytes:
        """What Pillow writes: sequences of AVIF."""
        frames = map(_opened, pages)
        options: dict[str, Any] = {
            "duration": [round(duration) for duration, _ in self._timing],
            "quality": _AVIF_QUALITY,
            "subsampling": "4:4:4",
        }
        stream = io.BytesIO()
        next(frames).save(stream, "AVIF", save_all=True, append_images=frames, **options)
        return stream.getvalue()


def _of_one_kind(pages: list[bytes]) -> list[bytes]:
    """PNGs of one colour type, with alpha where one of them has it."""
    if len({page[25] for page in pages}) == 1:
        return pages
    return [encode_png(np.asarray(_opened(page).convert("RGBA"))) for page in pages]


def _opened(page: bytes) -> PillowImage.Image:
    return PillowImage.open(io.BytesIO(page))
