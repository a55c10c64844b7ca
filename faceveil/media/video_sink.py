"""Frames into a video file, with everything but the pictures kept from the source."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.error import FFmpegError
from numpy.typing import NDArray

from faceveil.errors import OutputError
from faceveil.media.accompaniment import Accompaniment, Planner
from faceveil.media.containers import Container, container_of
from faceveil.media.decoded_frame import DecodedFrame
from faceveil.media.demux import open_input
from faceveil.media.encoders import choose_encoder
from faceveil.media.frames import EncodeOptions, Frame, FrameSource, Loss
from faceveil.media.layout import LIMITED, picture_layout
from faceveil.media.publish import output_error, remove
from faceveil.media.room import video_bytes
from faceveil.media.splice import Copies, Splice, copied_groups
from faceveil.media.trial import is_accepted, try_out
from faceveil.media.video import VideoSource
from faceveil.media.writer import VideoWriter, WritingPlan
from faceveil.paths import check_room, temporary_beside


class VideoSink:
    """Encodes frames into a video file; see `frames.FrameSink`.

    From a video source it keeps the time of every frame, sound and subtitles (bit for bit where
    the container can hold them), fonts attached for subtitles, colour tags, HDR10 properties,
    interlacing, sample aspect ratio, rotation, chapters and tags. What cannot be kept is named in
    `losses`. Covers, other videos, data and pictures in tags are left out, since they were not
    looked at. Times in .mkv and .webm are whole milliseconds, since FFmpeg writes no finer ones.
    Pictures become a video of `options.rate` frames per second. A size that 4:2:0 cannot hold
    (odd) is stored as 4:4:4.

    Parameters
    ----------
    path
        The output, whose extension names its kind (`containers`).
    source
        What the frames come from.
    options
        Encoder, quality, and what comes with the pictures.

    Raises
    ------
    UsageError
        When the extension is not known, the encoder cannot be opened on this machine or the
        container refuses what it would hold: tried with one packet of each stream, before any
        frame is asked for.
    OutputError
        When writing fails.
    """

    def __init__(self, path: Path, source: FrameSource, options: EncodeOptions) -> None:
        self.path = path
        self._source = source
        self._temporary = temporary_beside(path)
        self._frames = 0
        self._finished = False
        plan = _plan(path, container_of(path), source, options, self._temporary)
        self.needed = video_bytes(source, plan.encoder, options)
        check_room(path, self.needed, "the video")
        self._plan, tag_losses = try_out(plan, path, self._temporary)
        self._losses = [
            *plan.encoder.losses,
            *plan.accompaniment.losses,
            *tag_losses,
        ]
        self._writer = VideoWriter(self._plan, self._temporary)
        self._splice: Splice | None = None
        self.copies: Copies | None = None
        """The frames that are copied, to be compared with the output; None where none is."""

    @property
    def losses(self) -> list[Loss]:
        """Properties of the source that the output does not keep; see `frames.FrameSink`."""
        losses = [*self._losses, *_source_losses(self._source)]
        if self._writer.moved:
            why = "they are shown at less than the container's unit of time after another"
            losses.append(Loss(f"the exact times of {self._writer.moved} frames", why))
        return losses

    def copy_unchanged(self, changed: NDArray[np.bool_]) -> None:
        """Copy groups of pictures in which nothing changes, where that is known to be safe.

        Call it before the sink is entered.

        Parameters
        ----------
        changed
            Bool [n]: which of all frames of the source will be written with changes.
        """
        groups = copied_groups(self._plan, changed)
        if groups is not None and is_accepted(self._plan, groups, self._temporary):
            self.copies = Copies(groups.copied)
            self._splice = Splice(self._plan, groups)
            self._writer = VideoWriter(self._plan, self._temporary, self._splice)

    def __enter__(self) -> VideoSink:
        try:
            self._writer.open()
        except (OSError, FFmpegError) as error:
            self._abort()
            raise self._failed(error) from error
        except BaseException:
            self._abort()
            raise
        return self

    def write(self, frame: Frame, changed: bool) -> None:
        """Store the next frame: encoded, or as the source has it where its group is copied.

        Raises OutputError where a frame that is to be copied was changed.
        """
        if self.copies is not None and self.copies.holds(frame.number):
            if changed or not isinstance(frame, DecodedFrame):
                raise OutputError(f"{self.path}: frame {frame.number} changed but was to be copied")
            self.copies.add(frame)
        self._write(self._picture(frame))
        self._frames += 1

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            self._abort()
            return
        try:
            self.finish()
            self._temporary.replace(self.path)
        except OSError as error:
            self._abort()
            raise self._failed(error) from error
        except BaseException:
            self._abort()
            raise

    def finish(self) -> Path:
        """Complete the file under its hidden name; see `frames.LocalSink`."""
        if self._finished:
            return self._temporary
        if not self._frames:
            raise OutputError(f"{self.path}: no frame was written to it")
        self._write(None)
        try:
            self._writer.finish()
        except (OSError, FFmpegError) as error:
            raise self._failed(error) from error
        if self._splice is not None and not self._splice.is_whole(self._temporary):
            raise OutputError(f"{self.path}: the pictures copied into it cannot be read as written")
        self._finished = True
        return self._temporary

    def _picture(self, frame: Frame) -> av.VideoFrame:
        layout, encoder = self._plan.layout, self._plan.encoder
        if isinstance(frame, DecodedFrame):
            picture = frame.stored()
        else:
            picture = av.VideoFrame.from_ndarray(frame.rgb(), "rgb24")
            picture = layout.convert(
                picture, layout.pixel_format, dst_colorspace=1, dst_color_range=LIMITED
            )
            picture.pts, picture.time_base = frame.number, self._plan.time_base
        if picture.format.name != encoder.pixel_format:
            picture = layout.convert(picture, encoder.pixel_format)
        return picture

    def _write(self, picture: av.VideoFrame | None) -> None:
        try:
            self._writer.write(picture)
        except (OSError, FFmpegError) as error:
            raise self._failed(error) from error

    def _failed(self, error: OSError | FFmpegError) -> OutputError:
        total = self._source.frame_count
        share = min(1.0, self._frames / total) if total else None
        return output_error(self.path, error, self._writer.written, share)

    def _abort(self) -> None:
        # Removed before closing: else FFmpeg would complete the file, which can take long.
        with suppress(OSError):
            remove(self._temporary)
        with suppress(FFmpegError, OSError):
            self._writer.close()
        remove(self._temporary)


def _plan(
    path: Path,
    container: Container,
    source: FrameSource,
    options: EncodeOptions,
    scratch: Path,
) -> WritingPlan:
    """What will be written; the scratch file is used for trials of single tracks."""
    side_data: Mapping[str, bytes] = {}
    field_order, time_base = 0, Fraction(1) / options.rate
    video, accompaniment = None, Accompaniment()
    layout = picture_layout(source.width, source.height)
    if isinstance(source, VideoSource):
        video, layout, time_base = source, source.layout, source.time_base
        side_data, field_order = source.side_data, source.field_order
        with open_input(source.path) as opened:
            planner = Planner(opened, source.stream_index, path, container, options, scratch)
            accompaniment = planner.plan()
    encoder = choose_encoder(options, container, layout, side_data, field_order)
    rate = source.rate or options.rate
    return WritingPlan(container, encoder, layout, time_base, rate, options, video, accompaniment)


def _source_losses(source: FrameSource) -> list[Loss]:
    """What the frames lost before they came here."""
    if not isinstance(source, VideoSource):
        return []
    losses = []
    if source.has_alpha_aside:
        losses.append(Loss("transparency (alpha)", "it lies beside the pictures of VP8 and VP9"))
    if len(source.sizes) > 1:
        sizes = ", ".join(f"{width}x{height}" for width, height in source.sizes)
        shown = f"{source.layout.width}x{source.layout.height}"
        change = f"the change of picture size ({sizes})"
        losses.append(Loss(change, f"every frame is scaled to {shown}"))
    return losses
