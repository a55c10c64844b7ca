"""The `faceveil` command; each subcommand has a module with its parser beside its function."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from faceveil import __version__
from faceveil.cli.analyse import add_analyse_parser
from faceveil.cli.aws.command import add_aws_parser
from faceveil.cli.completion import add_completion_parser, complete
from faceveil.cli.doctor import add_doctor_parser
from faceveil.cli.evaluate import add_evaluate_parser
from faceveil.cli.live import add_live_parser
from faceveil.cli.program import EXIT_CODES, run_program
from faceveil.cli.render import add_render_parser
from faceveil.cli.review import add_review_parser
from faceveil.cli.veil import add_veil_parser
from faceveil.cli.verify import add_verify_parser
from faceveil.cli.verify_report import add_verify_report_parser
from faceveil.cli.watch import add_watch_parser
from faceveil.cli.weights import add_weights_parser

DESCRIPTION = """\
Veil the right faces in video, without missing one.

  faceveil veil talk.mp4 out.mp4                          veil every face
  faceveil veil talk.mp4 out.mp4 --keep photos/anchor/    all but the anchor
  faceveil veil talk.mp4 out.mp4 --only photos/witness/   only the witness
  faceveil veil talk.mp4 out.mp4 --keep-at 1500:640,300   all but the person seen in frame 1500
                                                          at x 640, y 300, in every shot
  faceveil veil frames/ veiled/                           a folder of img0000001.png …
  faceveil veil pictures/ veiled/ --stills --veil upper   unrelated pictures, each on its own
  faceveil analyse talk.mp4 analysis.json                 find the faces; edit the file …
  faceveil render talk.mp4 analysis.json out.mp4          … and veil without detecting again
  faceveil review talk.mp4                                look, choose and correct in the browser
  faceveil verify out.mp4 analysis.json --input talk.mp4  search the output for visible faces
  faceveil watch incoming/ veiled/                        veil what arrives in a folder
  faceveil live 0 rtmp://server/app/key                   veil a stream as it happens
  faceveil doctor                                         check this machine
  faceveil evaluate truth.json analysis.json              compare what is veiled with the truth
  faceveil aws upload talk.mp4 --job talk-1               the same in AWS: `faceveil aws --help`
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code (see `program.EXIT_CODES`)."""
    parser = build_parser()
    if "_ARGCOMPLETE" in os.environ:
        complete(parser)
    options = parser.parse_args(arguments)
    return run_program(
        "faceveil",
        lambda: int(options.func(options)),
        interrupted=options.interrupted,
        debug=options.debug,
    )


def build_parser() -> argparse.ArgumentParser:
    """Build all commands; `options.func(options)` runs the one that was chosen."""
    parser = argparse.ArgumentParser(
        prog="faceveil",
        description=DESCRIPTION,
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"faceveil {__version__}")
    parser.set_defaults(interrupted="no output was written")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    add_veil_parser(commands)
    add_analyse_parser(commands)
    add_review_parser(commands)
    add_render_parser(commands)
    add_evaluate_parser(commands)
    add_verify_parser(commands)
    add_verify_report_parser(commands)
    add_weights_parser(commands)
    add_doctor_parser(commands)
    add_watch_parser(commands)
    add_live_parser(commands)
    add_completion_parser(commands)
    add_aws_parser(commands)
    return parser


if __name__ == "__main__":
    sys.exit(main())
