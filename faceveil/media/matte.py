"""Mattes: black-and-white frames that are white where a frame is veiled, for editing programs.

A matte has the frames, times, size and rotation of the video it belongs to. As a video it is ProRes
422 HQ in QuickTime, which Premiere, Resolve and After Effects read: black and white within one of
255 levels. As pictures it is PNG, exactly.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Protocol

import av
import cv2
import numpy as np
from av.error import FFmpegError
from numpy.typing import NDArray

from faceveil.errors import OutputError, UsageError
from faceveil.media.containers import CONTAINERS
from faceveil.media.decoded_frame import DecodedFrame
from faceveil.media.encoders import Encoder
from faceveil.media.frames import BT709, EncodeOptions, Frame, FrameSource, LocalSink
from faceveil.media.layout import (
    LIMITED,
    ColourTags,
    VideoLayout,
    peak_of,
    picture_layout,
    samples,
)
from faceveil.media.publish import check_destination, output_error, remove, replace_folder
from faceveil.media.room import matte_bytes
from faceveil.media.stored_frame import StoredFrame, frame_name
from faceveil.media.video import VideoSource
from faceveil.media.writer import VideoWriter, WritingPlan
from faceveil.paths import check_room, on_one_disk, temporary_beside

Matte = NDArray[np.uint8]
FRAMES_PER_SECOND = Fraction(25)
"""Of mattes of pictures."""
_BLACK, _WHITE, _GREY = 64, 940, 512  # of 10 bits (ITU-R BT.709)
_BT709 = ColourTags(1, 1, 1, LIMITED)


class MatteSink(Protocol):
    """Where mattes go, in the order of the frames. A context manager like `frames.FrameSink`."""

    path: Path

    def write(self, frame: Frame, matte: Matte) -> None:
        """Store the matte of a frame, uint8 [height, width] of the upright frame."""
        ...

    def __enter__(self) -> MatteSink: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
        /,
    ) -> None: ...


def open_matte(
    path: Path | str,
    source: FrameSource,
    *,
    rate: Fraction = FRAMES_PER_SECOND,
    output: LocalSink | None = None,
) -> MatteSink:
    """Return where mattes go: a .mov file, or a folder of PNG files.

    Parameters
    ----------
    path
        A name that ends in .mov, or that of a folder (with a slash at its end, without an
        extension, or of a folder that is there).
    source
        The frames that the mattes belong to.
    rate
        Frames per second of a matte of pictures; that of a video has the times of its frames.
    output
        The output that is written at the same time, for which there has to be room, too.

    Raises
    ------
    UsageError
        When the extension is another, or pictures of different sizes would become a video.
    OutputError
        When the place cannot be written to, or has no room.
    """
    is_folder = str(path).endswith("/")
    path = Path(path)
    check_destination(path, source.path)
    is_folder = is_folder or path.is_dir() or not path.suffix
    needed = matte_bytes(source, is_video=not is_folder)
    if output is not None and on_one_disk(path, output.path):
        check_room(path, needed + output.needed, "the matte with the output")
    else:
        check_room(path, needed, "the matte")
    if is_folder:
        return _MatteFolder(path)
    if path.suffix.lower() != ".mov":
        raise UsageError(
            f"{path}: a matte is a .mov file (ProRes), or a folder of PNG files with a slash at "
            "its end"
        )
    if source.kind == "stills":
        raise UsageError(f"{path}: unrelated pictures make no video; name a folder: mattes/")
    return _MatteVideo(path, source, rate)


class _MatteVideo:
    """Encodes mattes as ProRes 422 HQ; 4:4:4:4 profile where the width is odd."""

    def __init__(self, path: Path, source: FrameSource, rate: Fraction) -> None:
        self.path = path
        self._temporary = temporary_beside(path)
        self._frames = 0
        layout, time_base, video = picture_layout(source.width, source.height), 1 / rate, None
        if isinstance(source, VideoSource):
            layout, time_base, video = source.layout, source.time_base, source
        self._layout = _matte_layout(layout)
        self._time_base = time_base
        is_fine = self._layout.pixel_format.startswith("yuv444")
        encoder = Encoder(
            "prores_ks",
            "prores",
            self._layout.pixel_format,
            {"profile": "4" if is_fine else "3", "vendor": "apl0"},
        )
        self._writer = VideoWriter(
            WritingPlan(
                CONTAINERS[".mov"],
                encoder,
                self._layout,
                time_base,
                source.rate or rate,
                EncodeOptions(strip_metadata=True),
                video,
            ),
            self._temporary,
        )

    def __enter__(self) -> _MatteVideo:
        try:
            self._writer.open()
        except (OSError, FFmpegError) as error:
            self._abort()
            raise output_error(self.path, error, 0, None) from error
        return self

    def write(self, frame: Frame, matte: Matte) -> None:
        """See `MatteSink`."""
        picture = av.VideoFrame(self._layout.width, self._layout.height, self._layout.pixel_format)
        upright = self._layout.orientation.view(samples(picture.planes[0], peak_of(picture)))
        upright[...] = _LUMA[matte]
        for plane in picture.planes[1:]:
            samples(plane, peak_of(picture))[...] = _GREY
        picture.time_base = self._time_base
        if isinstance(frame, DecodedFrame):
            picture.pts = round(frame.time / self._time_base)
        else:
            picture.pts = frame.number
        try:
            self._writer.write(picture)
        except (OSError, FFmpegError) as error:
            raise output_error(self.path, error, self._writer.written, None) from error
        self._frames += 1

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            self._abort()
            return
        try:
            if not self._frames:
                raise OutputError(f"{self.path}: no frame was written to it")
            self._writer.write(None)
            self._writer.finish()
            self._temporary.replace(self.path)
        except (OSError, FFmpegError) as error:
            self._abort()
            raise output_error(self.path, error, self._writer.written, None) from error
        except BaseException:
            self._abort()
            raise

    def _abort(self) -> None:
        with suppress(FFmpegError, OSError):
            self._writer.close()
        remove(self._temporary)


_LUMA = np.rint(_BLACK + np.arange(256) * ((_WHITE - _BLACK) / 255)).astype(np.uint16)


def _matte_layout(layout: VideoLayout) -> VideoLayout:
    """The size and rotation of a layout in the format that mattes are stored in."""
    pixel_format = "yuv444p10le" if layout.width % 2 else "yuv422p10le"
    return replace(layout, pixel_format=pixel_format, tags=_BT709, matrix=1, coding=BT709)


class _MatteFolder:
    """Stores mattes as PNG files, named as the pictures they belong to."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._temporary = temporary_beside(path)
        self._written = 0

    def __enter__(self) -> _MatteFolder:
        try:
            self._temporary.mkdir()
        except OSError as error:
            raise output_error(self.path, error, 0, None) from error
        return self

    def write(self, frame: Frame, matte: Matte) -> None:
        """See `MatteSink`."""
        path = self._temporary / _matte_name(frame)
        content = cv2.imencode(".png", matte)[1].tobytes()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        except OSError as error:
            raise output_error(self.path, error, self._written, None) from error
        self._written += len(content)

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                replace_folder(self._temporary, self.path)
        except OSError as error:
            raise output_error(self.path, error, self._written, None) from error
        finally:
            remove(self._temporary)


def _matte_name(frame: Frame) -> str:
    """img0000001.jpg becomes img0000001.png; other pictures keep all of their name."""
    name = frame_name(frame)
    if isinstance(frame, StoredFrame) and frame.pages > 1:
        name = f"{name}-{frame.page + 1}"
    stem = Path(name).stem
    if stem.startswith("img") and stem[3:].isdecimal():
        return str(Path(name).with_suffix(".png"))
    return name if name.endswith(".png") else f"{name}.png"
