"""From a path to frames, and from frames to a path: a video file or a folder of pictures."""

from __future__ import annotations

import mimetypes
from pathlib import Path

from faceveil.errors import InputError, UsageError
from faceveil.media.folder import FolderSource
from faceveil.media.folder_sink import FolderSink
from faceveil.media.frames import EncodeOptions, FrameSource, LocalSink
from faceveil.media.publish import check_destination
from faceveil.media.video import VideoSource
from faceveil.media.video_sink import CONTAINERS, VideoSink


def open_source(path: Path, stills: bool = False) -> FrameSource:
    """A folder of pictures, or else a video file.

    `stills` says that the pictures are unrelated: any names, each its own size. Raises InputError
    when there is nothing at the path or it cannot be used, UsageError for stills of a video.
    """
    if not path.exists():
        raise InputError(f"{path}: there is no such file or folder")
    if path.is_dir():
        return FolderSource(path, stills)
    if stills:
        raise UsageError(f"{path}: stills are a folder of pictures, not a file")
    return VideoSource(path)


def open_sink(path: Path, source: FrameSource, options: EncodeOptions | None = None) -> LocalSink:
    """A video file where the path ends in one's extension, else a folder of pictures.

    Raises UsageError when the output would be the input, is not empty or of an unknown kind, and
    OutputError when it cannot be written.
    """
    check_destination(path, source.path)
    if path.suffix.lower() in CONTAINERS:
        if path.is_dir():
            raise UsageError(f"{path}: is a folder; give the video another name")
        if source.kind == "stills":
            raise UsageError(f"{path}: unrelated pictures make no video; name an output folder")
        return VideoSink(path, source, options or EncodeOptions())
    kind = mimetypes.guess_type(path.name)[0] or ""
    if kind.startswith(("video/", "image/")) and not path.is_dir():
        raise UsageError(
            f"{path}: a video is written as one of {', '.join(CONTAINERS)}, "
            "or as pictures into a folder"
        )
    return FolderSink(path, source)
