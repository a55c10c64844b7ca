"""Frames into a folder of pictures."""

from __future__ import annotations

from pathlib import Path

from faceveil.errors import OutputError, UsageError
from faceveil.media.folder import SUFFIXES, FolderSource
from faceveil.media.frames import Frame, FrameSource, Loss
from faceveil.media.losses import LossList
from faceveil.media.paged_picture import PagedPicture
from faceveil.media.picture_encode import Encoded
from faceveil.media.publish import output_error, remove, replace_folder
from faceveil.media.room import pictures_bytes
from faceveil.media.stored_frame import StoredFrame, encode_frame, frame_name
from faceveil.paths import check_room, temporary_beside


class FolderSink:
    """Stores frames as pictures in a new folder; see `frames.FrameSink`.

    Pictures keep their names, sub-folders and formats: one that did not change is copied byte for
    byte, without what the file holds beside it, PNG is bit-exact outside what changed, JPEG keeps
    the source's quantisation tables. A file of several pictures is written with its last one.
    Frames of a video become img0000001.png and so on, numbered from 1 as FFmpeg does.

    The folder appears when all is done. It must not exist before, or be empty: new and old
    pictures are never mixed. Raises UsageError otherwise, OutputError when writing fails.

    Parameters
    ----------
    path
        The folder.
    source
        Where the frames come from.
    strip_metadata
        Leave out who made a picture, where, when and with what.
    overwrite
        Replace a folder that holds nothing but pictures.
    """

    def __init__(
        self,
        path: Path,
        source: FrameSource,
        *,
        strip_metadata: bool = False,
        overwrite: bool = False,
    ) -> None:
        if path.exists() and not path.is_dir():
            raise UsageError(f"{path}: is a file; name a folder for the pictures")
        if path.exists() and any(path.iterdir()):
            _check_replaceable(path, overwrite)
        self.path = path
        self.needed = pictures_bytes(source)
        check_room(path, self.needed, "the output")
        self._source = source
        self._strip = strip_metadata
        self._temporary = temporary_beside(path)
        self._written = 0
        self._frames = 0
        self._losses = LossList()
        self._paged: PagedPicture | None = None

    @property
    def losses(self) -> list[Loss]:
        """See `frames.FrameSink`; files of the input folder that are no pictures come first."""
        left_out = self._source.left_out if isinstance(self._source, FolderSource) else []
        return [*left_out, *self._losses]

    def __enter__(self) -> FolderSink:
        try:
            self._temporary.mkdir()
        except OSError as error:
            raise self._failed(error) from error
        return self

    def write(self, frame: Frame, changed: bool) -> None:
        try:
            encoded = self._encoded(frame, changed)
            if encoded is not None:
                self._store(frame_name(frame), encoded)
        except OSError as error:
            raise self._failed(error) from error
        self._frames += 1

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            remove(self._temporary)
            return
        try:
            self.finish()
            replace_folder(self._temporary, self.path)
        except OSError as error:
            raise self._failed(error) from error
        finally:
            remove(self._temporary)

    def finish(self) -> Path:
        """The hidden folder, which holds all pictures; see `frames.LocalSink`."""
        if not self._frames:
            raise OutputError(f"{self.path}: no frame was written to it")
        return self._temporary

    def _encoded(self, frame: Frame, changed: bool) -> Encoded | None:
        """The file to write now; None while pictures of the file are still to come."""
        if not isinstance(frame, StoredFrame) or frame.pages == 1:
            return encode_frame(frame, changed, self._strip)
        if frame.page == 0:
            self._paged = PagedPicture(frame.content(), self._strip)
        assert self._paged is not None, "pages come in their order"
        self._paged.add(frame.picture, changed)
        return self._paged.finish() if frame.page == frame.pages - 1 else None

    def _store(self, name: str, encoded: Encoded) -> None:
        path = self._temporary / (name + encoded.suffix)
        if "/" in name:
            path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encoded.content)
        self._written += len(encoded.content)
        self._losses.add(name, encoded.losses)

    def _failed(self, error: OSError) -> OutputError:
        total = self._source.frame_count
        share = min(1.0, self._frames / total) if total else None
        return output_error(self.path, error, self._written, share)


def _check_replaceable(path: Path, overwrite: bool) -> None:
    """Raise UsageError for a folder that holds something, unless it is to be overwritten.

    Only a folder of pictures is: a slip of the finger must not delete anything else.
    """
    if not overwrite:
        raise UsageError(
            f"{path}: exists and is not an empty folder; remove it, replace it with --overwrite, "
            "or choose a new one, so that old and new pictures are never mixed"
        )
    for item in path.rglob("*"):
        if not item.is_dir() and item.suffix.lower() not in SUFFIXES:
            raise UsageError(
                f"{path}: is not replaced, since it holds {item.relative_to(path)}, which is no "
                "picture; choose another folder"
            )
