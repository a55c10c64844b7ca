"""`faceveil aws assemble`: veiled frames and the source's audio as a video, on this machine."""

from __future__ import annotations

from argparse import Namespace

from faceveil.cli.aws.submit import rate_of
from faceveil.errors import InputError, UsageError
from faceveil.jobs.steps.assemble import assemble_pictures
from faceveil.media.folder import FolderSource
from faceveil.media.frames import EncodeOptions
from faceveil.media.publish import check_destination
from faceveil.media.video_sink import CONTAINERS


def assemble(options: Namespace) -> int:
    """Write the video; the exit code."""
    if (options.source is None) == (options.rate is None):
        raise UsageError("when is each frame shown? Give either --source VIDEO or --rate FPS")
    if options.output.suffix.lower() not in CONTAINERS:
        raise UsageError(f"{options.output}: a video is written as one of {', '.join(CONTAINERS)}")
    if options.source is not None and not options.source.is_file():
        raise InputError(f"{options.source}: there is no such video")
    frames = FolderSource(options.frames)
    for path in filter(None, (options.frames, options.source)):
        check_destination(options.output, path)
    given = {"crf": options.crf, "preset": options.preset}
    given["rate"] = None if options.rate is None else rate_of(options.rate)
    encode = EncodeOptions(**{name: value for name, value in given.items() if value is not None})
    when = f"at the times of {options.source}" if options.source else f"at {encode.rate} a second"
    if options.dry_run:
        print(f"would write {options.output} of {frames.frame_count} frames, {when}")
        return 0
    assemble_pictures(frames, options.source, options.output, encode)
    print(f"{options.output}: {frames.frame_count} frames, {when}")
    return 0
