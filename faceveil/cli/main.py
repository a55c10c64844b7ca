"""The `faceveil` command: its arguments, and how errors become messages and exit codes."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from fractions import Fraction
from importlib import import_module
from pathlib import Path

from faceveil import __version__
from faceveil.cli.arguments import add_progress, add_selection, positive
from faceveil.cli.aws.verbs import add_aws
from faceveil.cli.judge_options import add_evaluate, add_style, add_verification, add_verify
from faceveil.errors import FaceveilError

EXIT_INTERRUPTED = 130

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
  faceveil verify out.mp4 analysis.json --input talk.mp4  look whether the output shows a face
  faceveil evaluate truth.json analysis.json              compare what is veiled with the truth
  faceveil aws upload talk.mp4 --job talk-1               the same in AWS: `faceveil aws --help`
"""

EXIT_CODES = """\
exit codes:
  0 done   2 wrong usage   3 bad input (what could be read is done, the rest is named)
  4 a face would stay visible, or the output shows one   5 the output cannot be written
  6 a network's weights cannot be had    130 interrupted
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code (see EXIT_CODES)."""
    options = build_parser().parse_args(arguments)
    try:
        code: int = getattr(import_module(options.module), options.command)(options)
    except FaceveilError as problem:
        print(f"faceveil: {problem}", file=sys.stderr)
        return problem.exit_code
    except KeyboardInterrupt:
        print("faceveil: interrupted, no output was written", file=sys.stderr)
        return EXIT_INTERRUPTED
    return code


def build_parser() -> argparse.ArgumentParser:
    """All commands and their options; `options.command` names a function of `options.module`."""
    parser = argparse.ArgumentParser(
        prog="faceveil",
        description=DESCRIPTION,
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"faceveil {__version__}")
    parser.set_defaults(module="faceveil.cli.commands")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    veil = _command(commands, "veil", "INPUT OUTPUT", "find, follow and veil faces in one go")
    veil.add_argument("input", type=Path, help="a video file or a folder of frames")
    veil.add_argument("output", type=Path, help="a video file (.mp4, .mov, .mkv) or a folder")
    _add_input(veil)
    add_selection(veil)
    _add_detection(veil)
    _add_sequences(veil)
    _add_rendering(veil)
    add_verification(veil)
    add_progress(veil)

    analyse = _command(
        commands, "analyse", "INPUT ANALYSIS", "find and follow faces; write analysis.json"
    )
    analyse.add_argument("input", type=Path, help="a video file or a folder of frames")
    analyse.add_argument("analysis", type=Path, help="the file to write; it holds no features")
    _add_input(analyse)
    add_selection(analyse)
    _add_detection(analyse)
    _add_sequences(analyse)
    add_progress(analyse)

    render = _command(
        commands,
        "render",
        "INPUT ANALYSIS OUTPUT",
        "veil what an analysis says, without detection; a choice made here replaces its own",
    )
    render.add_argument("input", type=Path, help="the video or folder that was analysed")
    render.add_argument("analysis", type=Path, help="analysis.json, edited or not")
    render.add_argument("output", type=Path, help="a video file (.mp4, .mov, .mkv) or a folder")
    add_selection(render)
    render.add_argument(
        "--features",
        type=Path,
        help="features kept by analyse; a new choice by photo needs them, and so does verification "
        "to recognise who is veiled",
    )
    _add_detection(render)
    _add_rendering(render)
    add_verification(render)
    add_progress(render)

    add_evaluate(
        _command(commands, "evaluate", "TRUTH OUTPUT", "compare what is veiled with the truth")
    )

    verify = _command(
        commands, "verify", "OUTPUT ANALYSIS", "look for faces that an output still shows"
    )
    add_verify(verify)
    _add_detection(verify)
    add_progress(verify)

    _add_weights(commands.add_parser("weights", help="the networks: list, fetch, verify"))
    add_aws(commands)
    return parser


def _command(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
    name: str,
    operands: str,
    summary: str,
) -> argparse.ArgumentParser:
    parser = commands.add_parser(
        name,
        help=summary,
        usage=f"faceveil {name} {operands} [options]",
        description=summary[0].upper() + summary[1:] + ".",
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(command=name)
    return parser


def _add_detection(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("networks")
    group.add_argument(
        "--detector",
        default="union",
        metavar="NAME",
        help="union (default), mtcnn, centerface, dlib-hog, rekognition, an .onnx file (like "
        "CenterFace or SCRFD), or a folder: MXNet checkpoints, one of InsightFace's packs",
    )
    group.add_argument(
        "--profile",
        default="default",
        metavar="NAME",
        help="how long the union looks at each frame: fast, default or high-recall",
    )
    group.add_argument(
        "--recognizer",
        default="arcface-mobilefacenet",
        metavar="NAME",
        help="a name of `faceveil weights list`, an .onnx file, one of InsightFace's packs, or "
        "none: nobody is recognised, nor chosen by photo",
    )
    group.add_argument(
        "--min-face-size", type=float, metavar="PIXELS", help="smallest face looked for"
    )
    group.add_argument(
        "--accept-licence",
        action="store_true",
        help="use networks whose licence forbids commercial use",
    )
    group.add_argument(
        "--provider",
        action="append",
        default=[],
        metavar="NAME",
        help="onnxruntime provider: cuda, coreml, cpu (default: the best there is)",
    )
    group.add_argument(
        "--workers", type=positive, metavar="N", help="frames analysed at once (default: cores)"
    )
    group.add_argument(
        "--threads", type=positive, default=1, metavar="N", help="threads a network uses"
    )


def _add_sequences(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("following faces")
    group.add_argument(
        "--sampling",
        choices=("every", "adaptive"),
        default="every",
        help="look for faces in every frame, or in as few as tell the same: one in 4 to 12 where "
        "little happens, more where faces come, go or move fast, always at both sides of a cut",
    )
    group.add_argument(
        "--tracking",
        choices=("on", "off"),
        default="on",
        help="follow faces by their pixels for up to 2 seconds where they were not detected",
    )
    group.add_argument("--thesis", action="store_true", help="the 2022 thesis's own parameters")
    group.add_argument("--distance", help="motion or thesis")
    group.add_argument(
        "--join-gap", type=int, metavar="FRAMES", help="sequences this near in a shot are joined"
    )
    group.add_argument("--interpolation", metavar="NAME", help="pchip, linear, cubic, akima …")
    group.add_argument(
        "--smoothing", metavar="NAME", help="gaussian, savitzky_golay …, rts (fills gaps too), none"
    )
    group.add_argument("--smoothing-window", type=int, metavar="FRAMES", help="odd")
    group.add_argument("--extension", type=int, metavar="FRAMES", help="added at both ends")
    group.add_argument(
        "--min-length", type=int, metavar="FRAMES", help="drop undetected shorter sequences"
    )


def _add_rendering(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("what the output looks like")
    add_style(group)
    group.add_argument(
        "--draw-boxes",
        action="store_true",
        help="draw boxes instead of veils: kept blue, veiled red, dashed where interpolated",
    )
    group.add_argument("--contact-sheet", type=Path, metavar="PNG", help="one row per identity")
    group.add_argument("--report", type=Path, metavar="JSON", help="counts, times, digests")
    group.add_argument(
        "--analysis", dest="analysis_output", type=Path, metavar="JSON", help="what was decided"
    )
    group.add_argument("--crf", type=float, help="x264 quality: 18 (default) is visually lossless")
    group.add_argument("--preset", help="x264 preset: faster or smaller")
    group.add_argument(
        "--rate", type=Fraction, help="frames per second of a video made from pictures"
    )


def _add_input(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--stills",
        action="store_true",
        help="the input is a folder of unrelated pictures: names kept, nobody is followed",
    )
    parser.add_argument(
        "--features",
        type=Path,
        metavar="NPZ",
        help="keep the features (biometric data!) for a later choice by photo",
    )


def _add_weights(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    for name, help_text in (
        ("list", "what each network is, its licence, and where it comes from"),
        ("fetch", "download, verify and convert (default: those the default options need)"),
        ("verify", "hash the cached files again"),
    ):
        action = actions.add_parser(name, help=help_text)
        action.set_defaults(command=f"weights_{name}")
        if name != "list":
            action.add_argument("names", nargs="*", metavar="NAME")
        if name == "fetch":
            action.add_argument("--accept-licence", action="store_true")


if __name__ == "__main__":
    sys.exit(main())
