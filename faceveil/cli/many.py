"""Several inputs at once: which files there are, where each output goes, and how each ended."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from faceveil.cli.program import say_error
from faceveil.errors import OutputError, UsageError

VIDEO_SUFFIXES = (
    *(".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".ts", ".m2ts", ".mts", ".mpg", ".mpeg"),
    *(".wmv", ".flv", ".vob", ".3gp", ".mxf", ".ogv", ".mjpeg"),
)
KEPT_SUFFIXES = (".mp4", ".mov", ".mkv")
"""Of videos whose output has the same one; those of others become .mp4."""
SEVERITY = (0, 2, 3, 5, 6, 1, 4)
"""Exit codes from the best to the worst: a face that shows is worse than anything else."""


@dataclass(frozen=True, slots=True)
class Work:
    """One input and its output."""

    input: Path
    output: str | Path
    """A text keeps the slash that says that a folder is meant."""


def works_of(inputs: Iterable[Path], folder: Path) -> list[Work]:
    """The outputs of several inputs in a folder; a folder of videos stands for those in it.

    Raises UsageError where two inputs would have the same output.
    """
    works: dict[str | Path, Work] = {}
    for path in inputs:
        for file in _expanded(path):
            work = Work(file, folder / output_name(file))
            if work.output in works:
                raise UsageError(
                    f"{file}: its output would be {work.output}, as that of "
                    f"{works[work.output].input}; veil them into two folders"
                )
            works[work.output] = work
    return list(works.values())


def output_name(path: Path) -> str:
    """The name of an input's output: its own, in a container that can be written."""
    if path.suffix.lower() in VIDEO_SUFFIXES and path.suffix.lower() not in KEPT_SUFFIXES:
        return f"{path.name}.mp4"
    return path.name


def is_video(path: Path) -> bool:
    """Whether the name is that of a video file."""
    return path.suffix.lower() in VIDEO_SUFFIXES


def _expanded(path: Path) -> Iterator[Path]:
    """The videos of a folder that holds some; else the path itself, such as a folder of frames."""
    videos = sorted(item for item in path.iterdir() if is_video(item)) if path.is_dir() else []
    visible = [item for item in videos if not item.name.startswith(".")]
    yield from visible or [path]


def veil_each(
    works: Iterable[Work], options: Namespace, veil: Callable[[Namespace, Work], int]
) -> int:
    """Veil each input with a line for each; one that fails does not stop the rest.

    Outputs that exist are skipped, so that the same command continues after an interruption.
    Returns the worst exit code.
    """
    worst = 0
    for work in works:
        code = _veil(work, options, veil)
        worst = max(worst, code, key=SEVERITY.index)
    return worst


def _veil(work: Work, options: Namespace, veil: Callable[[Namespace, Work], int]) -> int:
    if Path(work.output).exists() and not options.overwrite:
        _tell(options, f"{work.input}: skipped, {work.output} exists (--overwrite makes it again)")
        return 0
    try:
        code = veil(options, work)
    except Exception as error:  # whatever one input raises, the others are veiled
        return say_error(f"faceveil: {work.input}", error)
    _tell(options, f"{work.input}: veiled, {work.output}")
    return code


def _tell(options: Namespace, line: str) -> None:
    if not options.quiet and options.progress != "json":
        print(f"faceveil: {line}", file=sys.stderr)


def make_folder(path: Path) -> None:
    """Make the folder of outputs. Raises OutputError."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{path}: the folder cannot be made ({error.strerror})") from error
