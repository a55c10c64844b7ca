"""A video on standard input or output.

An input is read several times (analysis, rendering, verification), and an output is looked at
before it is published, so both lie in a temporary file meanwhile.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import BinaryIO

from faceveil.errors import InputError, OutputError
from faceveil.media.frames import EncodeOptions, FrameSource
from faceveil.media.video import VideoSource
from faceveil.media.video_sink import VideoSink

PIPE = "-"
"""The name of standard input or output."""

_STDOUT = "stdout.mkv"
_BLOCK = 1 << 20
_SPARE = 64 << 20
"""Bytes of the disk that are left free."""


class PipedSource(VideoSource):
    """A video that is read from a stream into a temporary file; see `video.VideoSource`.

    Parameters
    ----------
    stream
        What is read to its end; standard input by default.
    threads, hwaccel
        As of a `VideoSource`.

    Raises
    ------
    InputError
        When there is nothing on the stream, no room for it, or it is not a video.
    """

    def __init__(
        self, stream: BinaryIO | None = None, threads: int = 0, hwaccel: str | None = None
    ) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="faceveil-")
        path = Path(self._folder.name, "stdin")
        try:
            _spool(stream or sys.stdin.buffer, path)
            super().__init__(path, threads, hwaccel)
        except BaseException as error:
            self._folder.cleanup()
            if isinstance(error, InputError):
                raise InputError(str(error).replace(str(path), "standard input")) from error
            raise


class PipedSink(VideoSink):
    """A video that goes to a stream as Matroska once it is complete; see `video_sink.VideoSink`.

    What verification refuses never reaches the stream.
    """

    def __init__(
        self, source: FrameSource, options: EncodeOptions, stream: BinaryIO | None = None
    ) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="faceveil-")
        self._stream = stream or sys.stdout.buffer
        super().__init__(Path(self._folder.name, _STDOUT), source, options)

    def __exit__(self, kind: type[BaseException] | None, *details: object) -> None:
        super().__exit__(kind, *details)
        if kind is not None or self.path.name != _STDOUT:  # renamed, since it shows a face
            return
        try:
            with self.path.open("rb") as file:
                shutil.copyfileobj(file, self._stream, _BLOCK)
            self._stream.flush()
        except OSError as error:
            raise OutputError(f"standard output: {error.strerror or error}") from error


def _spool(stream: BinaryIO, path: Path) -> None:
    """Copy a stream into a file as long as there is room. Raises InputError."""
    with path.open("wb") as file:
        while block := stream.read(_BLOCK):
            disk = os.statvfs(path.parent)
            if disk.f_bavail * disk.f_frsize < len(block) + _SPARE:
                raise InputError(
                    f"standard input: no room for it in {path.parent.parent}; save it as a file, "
                    "or set TMPDIR to a folder on a larger disk"
                )
            file.write(block)
        if not file.tell():
            raise InputError("standard input: there is nothing on it")
