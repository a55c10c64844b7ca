"""`faceveil aws assemble`: veiled frames and the source's audio as a video, on this machine."""

from __future__ import annotations

import argparse

from faceveil.cli import parsing
from faceveil.cli.arguments import Commands, add_command, add_overwrite
from faceveil.cli.aws.deployment import add_dry_run
from faceveil.cli.output_arguments import add_encoding
from faceveil.errors import InputError, UsageError

DESCRIPTION = """\
Make a video of veiled frames: with the audio, subtitles and times of the video that they were
split from (--source), or silent at --rate frames per second.

  faceveil aws assemble talk-1/veiled/ out.mp4 --source talk.mp4
"""


def add_assemble_parser(verbs: Commands) -> None:
    """Add `assemble` to the verbs."""
    parser = add_command(
        verbs, "assemble", "FRAMES OUTPUT", "make a video of veiled frames", DESCRIPTION
    )
    parser.add_argument("frames", type=parsing.path, help="a folder of veiled frames")
    parser.add_argument(
        "output", type=parsing.path, help="a video (.mp4, .mov, .mkv, .webm, .ts …)"
    )
    parser.add_argument(
        "--source",
        type=parsing.path,
        metavar="VIDEO",
        help="the video that the frames were split from",
    )
    parser.add_argument(
        "--rate",
        type=parsing.rate,
        metavar="FPS",
        help="frames per second, without --source: 25 or 30000/1001",
    )
    add_encoding(parser)
    add_overwrite(parser)
    add_dry_run(parser)
    parser.set_defaults(func=run_assemble)


def run_assemble(options: argparse.Namespace) -> int:
    """`faceveil aws assemble`: write the video."""
    from faceveil.cli.options import encode_options_of
    from faceveil.jobs.steps.assemble import assemble_pictures
    from faceveil.media.containers import CONTAINERS
    from faceveil.media.folder import FolderSource
    from faceveil.paths import Written, check_paths

    if (options.source is None) == (options.rate is None):
        raise UsageError("the frames have no times: give either --source VIDEO or --rate FPS")
    if options.output.suffix.lower() not in CONTAINERS:
        raise UsageError(f"{options.output}: a video is written as one of {', '.join(CONTAINERS)}")
    if options.source is not None and not options.source.is_file():
        raise InputError(f"{options.source}: there is no such video")
    check_paths(
        filter(None, (options.frames, options.source)),
        [Written("the video", options.output)],
        overwrite=options.overwrite,
    )
    frames = FolderSource(options.frames)
    encode = encode_options_of(options)
    when = f"at the times of {options.source}" if options.source else f"at {encode.rate} a second"
    if options.dry_run:
        print(f"would write {options.output} of {frames.frame_count} frames, {when}")
        return 0
    assemble_pictures(frames, options.source, options.output, encode)
    print(f"{options.output}: {frames.frame_count} frames, {when}")
    return 0
