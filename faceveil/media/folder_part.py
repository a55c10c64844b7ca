"""Some frames of a folder, numbered as in the whole video."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path

from faceveil.errors import InputError
from faceveil.files import files_digest
from faceveil.media.folder import PictureFrame
from faceveil.media.frames import Problem, SourceKind
from faceveil.media.pictures import read_stored


class FolderPart:
    """Numbered pictures as frames; see `frames.FrameSource`.

    A picture that cannot be read, or has another size, is left out while iterating and listed in
    `problems`.

    Parameters
    ----------
    path
        The folder, for messages.
    pictures
        (number of the frame in the whole video, its file), in order.
    size
        Upright width and height of the frames.
    """

    kind: SourceKind = "folder"
    rate: Fraction | None = None

    def __init__(
        self, path: Path, pictures: Sequence[tuple[int, Path]], size: tuple[int, int]
    ) -> None:
        self.path = path
        self.pictures = pictures
        self.width, self.height = size
        self.frame_count: int | None = len(pictures)
        self.byte_count = sum(picture.stat().st_size for _, picture in pictures)
        self.problems: list[Problem] = []

    def __iter__(self) -> Iterator[PictureFrame]:
        self.problems.clear()
        for number, path in self.pictures:
            try:
                yield self._frame(number, path)
            except InputError as error:
                self.problems.append(Problem(f"frame {number} ({path.name})", str(error)))

    def digest(self) -> str:
        """`sha256:<hex>` over the names and contents of these pictures."""
        return files_digest([path for _, path in self.pictures])

    def _frame(self, number: int, path: Path) -> PictureFrame:
        frame = PictureFrame(number, path, read_stored(path))
        if (frame.width, frame.height) != (self.width, self.height):
            raise InputError(f"{path}: {frame.width} x {frame.height}, unlike the others")
        return frame
