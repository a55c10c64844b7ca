"""The commands that judge an output: `faceveil evaluate`."""

from __future__ import annotations

from argparse import Namespace

from faceveil.assure.evaluate_command import evaluate_files, summary
from faceveil.command_options import style_of


def evaluate(options: Namespace) -> int:
    """`faceveil evaluate`: compare an output with the truth."""
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
    print(summary(evaluation))
    return 0
