"""Frames that are picture files somewhere, or pictures of a file, wherever that is."""

from __future__ import annotations

from copy import copy
from dataclasses import replace

from faceveil.faces import Image
from faceveil.media.frames import Frame, Planes
from faceveil.media.picture_encode import Encoded, copy_clean, encode_like, encode_png
from faceveil.media.pictures import SeveralPicturesError, StoredPicture


class StoredFrame:
    """A picture file as a frame, or one of several pictures of a file; see `frames.Frame`.

    `name` is that of the file, below the folder that is read. `page` counts the pictures of the
    file from 0, `pages` is how many it has. Subclasses say where the file comes from.
    """

    __slots__ = ("_picture", "_planes", "height", "name", "number", "page", "pages", "width")
    _picture: StoredPicture | None

    def __init__(
        self, number: int, name: str, size: tuple[int, int], page: int = 0, pages: int = 1
    ) -> None:
        """size: upright width and height."""
        self.number = number
        self.name = name
        self.width, self.height = size
        self.page, self.pages = page, pages
        self._planes: Planes | None = None

    @property
    def picture(self) -> StoredPicture:
        """The samples of the file; what a veil draws is drawn here."""
        raise NotImplementedError

    def content(self) -> bytes:
        """The file as it was read; changes of the samples are not in it."""
        raise NotImplementedError

    def copy(self) -> StoredFrame:
        """The same frame with samples of its own."""
        twin = copy(self)
        twin._planes = None
        twin._picture = replace(self.picture, samples=self.picture.samples.copy())
        return twin

    @property
    def nbytes(self) -> int:
        """The memory that its samples take."""
        return int(self.picture.samples.nbytes)

    def rgb(self) -> Image:
        """The upright picture, RGB uint8 [height, width, 3]."""
        return self.picture.rgb()

    def planes(self) -> Planes:
        """The upright samples as one plane, at the depth of the file."""
        if self._planes is None:
            view = self.picture.orientation.view(self.picture.samples)
            self._planes = Planes((view,), self.picture.peak)
        return self._planes


def frame_name(frame: Frame) -> str:
    """The file a frame becomes: of its own name, or img0000001.png, … where it had none."""
    if isinstance(frame, StoredFrame):
        return frame.name
    return f"img{frame.number + 1:07d}.png"


def encode_frame(frame: Frame, changed: bool, strip: bool = False) -> Encoded:
    """The file to publish of a frame that is a file by itself.

    One that did not change is the file it was read from, byte for byte, unless that holds
    anything beside its picture, which is then left out (`picture_file`), or, with `strip`, says
    who made it, where and with what. A video's frame becomes a PNG. Raises SeveralPicturesError for
    a file that shows more pictures than this one.
    """
    if not isinstance(frame, StoredFrame):
        return Encoded(encode_png(frame.rgb()))
    content = frame.content()
    if not changed and (copy := copy_clean(content, strip)):
        if copy.pages != 1:
            raise SeveralPicturesError(copy.pages, frame.name)
        return copy
    return encode_like(frame.picture, content, strip)
