"""Frames into a folder of pictures."""

from __future__ import annotations

from pathlib import Path

from faceveil.errors import OutputError, UsageError
from faceveil.media.frames import Frame, FrameSource, Loss
from faceveil.media.publish import output_error, remove, temporary_beside
from faceveil.media.stored_frame import encode_frame, frame_name


class FolderSink:
    """Stores frames as pictures in a new folder; see `frames.FrameSink`.

    Pictures keep their names and formats: one that did not change is copied byte for byte, PNG is
    bit-exact outside what changed, JPEG keeps the source's quantisation tables. Frames of a video
    become img0000001.png and so on, numbered from 1 as FFmpeg does.

    The folder appears when all is done. It must not exist before, or be empty: new and old
    pictures are never mixed. Raises UsageError otherwise, OutputError when writing fails.
    """

    def __init__(self, path: Path, source: FrameSource) -> None:
        if path.exists() and (not path.is_dir() or any(path.iterdir())):
            raise UsageError(
                f"{path}: exists and is not an empty folder; remove it or choose a new one, "
                "so that old and new pictures are never mixed"
            )
        self.path = path
        self.losses: list[Loss] = []
        self._source = source
        self._temporary = temporary_beside(path)
        self._written = 0
        self._frames = 0

    def __enter__(self) -> FolderSink:
        try:
            self._temporary.mkdir()
        except OSError as problem:
            raise self._failed(problem) from problem
        return self

    def write(self, frame: Frame, changed: bool) -> None:
        try:
            content = encode_frame(frame, changed)
            (self._temporary / frame_name(frame)).write_bytes(content)
            self._written += len(content)
        except OSError as problem:
            raise self._failed(problem) from problem
        self._frames += 1

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            remove(self._temporary)
            return
        try:
            self.finish()
            if self.path.exists():
                self.path.rmdir()
            self._temporary.rename(self.path)
        except OSError as problem:
            raise self._failed(problem) from problem
        finally:
            remove(self._temporary)

    def finish(self) -> Path:
        """The hidden folder, which holds all pictures; see `frames.LocalSink`."""
        if not self._frames:
            raise OutputError(f"{self.path}: no frame was written to it")
        return self._temporary

    def _failed(self, problem: OSError) -> OutputError:
        total = self._source.frame_count
        share = min(1.0, self._frames / total) if total else None
        return output_error(self.path, problem, self._written, share)
