"""The veiled frames as a video, with the audio and the times of the video they were split from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

from faceveil.errors import InputError
from faceveil.files import file_digest
from faceveil.frame_range import FrameRange
from faceveil.jobs.job import VideoSpec
from faceveil.jobs.job_run import JobRun
from faceveil.media.frames import EncodeOptions, Frame, FrameSource
from faceveil.media.s3_frames import S3Frames
from faceveil.media.s3_keys import FramePart
from faceveil.media.video import VideoSource
from faceveil.media.video_sink import VideoSink

_ENCODER_THREADS = 8
"""Not as many as there are cores: the same frames must make the same file on every machine."""


def assemble(run: JobRun, video: VideoSpec, first_name: str, frame_count: int) -> str:
    """Write the job's video. Returns the SHA-256 (hex) of its content.

    Needs room for the source video and the new one in `run.scratch`. Raises InputError when the
    source video does not have the frames, OutputError when there is no room or S3 refuses.
    """
    part = FramePart(first_name, FrameRange(0, frame_count))
    frames = S3Frames(run.bucket.folder(run.job.output_prefix), part)
    with TemporaryDirectory(dir=run.scratch, prefix=f"{run.job.id}-") as folder:
        output = Path(folder, f"output{PurePosixPath(video.key).suffix}")
        source = None
        if run.job.source_video is not None:
            source = Path(folder, f"source{PurePosixPath(run.job.source_video).suffix}")
            run.bucket.download(run.job.source_video, source)
        assemble_pictures(frames, source, output, video.encode)
        run.bucket.upload(video.key, output)
        return file_digest(output).removeprefix("sha256:")


def assemble_pictures(
    frames: FrameSource, source: Path | None, output: Path, options: EncodeOptions
) -> None:
    """Encode pictures as a video: at the times of the `source` video and with all else that is in
    it, or at `options.rate` frames per second. Raises InputError as `assemble`.
    """
    options = replace(options, threads=_ENCODER_THREADS)
    if source is not None:
        _with_source(VideoSource(source), frames, output, options)
        return
    with VideoSink(output, frames, options) as sink:
        for frame in frames:
            sink.write(frame, changed=True)


def _with_source(
    source: VideoSource, frames: FrameSource, output: Path, options: EncodeOptions
) -> None:
    if (source.width, source.height) != (frames.width, frames.height):
        raise InputError(
            f"source_video is {source.width} x {source.height}, the frames are {frames.width} x "
            f"{frames.height}: name the video that they were split from, or none"
        )
    decoded = iter(source)
    with VideoSink(output, source, options) as sink:
        for frame in _aligned(frames):
            shown = next(decoded, None)
            if shown is None:
                raise _differs(frames)
            if frame is not None:
                shown.replace(frame.rgb())
                sink.write(shown, changed=True)
        if next(decoded, None) is not None:
            raise _differs(frames)


def _aligned(frames: FrameSource) -> Iterator[Frame | None]:
    """The frames, and None for each that is lost."""
    number = 0
    for frame in frames:
        while number < frame.number:
            yield None
            number += 1
        yield frame
        number += 1
    for _ in range(number, frames.frame_count or 0):
        yield None


def _differs(frames: FrameSource) -> InputError:
    return InputError(
        f"source_video does not have as many frames as there are, {frames.frame_count}: name the "
        "video that they were split from, or none and frames.rate"
    )
