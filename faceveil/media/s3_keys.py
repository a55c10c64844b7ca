"""Keys of numbered frames: millions of them as columns, in the order of their numbers."""

from __future__ import annotations

import hashlib
import re
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from faceveil.aws.s3 import Listed, S3Location
from faceveil.errors import InputError
from faceveil.frame_range import FrameRange

_FRAME_NAME = re.compile(r"(.*?)([0-9]+)(\.(?:png|jpe?g))", re.DOTALL | re.IGNORECASE)
_PICTURE = re.compile(r"[^.].*\.(?:png|jpe?g)", re.DOTALL | re.IGNORECASE)
_MOST_DIGITS = 18  # what an int64 holds
_FEW = 5
_ETAGS_AT_ONCE = 1000


class FrameName(NamedTuple):
    """`img0000042.jpg` is ("img", "0000042", ".jpg")."""

    stem: str
    digits: str
    suffix: str

    @property
    def number(self) -> int:
        """The number in the name: of frame 0, whatever the first frame's is."""
        return int(self.digits)

    @property
    def padded(self) -> bool:
        """Whether all numbers up to that many digits have as many, so that names sort alike."""
        return self.digits.startswith("0")


@dataclass(frozen=True, slots=True)
class FramePart:
    """Some frames of a video, listed without the others: a chunk of a job.

    `first_name` is the name of frame 0, as `FrameKeys.first_name` says: it tells what all others
    are called, even where frame 0 itself is gone.
    """

    first_name: str
    frames: FrameRange

    @property
    def first(self) -> FrameName:
        """The parts of `first_name`. Raises InputError when that is no frame's name."""
        name = parse_frame_name(self.first_name)
        if name is None:
            raise InputError(f"{self.first_name!r}: is not the name of a frame")
        return name


@dataclass(frozen=True, slots=True, eq=False)
class FrameKeys:
    """Frames of one video that exist, as columns [n] sorted by number: about 60 bytes each.

    numbers int64 (in the key, not of the frame), digits uint8 (how many the key has), suffix
    uint8 (row of `suffixes`), sizes int64 in bytes, etags bytes.
    """

    stem: str
    suffixes: tuple[str, ...]
    numbers: NDArray[np.int64]
    digits: NDArray[np.uint8]
    suffix: NDArray[np.uint8]
    sizes: NDArray[np.int64]
    etags: NDArray[np.bytes_]

    def __len__(self) -> int:
        return len(self.numbers)

    @property
    def first_name(self) -> str:
        """The name of the first frame, for `FramePart`."""
        return self.listed(0).name

    def listed(self, row: int) -> Listed:
        """The object of a row."""
        number = f"{self.numbers[row]:0{self.digits[row]}d}"
        name = f"{self.stem}{number}{self.suffixes[self.suffix[row]]}"
        return Listed(name, int(self.sizes[row]), self.etags[row].decode())

    def row(self, number: int) -> int | None:
        """Where the object with that number in its key is; None when there is none."""
        row = int(np.searchsorted(self.numbers, number))
        return row if row < len(self) and self.numbers[row] == number else None

    def digest(self) -> str:
        """`sha256:<hex>` over names, sizes and ETags: another content is another digest.

        The same content can have another one, too, when it was stored again in parts or encrypted
        with a key: S3 gives such objects new ETags.
        """
        total = hashlib.sha256()
        for row in range(len(self)):
            total.update("{}\0{}\0{}\n".format(*self.listed(row)).encode())
        return f"sha256:{total.hexdigest()}"


def parse_frame_name(name: str) -> FrameName | None:
    """The parts of a frame's name; None for what is no picture (another extension, hidden).

    Raises InputError for a picture whose name does not end in a number of up to 18 digits.
    """
    if not _PICTURE.fullmatch(name):
        return None
    match = _FRAME_NAME.fullmatch(name)
    if match is None or len(match[2].lstrip("0")) > _MOST_DIGITS or len(match[2]) > 255:
        raise InputError(
            f"{name!r}: this name does not end in a frame number, so its place in the video is "
            "not known; frames are called like img0000001.png, and other pictures lie elsewhere"
        )
    return FrameName(*match.groups())


def list_frames(location: S3Location) -> FrameKeys:
    """All frames of a place, one request per 1,000.

    Raises InputError when there are none, of two videos, some exist twice or some are missing.
    """
    keys = _columns(location, (item for page in location.pages() for item in page))
    if not len(keys):
        raise InputError(f"{location.uri()}: holds no frames (img0000001.png, .jpg or .jpeg)")
    missing = _missing(keys.numbers)
    if missing:
        raise InputError(f"{location.uri()}: {missing}")
    return keys


def list_part(location: S3Location, part: FramePart) -> FrameKeys:
    """Those frames of a part that there are; only the part is listed where names are zero-padded.

    Raises InputError when some exist twice or are of two videos.
    """
    first = part.first
    lowest = first.number + part.frames.first
    highest = first.number + part.frames.end - 1
    width = len(first.digits)
    if first.padded and len(str(highest)) <= width:
        # Without an extension: before all names with that number.
        after = f"{first.stem}{lowest:0{width}d}"
        last = f"{first.stem}{highest:0{width}d}"
        items: Iterable[Listed] = _until(location.pages(after), last)
    else:
        items = (item for page in location.pages() for item in page)
    return _columns(location, _between(items, lowest, highest))


def _until(pages: Iterable[list[Listed]], last: str) -> Iterator[Listed]:
    for page in pages:
        for item in page:
            if item.name[: len(last)] > last:
                return
            yield item


def _between(items: Iterable[Listed], lowest: int, highest: int) -> Iterator[Listed]:
    for item in items:
        name = parse_frame_name(item.name)
        if name is not None and lowest <= name.number <= highest:
            yield item


def _columns(location: S3Location, items: Iterable[Listed]) -> FrameKeys:
    numbers, sizes, digits, suffix = array("q"), array("q"), array("B"), array("B")
    etags: list[bytes] = []
    packed: list[NDArray[np.bytes_]] = []
    stems: dict[str, str] = {}
    suffixes: dict[str, int] = {}
    for item in items:
        name = parse_frame_name(item.name)
        if name is None:
            continue
        stems.setdefault(name.stem, item.name)
        if len(stems) > 1:
            raise InputError(
                f"{location.uri()}: frames of two videos, such as {' and '.join(stems.values())}; "
                "put each under a prefix of its own"
            )
        numbers.append(name.number)
        sizes.append(item.size)
        digits.append(len(name.digits))
        suffix.append(suffixes.setdefault(name.suffix, len(suffixes)))
        etags.append(item.etag.encode())
        if len(etags) == _ETAGS_AT_ONCE:
            packed.append(np.array(etags))
            etags = []
    packed.append(np.array(etags, np.bytes_))
    order = np.argsort(np.frombuffer(numbers, np.int64), kind="stable")
    keys = FrameKeys(
        stem=next(iter(stems), ""),
        suffixes=tuple(suffixes),
        numbers=np.frombuffer(numbers, np.int64)[order],
        digits=np.frombuffer(digits, np.uint8)[order],
        suffix=np.frombuffer(suffix, np.uint8)[order],
        sizes=np.frombuffer(sizes, np.int64)[order],
        etags=np.concatenate(packed)[order],
    )
    _check_double(location, keys)
    return keys


def _check_double(location: S3Location, keys: FrameKeys) -> None:
    twice = np.flatnonzero(np.diff(keys.numbers) == 0).tolist()
    if twice:
        pairs = [f"{keys.listed(row).name} and {keys.listed(row + 1).name}" for row in twice[:_FEW]]
        raise InputError(
            f"{location.uri()}: {len(twice)} frames exist twice: {_few(pairs, len(twice))}"
        )


def _missing(numbers: NDArray[np.int64]) -> str:
    """Which numbers between the first and the last there are not; "" when none."""
    steps = np.diff(numbers)
    gaps = np.flatnonzero(steps > 1)
    if not len(gaps):
        return ""
    named: list[str] = []
    for gap in gaps[:_FEW].tolist():
        start = int(numbers[gap]) + 1
        named += [str(start + index) for index in range(min(int(steps[gap]) - 1, _FEW))]
    count = int(steps[gaps].sum()) - len(gaps)
    return (
        f"{count} of the numbers {numbers[0]} to {numbers[-1]} are missing: "
        f"{_few(named[:_FEW], count)}"
    )


def _few(names: list[str], count: int) -> str:
    return ", ".join(names) + (", …" if count > len(names) else "")
