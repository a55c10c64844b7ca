"""Several inputs at once: which files there are, where each output goes, and how each ended."""

from __future__ import annotations

import json
import os
import sys
from argparse import Namespace
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from faceveil.cli.program import say_error
from faceveil.errors import OutputError, UsageError
from faceveil.files import replace_file
from faceveil.media.containers import CONTAINERS

VIDEO_SUFFIXES = (
    *(".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".ts", ".m2ts", ".mts", ".mpg", ".mpeg"),
    *(".wmv", ".flv", ".vob", ".3gp", ".mxf", ".ogv", ".mjpeg"),
)
RENAMED = ".faceveil-renamed.json"
"""Beside the outputs: which input each of them comes from that has another name than it."""
SIDE_OUTPUTS = {
    "report": ("--report", ".report.json"),
    "analysis_output": ("--analysis", ".analysis.json"),
    "contact_sheet": ("--contact-sheet", ".sheet.png"),
    "features": ("--features", ".features.npz"),
    "crops": ("--crops", ".crops"),
    "matte": ("--matte", ".matte.mov"),
    "keyframes": ("--keyframes", ".keyframes.json"),
}
"""By their names among the options: the option, and how the files of several inputs end."""
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

    Raises UsageError where two inputs would have the same output, or an input is where its output
    would be.
    """
    works: dict[str | Path, Work] = {}
    files = [file for path in inputs for file in _expanded(path)]
    names = {file.name for file in files}
    for file in files:
        beside = names | {item.name for item in _videos(file.parent)}
        work = Work(file, folder / output_name(file, beside, folder))
        if os.path.realpath(file) == os.path.realpath(work.output):
            raise UsageError(f"{folder}: the outputs need another folder than the inputs")
        if work.output in works:
            raise UsageError(
                f"{file}: its output would be {work.output}, as that of "
                f"{works[work.output].input}; veil them into two folders"
            )
        works[work.output] = work
    return list(works.values())


def output_name(path: Path, beside: Collection[str], folder: Path) -> str:
    """The name of an input's output: its own, or that with .mp4 where its container is not written.

    Parameters
    ----------
    path
        The input.
    beside
        The names of all inputs, and of what lies beside this one: talk.avi becomes talk.avi.mp4
        where there is a talk.mov, too.
    folder
        The folder of the outputs; an input keeps the name that it was given there before.
    """
    owners = _read_renamed(folder)
    own = next((output for output, owner in owners.items() if owner == path.name), None)
    if own is not None:
        return own
    name = path.name
    if is_video(path) and path.suffix.lower() not in CONTAINERS:
        others = {Path(other).stem for other in beside if other != path.name and is_video(other)}
        name = f"{path.name}.mp4" if path.stem in others else f"{path.stem}.mp4"
    return name if name not in owners else f"{path.name}.mp4"


def _read_renamed(folder: Path) -> dict[str, str]:
    """The inputs of renamed outputs, by the name of the output."""
    try:
        renamed = json.loads((folder / RENAMED).read_bytes())
        return {str(name): str(owner) for name, owner in renamed.items()}
    except (OSError, ValueError, AttributeError):
        return {}


def _note_renamed(work: Work) -> None:
    output = Path(work.output)
    if output.name == work.input.name:
        return
    renamed = _read_renamed(output.parent) | {output.name: work.input.name}
    replace_file(output.parent / RENAMED, json.dumps(renamed, indent=2).encode())


def is_video(path: Path | str) -> bool:
    """Whether the name is that of a video file."""
    return Path(path).suffix.lower() in VIDEO_SUFFIXES


def _expanded(path: Path) -> Iterator[Path]:
    """The videos of a folder that holds some; else the path itself, such as a folder of frames."""
    yield from _videos(path) or [path]


def _videos(folder: Path) -> list[Path]:
    """The videos in a folder by name, hidden ones left out."""
    if not folder.is_dir():
        return []
    found = (item for item in folder.iterdir() if is_video(item))
    return sorted(item for item in found if not item.name.startswith("."))


def left_out(path: Path) -> list[str]:
    """The names of what a folder of videos holds besides them."""
    videos = _videos(path)
    if not videos:
        return []
    rest = {item.name for item in path.iterdir()} - {item.name for item in videos}
    return sorted(name for name in rest if not name.startswith("."))


def make_side_folders(options: Namespace, *, make: bool = True) -> None:
    """Make the folders that hold the reports and so on of several inputs.

    Raises
    ------
    UsageError
        Where an option names a file.
    OutputError
        Where a folder cannot be made.
    """
    for name, (flag, ending) in SIDE_OUTPUTS.items():
        if getattr(options, name) is None:
            continue
        folder = Path(getattr(options, name))
        if folder.is_file() or (folder.suffix == Path(ending).suffix and not folder.is_dir()):
            raise UsageError(
                f"{flag} {folder}: of several inputs this is a folder, in which each has a file "
                f"NAME{ending}"
            )
        if make:
            make_folder(folder)


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
        code = veil(_with_own_files(options, work), work)
        if not options.dry_run:
            _note_renamed(work)
    except Exception as error:  # whatever one input raises, the others are veiled
        return say_error(f"faceveil: {work.input}", error)
    _tell(options, f"{work.input}: veiled, {work.output}")
    return code


def _with_own_files(options: Namespace, work: Work) -> Namespace:
    """The options with files of this input alone, in the folders that were named for all.

    They are replaced where there is no output yet: an earlier attempt has left them.
    """
    own = Namespace(**vars(options))
    for name, (_, ending) in SIDE_OUTPUTS.items():
        folder = getattr(options, name)
        if folder is not None:
            is_folder = name == "matte" and not is_video(work.input)  # of a folder or a picture
            shown = Path(ending).stem if is_folder else ending
            setattr(own, name, Path(folder, f"{Path(work.output).name}{shown}"))
    own.overwrite = options.overwrite or not Path(work.output).exists()
    return own


def _tell(options: Namespace, line: str) -> None:
    if not options.quiet and options.progress != "json":
        print(f"faceveil: {line}", file=sys.stderr)


def make_folder(path: Path) -> None:
    """Make the folder of outputs. Raises OutputError."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{path}: the folder cannot be made ({error.strerror})") from error
