"""`faceveil verify`: search an output for faces that it still shows."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from faceveil.cli import parsing
from faceveil.cli.arguments import Commands, add_command, add_overwrite, add_progress, add_reading
from faceveil.cli.finding_arguments import add_networks
from faceveil.cli.output_arguments import add_crops, add_style
from faceveil.errors import UsageError

if TYPE_CHECKING:
    from faceveil.assure.verification import Verification

DESCRIPTION = """\
Verify an output again, also one that another program rendered: does a face show outside the veils,
is a veiled person still recognised and, given the input, is every veil really in the picture?

  faceveil verify out.mp4 analysis.json --input talk.mp4
  faceveil verify out.mp4 analysis.json --verify-frames every --crops found/ --json found.json
  faceveil verify out.mp4 analysis.json --veil solid --detector centerface
  faceveil verify out.mp4 analysis.json --corrections talk.corrections.json

The exit code is 4 when something shows. Without --input, the veils are not compared; without
--features, people are not recognised. Name the veil's style unless it is the default.
"""


def add_verify_parser(commands: Commands) -> None:
    """Add `verify` to the commands."""
    parser = add_command(
        commands,
        "verify",
        "OUTPUT ANALYSIS",
        "search an output for faces that it still shows",
        DESCRIPTION,
    )
    parser.add_argument(
        "output", type=parsing.path, help="what was rendered: a video file or a folder"
    )
    parser.add_argument(
        "analysis", type=parsing.path, help="the analysis.json it was rendered from"
    )
    parser.add_argument(
        "--input",
        type=parsing.path,
        metavar="INPUT",
        help="the video or folder that was analysed: every veil of every frame is compared with it",
    )
    parser.add_argument(
        "--features",
        type=parsing.path,
        metavar="NPZ",
        help="features saved by `analyse`, to recognise the people who are veiled",
    )
    parser.add_argument(
        "--corrections",
        type=parsing.path,
        metavar="JSON",
        help="what a person changed before it was rendered, as for `render`",
    )
    parser.add_argument(
        "--verify-frames",
        type=parsing.verify_frames,
        default="sampled",
        metavar="WHICH",
        help="the frames that the networks search: sampled (default: every 30th, and at least one "
        "of each sequence; unrelated pictures all), every, or a number N for every Nth",
    )
    parser.add_argument("--json", type=parsing.path, metavar="JSON", help="write what was found")
    add_reading(parser)
    add_crops(parser)
    add_overwrite(parser)
    add_style(parser.add_argument_group("what was rendered"))
    add_networks(parser)
    add_progress(parser)
    parser.set_defaults(func=run_verify)


def run_verify(options: argparse.Namespace) -> int:
    """`faceveil verify`. Raises VerificationError when the output shows a face."""
    from faceveil.cli.messages import say
    from faceveil.cli.options import every_of
    from faceveil.paths import check_paths, written_paths

    every = every_of(options)
    if every is None:
        raise UsageError("--verify-frames off: nothing would be verified")
    read = (
        options.output,
        options.analysis,
        options.input,
        options.features,
        options.corrections,
    )
    written = written_paths(crops=options.crops, report=options.json)
    check_paths(filter(None, read), written, overwrite=options.overwrite)
    verification = _verified(options, every)
    if options.json:
        _write_json(verification, options.json)
    say(options, verification.summary())
    verification.require(str(options.output))
    return 0


def _verified(options: argparse.Namespace, every: int) -> Verification:
    """What verification finds in the output; the networks search every `every`-th frame."""
    from faceveil.assure.step import check_recognizer
    from faceveil.assure.verify import verify
    from faceveil.cli.analysed import open_analysed, read_analysed
    from faceveil.cli.options import analyzer_options_of, style_of
    from faceveil.corrections.apply import apply_corrections
    from faceveil.corrections.document import read_corrections
    from faceveil.detect.build import build_analyzer
    from faceveil.media.open import open_source
    from faceveil.progress import choose_progress
    from faceveil.rendering import VerifyOptions, verifier_networks
    from faceveil.resources import usable_cores

    analysis = read_analysed(options.analysis, options.features)
    is_stills = analysis.source.kind == "stills"
    output = open_source(
        options.output, stills=is_stills, recursive=is_stills, hwaccel=options.hwaccel, gaps=True
    )
    original = open_analysed(analysis, options) if options.input else None
    if options.corrections:
        analysis = apply_corrections(analysis, read_corrections(options.corrections)).analysis
    networks = VerifyOptions(networks=analyzer_options_of(options))
    analyzer = build_analyzer(verifier_networks(analysis, networks))
    check_recognizer(analysis, analyzer)
    return verify(
        output,
        analysis,
        analyzer,
        style_of(options),
        original=original,
        every=every,
        workers=options.workers or usable_cores(),
        crops=options.crops,
        progress=choose_progress(options.progress, options.quiet),
    )


def _write_json(verification: Verification, path: Path) -> None:
    import orjson

    from faceveil.files import replace_file

    replace_file(path, orjson.dumps(verification.to_dict(), option=orjson.OPT_INDENT_2))
