"""Frames out of a folder of pictures: numbered frames of a video, or unrelated stills."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

from PIL import Image as PillowImage

from faceveil.errors import InputError
from faceveil.files import files_digest
from faceveil.media.frames import Loss, Problem, SourceKind
from faceveil.media.orientation import EXIF_ORIENTATIONS, UPRIGHT
from faceveil.media.pictures import (
    SeveralPicturesError,
    StoredPicture,
    open_picture,
    page_numbers,
    read_content,
    read_pages,
    read_stored,
)
from faceveil.media.stored_frame import StoredFrame

FRAME_SUFFIXES = (".png", ".jpg", ".jpeg")
SUFFIXES = (
    *(".png", ".apng", ".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".webp", ".tif", ".tiff", ".bmp"),
    *(".gif", ".avif", ".avifs", ".heic", ".heif", ".hif", ".jp2", ".j2k", ".jpx"),
)
"""Names that files of pictures end in."""
_NUMBERED = re.compile(r"(.*?)(\d+)")
_NAMED_AT_MOST = 5
_ORIENTATION_TAG = 0x0112
_MAY_HOLD_SEVERAL = {"MPO", "TIFF", "GIF", "WEBP", "AVIF", "HEIF"}


class PictureFrame(StoredFrame):
    """A picture of a folder as a frame. `path` is the file it comes from."""

    __slots__ = ("path",)

    def __init__(
        self,
        number: int,
        path: Path,
        picture: StoredPicture,
        name: str = "",
        page: int = 0,
        pages: int = 1,
    ) -> None:
        super().__init__(number, name or path.name, picture.size, page, pages)
        self.path = path
        self._picture: StoredPicture = picture

    @property
    def picture(self) -> StoredPicture:
        return self._picture

    def content(self) -> bytes:
        return self.path.read_bytes()


class _Header(NamedTuple):
    """Upright width and height of a file's largest picture, and how many pictures it holds."""

    width: int
    height: int
    pages: int


class FolderSource:
    """The pictures of a folder as frames; see `frames.FrameSource`.

    Numbered frames (`stills` False): PNG or JPEG files whose names share a beginning and end in a
    number, as FFmpeg writes them (img0000001.png, …). The first is frame 0, none may be missing
    and all have one size. With `stills` True: any pictures of any names and sizes, in the order
    of their names; `width` and `height` are then those of the largest, and every frame of an
    animation, page of a TIFF and view of an MPO is a frame of its own.

    Parameters
    ----------
    path
        The folder, or a single picture file.
    stills
        The pictures are unrelated.
    recursive
        Read stills of the folders below, too; frames are then named by their path below `path`.
    gaps
        Numbers of frames may be missing, as in the output of a folder of which some could not be
        read.

    Attributes
    ----------
    left_out
        Files of the folder that are no pictures, or lie below it, as losses of the output.

    Raises
    ------
    InputError
        The folder is missing or holds no pictures, numbers are missing or used twice, sizes
        differ, or a numbered picture holds several. A picture that cannot be read is left out
        while iterating and listed in `problems`.
    """

    rate: Fraction | None = None

    def __init__(
        self, path: Path, stills: bool = False, *, recursive: bool = False, gaps: bool = False
    ) -> None:
        self.path = path
        self.kind: SourceKind = "stills" if stills else "folder"
        self.problems: list[Problem] = []
        self.left_out: list[Loss] = []
        suffixes = SUFFIXES if stills else FRAME_SUFFIXES
        is_file = path.is_file()
        self._root = path.parent if is_file else path
        found = [path] if is_file else _files(path, suffixes, self.left_out, recursive and stills)
        self.pictures = found if stills else _numbered(path, found, gaps)
        headers = [(picture, _header(picture)) for picture in self.pictures]
        known = [(picture, header) for picture, header in headers if header is not None]
        if not known and is_file:
            read_stored(path)  # says why
        if not known:
            raise InputError(f"{path}: none of its {len(headers)} pictures can be read")
        if not stills:
            _check_sizes(known)
        self._pages = [header.pages if header else 1 for _, header in headers]
        self.frame_count: int | None = sum(self._pages)
        self.byte_count = sum(picture.stat().st_size for picture in self.pictures)
        self.width = max(header.width for _, header in known)
        self.height = max(header.height for _, header in known)

    def __iter__(self) -> Iterator[PictureFrame]:
        self.problems.clear()
        return self.frames_from(0)

    def frames_from(self, first: int) -> Iterator[PictureFrame]:
        """The frames from a number on; files before it are not opened."""
        number = 0
        for path, pages in zip(self.pictures, self._pages, strict=True):
            try:
                if number + pages > first:
                    for frame in self._frames(path, number, pages):
                        if frame.number >= first:
                            yield frame
            except InputError as error:
                name = self._name(path)
                self.problems.append(Problem(f"frame {number} ({name})", str(error)))
            number += pages

    def digest(self) -> str:
        """`sha256:<hex>` over the names and contents of all pictures."""
        return files_digest(self.pictures)

    def _frames(self, path: Path, number: int, pages: int) -> Iterator[PictureFrame]:
        if pages == 1:
            frame = PictureFrame(number, path, read_stored(path), self._name(path))
            if self.kind == "folder" and (frame.width, frame.height) != (self.width, self.height):
                raise InputError(f"{path}: {frame.width} x {frame.height}, unlike the others")
            yield frame
            return
        _check_readable(path, pages)
        for page, picture in enumerate(read_pages(path)):
            yield PictureFrame(number + page, path, picture, self._name(path), page, pages)

    def _name(self, path: Path) -> str:
        return path.relative_to(self._root).as_posix()


def _files(
    folder: Path, suffixes: tuple[str, ...], left_out: list[Loss], recursive: bool
) -> list[Path]:
    """The pictures of a folder in the order of their names; what else it holds is noted."""
    try:
        entries = sorted(folder.rglob("*") if recursive else folder.iterdir())
    except OSError as error:
        raise InputError(f"{folder}: the folder cannot be read ({error.strerror})") from error
    pictures = []
    for entry in entries:
        inside = entry.relative_to(folder)
        if any(part.startswith(".") for part in inside.parts):
            continue
        if entry.is_dir():
            if not recursive:
                left_out.append(Loss("a folder", "read with --recursive", f"{inside}/"))
        elif entry.suffix.lower() in suffixes and entry.is_file():
            pictures.append(entry)
        else:
            left_out.append(Loss("a file", _why_left_out(entry), str(inside)))
    if not pictures:
        raise InputError(f"{folder}: holds no pictures ({', '.join(suffixes)})")
    return sorted(pictures, key=lambda path: path.relative_to(folder).as_posix())


def _why_left_out(path: Path) -> str:
    if not path.exists():
        return "it is a link to nothing"
    if path.suffix.lower() in SUFFIXES:
        return "frames of a video are PNG or JPEG; unrelated pictures are read with --stills"
    return "its name is not that of a picture"


def _check_readable(path: Path, pages: int) -> None:
    """Read a file of several pictures once before its first frame is handed out, so that a file
    is left out whole where one of them is damaged. Raises InputError."""
    found = sum(1 for _ in read_pages(path))
    if found != pages:
        raise InputError(f"{path}: holds {found} pictures, not {pages}")


def _numbered(folder: Path, pictures: list[Path], gaps: bool) -> list[Path]:
    """The pictures in order of their numbers, which have no gap unless there may be some."""
    by_number: dict[int, list[Path]] = defaultdict(list)
    prefixes: dict[str, Path] = {}
    for path in pictures:
        match = _NUMBERED.fullmatch(path.stem)
        if match is None:
            raise InputError(
                f"{path}: its name does not end in a number, so its place in the video is not "
                "known; unrelated pictures are veiled with --stills"
            )
        prefixes.setdefault(match[1], path)
        by_number[int(match[2])].append(path)
    if len(prefixes) > 1:
        one, other = list(prefixes.values())[:2]
        raise InputError(
            f"{folder}: frames of two videos, such as {one.name} and {other.name}; "
            "put each in a folder of its own, or use --stills"
        )
    double = [" and ".join(path.name for path in p) for p in by_number.values() if len(p) > 1]
    if double:
        raise InputError(f"{folder}: {len(double)} frames exist twice: {_few(double)}")
    first, last = min(by_number), max(by_number)
    if last - first + 1 != len(by_number) and not gaps:
        raise InputError(f"{folder}: {_missing(by_number, first, last)}")
    return [by_number[number][0] for number in sorted(by_number)]


def _missing(by_number: dict[int, list[Path]], first: int, last: int) -> str:
    absent = (number for number in range(first, last) if number not in by_number)
    some = [str(number) for number, _ in zip(absent, range(_NAMED_AT_MOST + 1), strict=False)]
    count = last - first + 1 - len(by_number)
    return f"{count} of the numbers {first} to {last} are missing: {_few(some)}"


def _few(names: Sequence[str]) -> str:
    more = ", …" if len(names) > _NAMED_AT_MOST else ""
    return ", ".join(names[:_NAMED_AT_MOST]) + more


def _header(path: Path) -> _Header | None:
    """What the file says of its pictures, none of them decoded; None when it cannot be read."""
    try:
        with open_picture(path) as picture:
            width, height = picture.size
            pages = 1
            if picture.format in _MAY_HOLD_SEVERAL or getattr(picture, "n_frames", 1) > 1:
                numbers = page_numbers(picture, read_content(path))
                pages = len(numbers)
            # Asking a PNG without EXIF for its EXIF would decode all of it.
            has_exif = "exif" in picture.info
            tag = picture.getexif().get(_ORIENTATION_TAG, 1) if has_exif else 1
            size = EXIF_ORIENTATIONS.get(tag, UPRIGHT).size(width, height)
            if picture.format == "TIFF" and pages > 1:
                size = _largest(picture, numbers)
            return _Header(*size, pages)
    except Exception:  # decoders of broken files raise almost anything
        return None


def _largest(picture: PillowImage.Image, numbers: Sequence[int]) -> tuple[int, int]:
    sizes = []
    for number in numbers:
        picture.seek(number)
        sizes.append(picture.size)
    return max(width for width, _ in sizes), max(height for _, height in sizes)


def _check_sizes(headers: list[tuple[Path, _Header]]) -> None:
    first, expected = headers[0]
    for path, header in headers:
        if header.pages > 1:
            raise SeveralPicturesError(header.pages, str(path))
        if header != expected:
            raise InputError(
                f"{path}: is {header.width} x {header.height}, but {first.name} is "
                f"{expected.width} x {expected.height}; frames of a video have one size "
                "(unrelated pictures: --stills)"
            )
