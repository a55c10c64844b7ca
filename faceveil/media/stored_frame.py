"""Frames that are picture files somewhere, wherever that is."""

from __future__ import annotations

from faceveil.faces import Image
from faceveil.media.frames import Frame, Planes
from faceveil.media.picture_encode import encode_like, encode_png
from faceveil.media.pictures import StoredPicture


class StoredFrame:
    """A picture file as a frame; see `frames.Frame`. `name` is that of the file, no folder.

    Subclasses say where the file comes from.
    """

    __slots__ = ("_planes", "height", "name", "number", "width")

    def __init__(self, number: int, name: str, size: tuple[int, int]) -> None:
        """size: upright width and height."""
        self.number = number
        self.name = name
        self.width, self.height = size
        self._planes: Planes | None = None

    @property
    def picture(self) -> StoredPicture:
        """The samples of the file; what a veil draws is drawn here."""
        raise NotImplementedError

    def content(self) -> bytes:
        """The file as it was read; changes of the samples are not in it."""
        raise NotImplementedError

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


def encode_frame(frame: Frame, changed: bool) -> bytes:
    """The file a frame becomes: as it was, or alike with the changes; a video's become PNG."""
    if not isinstance(frame, StoredFrame):
        return encode_png(frame.rgb())
    return encode_like(frame.picture, frame.content()) if changed else frame.content()
