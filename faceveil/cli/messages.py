"""What commands say on standard error."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from faceveil.errors import InputError

if TYPE_CHECKING:
    from faceveil.media.frames import Problem
    from faceveil.rendering import Rendered


def say(options: Namespace, text: str) -> None:
    """Print text for people, unless they asked for silence or a program reads along."""
    if not options.quiet and options.progress != "json":
        print(text, file=sys.stderr)


def say_problems(path: Path, problems: Sequence[Problem]) -> int:
    """Name the parts of the input that could not be read; returns the exit code that means."""
    for problem in problems:
        print(f"faceveil: {path}: {problem.where}: {problem.message}", file=sys.stderr)
    return InputError.exit_code if problems else 0


def say_rendered(options: Namespace, input: Path, rendered: Rendered) -> int:
    """Say what was rendered; returns the exit code.

    Raises VerificationError when the output shows a face that must be veiled.
    """
    from faceveil.assure.summary import summary

    say(options, summary(rendered.analysis))
    for correction in rendered.unresolved:
        say(options, f"a correction could not be applied: {correction}")
    for loss in rendered.losses:
        say(options, str(loss))
    code = say_problems(input, rendered.problems)
    if rendered.verification is not None:
        say(options, rendered.verification.summary())
        rendered.require("; if these are no faces, render with --on-violation report")
    return code
