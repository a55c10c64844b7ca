"""From a path to frames, and from frames to a path: a video file or a folder of pictures.

Frames are read from S3, too. Into S3 they are written by jobs alone (`s3_sink`): a local output is
looked at under a hidden name and then renamed, and S3 cannot rename.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from faceveil.errors import UsageError
from faceveil.media.containers import CONTAINERS, container_of
from faceveil.media.folder import FolderSource
from faceveil.media.folder_sink import FolderSink
from faceveil.media.frames import EncodeOptions, FrameSource, LocalSink
from faceveil.media.pipes import PIPE, PipedSink, PipedSource
from faceveil.media.publish import check_destination
from faceveil.media.single_picture import SinglePictureSink, is_picture
from faceveil.media.video import VideoSource
from faceveil.media.video_sink import VideoSink
from faceveil.paths import missing

_S3 = re.compile(r"s3:/+(?=[^/])")  # pathlib makes one slash of the two in s3://


def open_source(
    path: Path | str,
    stills: bool = False,
    recursive: bool = False,
    hwaccel: str | None = None,
    *,
    gaps: bool = False,
) -> FrameSource:
    """The frames at a path.

    Parameters
    ----------
    path
        A video file, a picture file, a folder of pictures, frames under a prefix of S3
        (s3://bucket/prefix), `-` for a video on standard input, or another pipe with a video.
    stills
        The pictures are unrelated: any names, each its own size.
    recursive
        Read stills of the folders below, too.
    hwaccel
        The kind of device that decodes a video, as FFmpeg names it (`cuda`, `qsv`).
    gaps
        Numbers of frames in a folder may be missing.

    Raises
    ------
    InputError
        When there is nothing at the path or it cannot be used.
    UsageError
        For stills of a video or of S3, and for a device that this machine does not have.
    """
    path = _path(path)
    if _S3.match(str(path)):
        if stills:
            raise UsageError(f"{path}: stills are read from a folder, not from S3")
        return _open_s3(_S3.sub("s3://", str(path), count=1))
    is_pipe = str(path) == PIPE
    if not is_pipe and not path.exists():
        raise missing(path)
    if path.is_dir():
        return FolderSource(path, stills, recursive=recursive, gaps=gaps)
    if is_picture(path):
        return FolderSource(path, stills=True)
    if stills:
        raise UsageError(f"{path}: stills are pictures, not a video")
    if is_pipe or path.is_fifo():
        return PipedSource(None if is_pipe else path.open("rb"), hwaccel=hwaccel)
    return VideoSource(path, hwaccel=hwaccel)


def open_sink(
    path: Path | str,
    source: FrameSource,
    options: EncodeOptions | None = None,
    *,
    overwrite: bool = False,
) -> LocalSink:
    """Where frames go: a video file, or a folder of pictures.

    Parameters
    ----------
    path
        A video file where it ends in a known extension (`containers.CONTAINERS`), a picture where
        the source is one. A folder where
        there is one, where it ends in a slash, and where frames from a folder go to a name without
        an extension; a `Path`, which has lost its slash, is one for frames of a video, too. `-`
        is Matroska on standard output.
    source
        What the frames come from.
    options
        How a video is stored.
    overwrite
        Whether a folder of pictures may be replaced; a video always is, once the new one is
        complete.

    Raises
    ------
    UsageError
        When the output would be the input, is not empty or of an unknown kind, or a container
        cannot hold what it would.
    OutputError
        When the output cannot be written.
    """
    is_folder = _is_folder(path, source)
    path = _path(path)
    options = options or EncodeOptions()
    if _S3.match(str(path)):
        raise UsageError(
            f"{path}: this command writes a video file or a folder of this machine; jobs write to "
            "S3, or copy the folder there"
        )
    if str(path) == PIPE:
        if source.kind == "stills":
            raise UsageError("-: standard output takes a video; name a file or a folder")
        return PipedSink(source, options)
    check_destination(path, source.path)
    if is_picture(path) and not is_folder:
        if isinstance(source, FolderSource) and source.path.is_file():
            return SinglePictureSink(path, source, strip_metadata=options.strip_metadata)
        raise UsageError(f"{path}: {source.path} is more than one picture; name a folder")
    if path.suffix.lower() in CONTAINERS and path.is_dir():
        raise UsageError(f"{path}: is a folder; give the video another name")
    if is_folder:
        return FolderSink(path, source, strip_metadata=options.strip_metadata, overwrite=overwrite)
    if not path.suffix:
        raise UsageError(
            f"{path}: is it a video or a folder? Name a video with an extension "
            f"({', '.join(CONTAINERS)}), a folder of pictures with a slash at its end: {path}/"
        )
    container_of(path)
    if source.kind == "stills" and source.path.is_file():
        suffix = source.path.suffix.lower()
        raise UsageError(f"{path}: a picture keeps its format; name the output *{suffix}")
    if source.kind == "stills":
        raise UsageError(f"{path}: unrelated pictures make no video; name an output folder")
    return VideoSink(path, source, options)


def _path(path: Path | str) -> Path:
    if not str(path).strip():
        raise UsageError("an empty name: name a file or a folder")
    return Path(path)


def _is_folder(path: Path | str, source: FrameSource) -> bool:
    if str(path).endswith(("/", os.sep)) or Path(path).is_dir():
        return True
    has_lost_its_slash = isinstance(path, Path) or source.kind != "video"
    return has_lost_its_slash and not Path(path).suffix and str(path) != PIPE


def _open_s3(address: str) -> FrameSource:
    try:
        from faceveil.aws.s3 import S3Location
        from faceveil.media.s3_frames import S3Frames
    except ModuleNotFoundError as error:
        raise UsageError(f"{address}: S3 needs boto3: pip install 'faceveil[aws]'") from error
    return S3Frames(S3Location.open(address))
