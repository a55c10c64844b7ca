"""`faceveil veil`: find, follow and veil faces in one go."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from faceveil.cli import parsing
from faceveil.cli.arguments import Commands, add_analysed, add_command, add_progress
from faceveil.cli.finding_arguments import add_following, add_networks, add_regions, add_selection
from faceveil.cli.many import (
    Work,
    left_out,
    make_folder,
    make_side_folders,
    veil_each,
    works_of,
)
from faceveil.cli.messages import say
from faceveil.cli.output_arguments import add_rendering, add_verification
from faceveil.errors import UsageError

DESCRIPTION = """\
Find, follow and veil faces in one go, and verify the output before it is published.

  faceveil veil talk.mp4 out.mp4                      a video
  faceveil veil frames/ veiled/                       a folder of img0000001.png …
  faceveil veil photo.jpg out.jpg                     a picture
  faceveil veil *.mp4 --output-dir veiled/            several inputs, or a folder of videos

With --output-dir, an input that fails does not stop the others, outputs that exist are skipped, and
the exit code is that of the worst failure: run the same command again to continue. --report,
--analysis, --contact-sheet, --features, --crops, --matte and --keyframes are then folders, in which
each input has a file of its own, such as talk.mp4.report.json.
"""


def add_veil_parser(commands: Commands) -> None:
    """Add `veil` to the commands."""
    parser = add_command(
        commands,
        "veil",
        "INPUT OUTPUT | INPUT… --output-dir FOLDER",
        "find, follow and veil faces in one go",
        DESCRIPTION,
    )
    parser.add_argument(
        "paths",
        type=parsing.place,
        nargs="+",
        metavar="PATH",
        help="the input (a video, a picture, a folder of frames, an s3:// prefix of frames, or - "
        "for standard input) and the output (a video .mp4, .mov, .mkv, .webm, .ts …, a picture, a "
        "folder with a slash at its end, or - for standard output)",
    )
    parser.add_argument(
        "--output-dir",
        type=parsing.path,
        metavar="FOLDER",
        help="veil every PATH into this folder, under its own name",
    )
    parser.add_argument(
        "--dry-run",
        action="store_true",
        help="say what would be read, written, kept and lost, and about how long it takes",
    )
    parser.add_argument(
        "--preview",
        type=parsing.duration,
        metavar="SECONDS",
        help="veil only these seconds (3s), from the first keyframe that shows a face",
    )
    add_analysed(parser)
    add_selection(parser)
    add_regions(parser)
    add_networks(parser)
    add_following(parser)
    add_rendering(parser)
    add_verification(parser)
    add_progress(parser)
    parser.set_defaults(func=run_veil)


def run_veil(options: argparse.Namespace) -> int:
    """`faceveil veil`. Raises VerificationError when the output shows a face."""
    if options.output_dir is None:
        if len(options.paths) != 2:
            raise UsageError(
                f"{len(options.paths)} paths: name one input and one output, or several inputs "
                "with --output-dir FOLDER"
            )
        return _chosen(options)(options, Work(Path(options.paths[0]), options.paths[1]))
    works = works_of(map(Path, options.paths), options.output_dir)
    for path in map(Path, options.paths):
        for name in left_out(path):
            say(options, f"{path / name}: left out, since it is no video; name it by itself")
    make_side_folders(options, make=not options.dry_run)
    if not options.dry_run:
        make_folder(options.output_dir)
    return veil_each(works, options, _chosen(options))


def _chosen(options: argparse.Namespace) -> Callable[[argparse.Namespace, Work], int]:
    """What is done with each input."""
    if options.dry_run:
        from faceveil.cli.dry_run import describe

        return describe
    if options.preview:
        from faceveil.cli.preview import preview

        return preview
    return veil_one


def veil_one(options: argparse.Namespace, work: Work) -> int:
    """Veil one input; returns the exit code. Raises what `pipeline.veil` raises."""
    from faceveil import pipeline
    from faceveil.cli.messages import say_rendered
    from faceveil.cli.options import (
        analysis_options_of,
        check_report_options,
        encode_options_of,
        request_of,
        style_of,
        verify_options_of,
    )

    check_report_options(options)
    rendered = pipeline.veil(
        work.input,
        work.output,
        request=request_of(options),
        style=style_of(options),
        stills=options.stills,
        recursive=options.recursive,
        hwaccel=options.hwaccel,
        encode=encode_options_of(options),
        verification=verify_options_of(options),
        boxes_only=options.draw_boxes,
        features=options.features,
        analysis=options.analysis_output,
        contact_sheet=options.contact_sheet,
        report=options.report,
        sign=options.sign,
        reviewer=options.reviewer,
        matte=options.matte,
        keyframes=options.keyframes,
        overwrite=options.overwrite,
        check=False,
        **analysis_options_of(options),
    )
    return say_rendered(options, work.input, rendered)
