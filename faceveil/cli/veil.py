"""`faceveil veil`: find, follow and veil faces in one go."""

from __future__ import annotations

import argparse
from pathlib import Path

from faceveil.cli.arguments import (
    Commands,
    add_command,
    add_following,
    add_input,
    add_networks,
    add_progress,
    add_rendering,
    add_selection,
    add_verification,
)


def add_veil_parser(commands: Commands) -> None:
    """Add `veil` to the commands."""
    parser = add_command(commands, "veil", "INPUT OUTPUT", "find, follow and veil faces in one go")
    add_input(parser)
    parser.add_argument("output", type=Path, help="a video file (.mp4, .mov, .mkv) or a folder")
    add_selection(parser)
    add_networks(parser)
    add_following(parser)
    add_rendering(parser)
    add_verification(parser)
    add_progress(parser)
    parser.set_defaults(func=run_veil)


def run_veil(options: argparse.Namespace) -> int:
    """`faceveil veil`. Raises VerificationError when the output shows a face."""
    from faceveil import pipeline
    from faceveil.cli.messages import say_rendered
    from faceveil.cli.options import (
        analysis_options_of,
        encode_options_of,
        request_of,
        style_of,
        verify_options_of,
    )

    rendered = pipeline.veil(
        options.input,
        options.output,
        request=request_of(options),
        style=style_of(options),
        stills=options.stills,
        encode=encode_options_of(options),
        verification=verify_options_of(options),
        boxes_only=options.draw_boxes,
        features=options.features,
        analysis=options.analysis_output,
        contact_sheet=options.contact_sheet,
        report=options.report,
        overwrite=options.overwrite,
        check=False,
        **analysis_options_of(options),
    )
    return say_rendered(options, rendered)
