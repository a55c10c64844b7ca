"""Frames out of S3: read ahead by several threads, or not read at all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from faceveil.aws.s3 import Listed, S3Location
from faceveil.aws.s3_errors import LostObjectError
from faceveil.errors import InputError
from faceveil.media.frames import Problem, SourceKind
from faceveil.media.pictures import StoredPicture, read_single, read_stored
from faceveil.media.s3_keys import FramePart, list_frames, list_part
from faceveil.media.stored_frame import StoredFrame
from faceveil.parallel import ordered_map
from faceveil.resources import usable_cores

MOST_THREADS = usable_cores() + 2
"""That read, or encode: S3 answers in about the time a frame is worked on, and frames that wait in
memory beyond what keeps the cores busy cost more than they gain."""
MEMORY = 256 << 20
"""What frames read ahead may take, and those being written as much again."""
_PIXEL_BYTES = 6
"""Of a pixel while its frame is read or written: samples, the file they come from, the new one."""
_TRIED_FOR_SIZE = 20


class S3Frame(StoredFrame):
    """A frame in S3, not downloaded before its content is asked for.

    Then InputError is raised when it cannot be read, LostObjectError when it is gone or was
    changed since it was listed.
    """

    __slots__ = ("_content", "listed", "location")

    def __init__(
        self, number: int, location: S3Location, listed: Listed, size: tuple[int, int]
    ) -> None:
        super().__init__(number, listed.name, size)
        self.location = location
        self.listed = listed
        self._content: bytes | None = None
        self._picture = None

    def content(self) -> bytes:
        if self._content is None:
            self._content = self.location.read(self.listed.name, self.listed.etag)
        return self._content

    @property
    def picture(self) -> StoredPicture:
        return self._picture or self.decode()

    def decode(self) -> StoredPicture:
        """Decode the file now. Raises InputError when it is broken or of another size."""
        content = self.content()
        try:
            picture = read_single(content)
            size = (self.width, self.height)
            if picture.size != size:
                sizes = "{} x {}, unlike the others of {} x {}".format(*picture.size, *size)
                raise InputError(f"the picture: is {sizes}")
        except InputError as error:
            where = self.location.uri(self.name)
            raise InputError(str(error).replace("the picture", str(where), 1)) from error
        self._picture = picture
        return picture

    def problem(self, reason: InputError) -> Problem:
        """This frame in a list of what could not be read."""
        return Problem(f"frame {self.number} ({self.name})", str(reason))


class S3Frames:
    """The numbered pictures under a prefix as frames; see `frames.FrameSource`.

    Names are as in a folder of frames: img0000001.png, .jpg or .jpeg, or any beginning and
    number; the first is frame 0. Prefixes below are not read.

    Frames are read ahead in threads, in bounded memory, all of them or those that `expect` names;
    the others are read when they are asked for. A frame that is missing from the part, gone or
    changed since it was listed, an animation, or no readable picture of that size, is left out
    while iterating and listed in `problems`.

    Parameters
    ----------
    location
        The place in S3.
    part
        The frames of a part of the video only, numbered as in the whole.
    size
        Upright width and height; saves reading a frame to learn it.

    Raises
    ------
    InputError
        When there are no frames, or some are missing or doubled, and for what concerns all frames
        alike (access, credentials, the network), also while iterating.
    """

    kind: SourceKind = "folder"
    rate: Fraction | None = None

    def __init__(
        self,
        location: S3Location,
        part: FramePart | None = None,
        size: tuple[int, int] | None = None,
    ) -> None:
        self.location = location
        self.path = Path(str(location.uri()))
        self.problems: list[Problem] = []
        if part is None:
            self.keys = list_frames(location)
            self.first_number = int(self.keys.numbers[0])
            self._numbers = range(len(self.keys))
        else:
            self.keys = list_part(location, part)
            self.first_number = part.first.number
            self._numbers = range(part.frames.first, part.frames.end)
        self.frame_count: int | None = len(self._numbers)
        self.byte_count = int(self.keys.sizes.sum())
        self.width, self.height = size or self._find_size()
        self._expected: NDArray[np.int64] | None = None

    def expect(self, frames: NDArray[np.integer]) -> None:
        """Read only these frames ahead, int [n] in any order: those whose content will be asked
        for. Any other costs a wait when it is."""
        self._expected = np.unique(frames).astype(np.int64)

    def __iter__(self) -> Iterator[S3Frame]:
        self.problems.clear()
        return self.frames_from(0)

    def frames_from(self, first: int) -> Iterator[S3Frame]:
        """The frames from a number on, as when iterating."""
        readers = threads_for(self.width, self.height)
        numbers = self._numbers[max(0, first - self._numbers.start) :]
        for outcome in ordered_map(self._frame, numbers, readers):
            if isinstance(outcome, Problem):
                self.problems.append(outcome)
            else:
                yield outcome

    def digest(self) -> str:
        """See `FrameKeys.digest`: nothing is downloaded for it."""
        return self.keys.digest()

    def _frame(self, number: int) -> S3Frame | Problem:
        row = self.keys.row(self.first_number + number)
        if row is None:
            there_is_none = f"{self.location.uri()}: has no frame {self.first_number + number}"
            return Problem(f"frame {number}", there_is_none)
        listed = self.keys.listed(row)
        frame = S3Frame(number, self.location, listed, (self.width, self.height))
        if self._expected is not None and not _holds(self._expected, number):
            return frame
        try:
            frame.content()
        except LostObjectError as error:
            return frame.problem(error)
        try:
            frame.decode()
        except InputError as error:
            return frame.problem(error)
        return frame

    def _find_size(self) -> tuple[int, int]:
        tried = min(len(self.keys), _TRIED_FOR_SIZE)
        for row in range(tried):
            listed = self.keys.listed(row)
            with suppress(LostObjectError):
                content = self.location.read(listed.name, listed.etag)
                with suppress(InputError):
                    return read_stored(content).size
        raise InputError(f"{self.location.uri()}: none of its first {tried} frames can be read")


def threads_for(width: int, height: int) -> int:
    """How many threads may have two frames each at a time within MEMORY: 2 at least."""
    frame = width * height * _PIXEL_BYTES
    return max(2, min(MOST_THREADS, MEMORY // (2 * frame)))


def _holds(ordered: NDArray[np.int64], value: int) -> bool:
    index = int(np.searchsorted(ordered, value))
    return index < len(ordered) and int(ordered[index]) == value
