"""Frames out of a folder of pictures: numbered frames of a video, or unrelated stills."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path

from PIL import Image as PillowImage

from faceveil.errors import InputError
from faceveil.files import files_digest
from faceveil.media.frames import Problem, SourceKind
from faceveil.media.orientation import EXIF_ORIENTATIONS, UPRIGHT
from faceveil.media.picture_encode import SUFFIXES
from faceveil.media.pictures import FORMATS, StoredPicture, read_stored
from faceveil.media.stored_frame import StoredFrame

FRAME_SUFFIXES = (".png", ".jpg", ".jpeg")
_NUMBERED = re.compile(r"(.*?)(\d+)")
_NAMED_AT_MOST = 5
_ORIENTATION_TAG = 0x0112


class PictureFrame(StoredFrame):
    """A picture of a folder as a frame. `path` is the file it comes from."""

    __slots__ = ("_picture", "path")

    def __init__(self, number: int, path: Path, picture: StoredPicture) -> None:
        super().__init__(number, path.name, picture.size)
        self.path = path
        self._picture = picture

    @property
    def picture(self) -> StoredPicture:
        return self._picture

    def content(self) -> bytes:
        return self.path.read_bytes()


class FolderSource:
    """The pictures of a folder as frames; see `frames.FrameSource`.

    Numbered frames (`stills` False): PNG or JPEG files whose names share a beginning and end in a
    number, as FFmpeg writes them (img0000001.png, …). The first is frame 0, none may be missing
    and all have one size. With `stills` True: any pictures of any names and sizes, in the order
    of their names; `width` and `height` are then those of the largest. Sub-folders are not read.

    Raises InputError when the folder is missing or holds no pictures, when numbers are missing or
    used twice, or when sizes differ. A picture that cannot be read is left out while iterating
    and listed in `problems`.
    """

    rate: Fraction | None = None

    def __init__(self, path: Path, stills: bool = False) -> None:
        self.path = path
        self.kind: SourceKind = "stills" if stills else "folder"
        self.problems: list[Problem] = []
        self.pictures = _stills(path) if stills else _numbered(path)
        self.frame_count: int | None = len(self.pictures)
        sizes = [(picture, _size(picture)) for picture in self.pictures]
        known = [(picture, size) for picture, size in sizes if size is not None]
        if not known:
            raise InputError(f"{path}: none of its {len(sizes)} pictures can be read")
        if not stills:
            _check_sizes(known)
        self.width = max(width for _, (width, _) in known)
        self.height = max(height for _, (_, height) in known)

    def __iter__(self) -> Iterator[PictureFrame]:
        self.problems.clear()
        for number, path in enumerate(self.pictures):
            try:
                frame = PictureFrame(number, path, read_stored(path))
                fits = (frame.width, frame.height) == (self.width, self.height)
                if not fits and self.kind == "folder":
                    raise InputError(f"{path}: {frame.width} x {frame.height}, unlike the others")
            except InputError as problem:
                self.problems.append(Problem(f"frame {number} ({path.name})", str(problem)))
                continue
            yield frame

    def digest(self) -> str:
        """`sha256:<hex>` over the names and contents of all pictures."""
        return files_digest(self.pictures)


def _files(folder: Path, suffixes: tuple[str, ...]) -> list[Path]:
    try:
        entries = sorted(folder.iterdir())
    except OSError as problem:
        raise InputError(f"{folder}: the folder cannot be read ({problem.strerror})") from problem
    pictures = [
        entry
        for entry in entries
        if entry.suffix.lower() in suffixes and not entry.name.startswith(".") and entry.is_file()
    ]
    if not pictures:
        raise InputError(f"{folder}: holds no pictures ({', '.join(suffixes)})")
    return pictures


def _stills(folder: Path) -> list[Path]:
    pictures = _files(folder, SUFFIXES)
    return sorted(pictures, key=lambda path: path.name)


def _numbered(folder: Path) -> list[Path]:
    """The pictures in order of their numbers, which have no gap."""
    by_number: dict[int, list[Path]] = defaultdict(list)
    prefixes: dict[str, Path] = {}
    for path in _files(folder, FRAME_SUFFIXES):
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
    if last - first + 1 != len(by_number):
        raise InputError(f"{folder}: {_missing(by_number, first, last)}")
    return [by_number[number][0] for number in range(first, last + 1)]


def _missing(by_number: dict[int, list[Path]], first: int, last: int) -> str:
    absent = (number for number in range(first, last) if number not in by_number)
    some = [str(number) for number, _ in zip(absent, range(_NAMED_AT_MOST + 1), strict=False)]
    count = last - first + 1 - len(by_number)
    return f"{count} of the numbers {first} to {last} are missing: {_few(some)}"


def _few(names: Sequence[str]) -> str:
    more = ", …" if len(names) > _NAMED_AT_MOST else ""
    return ", ".join(names[:_NAMED_AT_MOST]) + more


def _size(path: Path) -> tuple[int, int] | None:
    """Upright width and height from the header alone; None when it cannot be read."""
    try:
        with PillowImage.open(path, formats=FORMATS) as picture:
            width, height = picture.size
            # Asking a PNG without EXIF for its EXIF would decode all of it.
            has_exif = "exif" in picture.info
            tag = picture.getexif().get(_ORIENTATION_TAG, 1) if has_exif else 1
            return EXIF_ORIENTATIONS.get(tag, UPRIGHT).size(width, height)
    except Exception:  # decoders of broken files raise almost anything
        return None


def _check_sizes(sizes: list[tuple[Path, tuple[int, int]]]) -> None:
    first, expected = sizes[0]
    for path, size in sizes:
        if size != expected:
            raise InputError(
                f"{path}: is {size[0]} x {size[1]}, but {first.name} is "
                f"{expected[0]} x {expected[1]}; frames of a video have one size "
                "(unrelated pictures: --stills)"
            )
