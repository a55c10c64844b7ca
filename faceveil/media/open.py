"""From a path to frames, and from frames to a path: a video file or a folder of pictures.

Frames are read from S3, too. Into S3 they are written by jobs alone (`s3_sink`): a local output is
looked at under a hidden name and then renamed, and S3 cannot rename.
"""

from __future__ import annotations

import mimetypes
import re
from pathlib import Path

from faceveil.errors import InputError, UsageError
from faceveil.media.folder import FolderSource
from faceveil.media.folder_sink import FolderSink
from faceveil.media.frames import EncodeOptions, FrameSource, LocalSink
from faceveil.media.publish import check_destination
from faceveil.media.video import VideoSource
from faceveil.media.containers import CONTAINERS
from faceveil.media.video_sink import VideoSink

_S3 = re.compile(r"s3:/+(?=[^/])")  # pathlib makes one slash of the two in s3://


def open_source(path: Path, stills: bool = False, recursive: bool = False) -> FrameSource:
    """A folder of pictures, frames under a prefix of S3 (s3://bucket/prefix), or a video file.

    `stills` says that the pictures are unrelated: any names, each its own size; with `recursive`
    those of the folders below are read, too. Raises InputError
    when there is nothing at the path or it cannot be used, UsageError for stills of a video or
    of S3.
    """
    if _S3.match(str(path)):
        if stills:
            raise UsageError(f"{path}: stills are read from a folder, not from S3")
        return _open_s3(_S3.sub("s3://", str(path), count=1))
    if not path.exists():
        raise InputError(f"{path}: there is no such file or folder")
    if path.is_dir():
        return FolderSource(path, stills, recursive=recursive)
    if stills:
        raise UsageError(f"{path}: stills are a folder of pictures, not a file")
    return VideoSource(path)


def open_sink(path: Path, source: FrameSource, options: EncodeOptions | None = None) -> LocalSink:
    """A video file where the path ends in one's extension, else a folder of pictures.

    Raises UsageError when the output would be the input, is not empty or of an unknown kind, and
    OutputError when it cannot be written.
    """
    if _S3.match(str(path)):
        raise UsageError(
            f"{path}: this command writes a video file or a folder of this machine; jobs write to "
            "S3, or copy the folder there"
        )
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
    return FolderSink(path, source, strip_metadata=options is not None and options.strip_metadata)


def _open_s3(address: str) -> FrameSource:
    try:
        from faceveil.aws.s3 import S3Location
        from faceveil.media.s3_frames import S3Frames
    except ModuleNotFoundError as problem:
        raise UsageError(f"{address}: S3 needs boto3: pip install 'faceveil[aws]'") from problem
    return S3Frames(S3Location.open(address))
