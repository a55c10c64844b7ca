"""One picture file as the output, made from one picture file."""

from __future__ import annotations

from pathlib import Path

from faceveil.errors import UsageError
from faceveil.media.folder import SUFFIXES, FolderSource
from faceveil.media.folder_sink import FolderSink
from faceveil.media.frames import Frame, Loss
from faceveil.media.publish import remove
from faceveil.paths import temporary_beside

_SAME_FORMAT = {".jpeg": ".jpg", ".jpe": ".jpg", ".jfif": ".jpg", ".tiff": ".tif"}


class SinglePictureSink:
    """Stores the frames of one picture file, with all its pages, as one file; see `LocalSink`.

    Raises UsageError where the name of the output is not that of the input's format.
    """

    def __init__(self, path: Path, source: FolderSource, *, strip_metadata: bool = False) -> None:
        (picture,) = source.pictures
        if _format(path) != _format(picture):
            raise UsageError(
                f"{path}: a picture keeps its format; name the output *{picture.suffix.lower()}"
            )
        self.path = path
        self._folder = FolderSink(
            temporary_beside(path.with_suffix("")), source, strip_metadata=strip_metadata
        )
        self.needed = self._folder.needed

    @property
    def losses(self) -> list[Loss]:
        """See `frames.FrameSink`."""
        return self._folder.losses

    def __enter__(self) -> SinglePictureSink:
        self._folder.__enter__()
        return self

    def write(self, frame: Frame, changed: bool) -> None:
        """See `frames.FrameSink`."""
        self._folder.write(frame, changed)

    def finish(self) -> Path:
        """The hidden folder with the picture; see `frames.LocalSink`."""
        return self._folder.finish()

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        self._folder.__exit__(kind, *rest)
        if kind is not None:
            return
        try:
            (written,) = self._folder.path.iterdir()
            written.replace(self.path)
        finally:
            remove(self._folder.path)


def is_picture(path: Path) -> bool:
    """Whether the name is that of a picture file."""
    return path.suffix.lower() in SUFFIXES


def _format(path: Path) -> str:
    suffix = path.suffix.lower()
    return _SAME_FORMAT.get(suffix, suffix)
