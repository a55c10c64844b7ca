"""Arguments that several commands share: each function adds one group, so all read alike.

Here is what every command has; `finding_arguments` says whose faces are found and how,
`output_arguments` what is made of them.
"""

from __future__ import annotations

import argparse
from typing import TypeAlias

from faceveil.cli import parsing
from faceveil.cli.program import EXIT_CODES

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"
Group: TypeAlias = "argparse._ActionsContainer"


def add_command(
    commands: Commands, name: str, operands: str, summary: str, description: str = ""
) -> argparse.ArgumentParser:
    """Add a command with its help; `operands` follow its name in the line of usage."""
    parser = commands.add_parser(
        name,
        help=summary,
        usage=f"%(prog)s {operands} [options]".replace("  ", " "),
        description=description or f"{summary[0].upper()}{summary[1:]}.",
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--debug", action="store_true", help="show the traceback of an error, to report it"
    )
    return parser


def add_analysed(parser: argparse.ArgumentParser) -> None:
    """What kind of frames the input holds, and what is kept of their faces."""
    parser.add_argument(
        "--stills",
        action="store_true",
        help="the input is a folder of unrelated pictures: each keeps its name, and faces are not "
        "followed from one to the next",
    )
    add_reading(parser)
    parser.add_argument(
        "--features",
        type=parsing.path,
        metavar="NPZ",
        help="save the features of the faces (biometric data!), to choose by photo later",
    )


def add_reading(parser: argparse.ArgumentParser) -> None:
    """How frames are read."""
    parser.add_argument(
        "--recursive", action="store_true", help="read the pictures of sub-folders, too"
    )
    parser.add_argument(
        "--hwaccel",
        metavar="DEVICE",
        help="decode a video by hardware, as FFmpeg names it: cuda, qsv, videotoolbox …",
    )


def add_overwrite(group: Group) -> None:
    """`--overwrite`."""
    group.add_argument(
        "--overwrite", action="store_true", help="replace outputs that exist; they are kept without"
    )


def add_progress(parser: argparse.ArgumentParser) -> None:
    """How a command tells how far it is."""
    group = parser.add_argument_group("messages")
    group.add_argument(
        "--progress",
        choices=("auto", "bar", "json", "none"),
        default="auto",
        help="auto (default): a bar on a terminal; json: one line a second on standard error",
    )
    group.add_argument("--quiet", action="store_true", help="print errors only")
