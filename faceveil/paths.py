"""The paths that a run reads and writes, checked before any work starts.

Nothing that exists is lost: an output is never the input, another output or inside an input
folder, and one that exists is kept unless the user asks to overwrite it.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
import stat
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path

from faceveil.errors import InputError, OutputError, UsageError

NAME_BYTES = 255
"""Bytes of a file's name, where the file system does not say."""
LEAST_ROOM = 1_000_000
"""Free bytes without which no output is started."""
_LONGEST_SUFFIX = 32
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")
_PATTERN = re.compile(r"%\d*d|[*?]")
_S3 = re.compile(r"s3:/+(?=[^/])")  # pathlib makes one slash of the two in s3://


class Kind(Enum):
    """What a run writes at a path."""

    FILE = auto()
    FOLDER = auto()
    EITHER = auto()


@dataclass(frozen=True, slots=True)
class Written:
    """A path that a run will write.

    Parameters
    ----------
    what
        What it is, for messages: "the report".
    path
        Where it will be.
    kind
        Whether it is a file or a folder.
    """

    what: str
    path: Path
    kind: Kind = Kind.FILE


def check_paths(
    read: Iterable[Path], written: Sequence[Written], *, overwrite: bool = False
) -> None:
    """Refuse paths that a run cannot read or write, or must not write.

    Links are followed and files are compared by inode, so the same file under two names is found.

    Parameters
    ----------
    read
        Files and folders that the run reads; pipes (`-`) and addresses of S3 are not checked.
    written
        Files and folders that the run will write.
    overwrite
        Whether outputs that exist may be replaced.

    Raises
    ------
    InputError
        Where a path to read does not exist or must not be read.
    UsageError
        Where an output is an input, another output, or inside an input or output folder.
    OutputError
        Where an output exists already, or cannot be written: no folder, no rights, no room, or a
        name that is too long.
    """
    sources = [path for path in read if not _is_elsewhere(path)]
    written = [item for item in written if not _is_elsewhere(item.path)]
    for path in sources:
        _check_readable(path)
    for item in written:
        _check_place(item)
    _check_distinct(sources, written)
    for item in written:
        _check_existing(item, overwrite)


def check_room(path: Path, needed: int, what: str) -> None:
    """Refuse to start what would not fit on the disk.

    Parameters
    ----------
    path
        A file or folder that will be written.
    needed
        Its size in bytes, about, together with all that is written at the same time.
    what
        What it is, for messages: "the report".

    Raises
    ------
    OutputError
        Where less is free; the message says how much is needed and how much there is.
    """
    folder = _folder_of(path)
    try:
        free = shutil.disk_usage(folder).free
    except OSError:
        return  # a file system that does not say
    if free < needed:
        raise OutputError(
            f"{path}: {what} needs about {in_words(needed)}, and {in_words(free)} are free in "
            f"{folder}; free space or choose another disk"
        )


def missing(path: Path) -> InputError:
    """The error for an input that is not there, with advice where its name is no path."""
    advice = ""
    if _ADDRESS.match(str(path)):
        advice = "; addresses are not read: download it, or pipe it in and name `-`"
    elif _PATTERN.search(path.name):
        advice = f"; patterns are not read: name the folder of the pictures, {path.parent}/"
    elif str(path).startswith("~"):
        advice = "; the shell did not replace the ~: write out the folder"
    return InputError(f"{path}: there is no such file or folder{advice}")


def on_one_disk(path: Path, other: Path) -> bool:
    """Whether two files that will be written take the room of the same file system."""
    return _folder_of(path).stat().st_dev == _folder_of(other).stat().st_dev


def in_words(size: int) -> str:
    """A number of bytes for people: "1.5 MB"."""
    return f"{size / 1e9:,.1f} GB" if size >= 1e9 else f"{size / 1e6:.1f} MB"


def written_paths(
    *,
    output: Path | None = None,
    crops: Path | None = None,
    features: Path | None = None,
    analysis: Path | None = None,
    contact_sheet: Path | None = None,
    report: Path | None = None,
    matte: Path | None = None,
    keyframes: Path | None = None,
) -> list[Written]:
    """The outputs of a run that are asked for, as `check_paths` takes them."""
    named = (
        ("the output", output, Kind.EITHER),
        ("the folder of crops", crops, Kind.FOLDER),
        ("the file of features", features, Kind.FILE),
        ("the analysis", analysis, Kind.FILE),
        ("the contact sheet", contact_sheet, Kind.FILE),
        ("the report", report, Kind.FILE),
        ("the matte", matte, Kind.EITHER),
        ("the keyframes", keyframes, Kind.FILE),
    )
    return [Written(what, path, kind) for what, path, kind in named if path is not None]


def readable(text: str) -> str:
    """Return a name or message with bytes that are not UTF-8 written as \\xNN, for JSON."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def is_s3(path: Path) -> bool:
    """Whether the path is an address of S3, whose slashes pathlib joins."""
    return _S3.match(str(path)) is not None


def _is_elsewhere(path: Path) -> bool:
    """Whether a path is no file: a pipe, or an address of S3."""
    return str(path) == "-" or is_s3(path)


def temporary_beside(path: Path) -> Path:
    """Return a hidden name in the same folder, with the same extension, that nothing else uses.

    The name is no longer than the file system allows, however long that of `path` is.
    """
    suffix = path.suffix if len(os.fsencode(path.suffix)) <= _LONGEST_SUFFIX else ""
    ending = f".{os.getpid()}-{os.urandom(3).hex()}.partial{suffix}"
    return path.with_name(_shortened(f".{path.stem}", ending))


def with_ending(path: Path, ending: str) -> Path:
    """Return `path` with `ending` behind its name, which is cut where it would be too long."""
    return path.with_name(_shortened(path.name, ending))


def _folder_of(path: Path) -> Path:
    """The folder a path lies in, or will lie in: the nearest one that is there."""
    real = Path(os.path.realpath(path))
    return next((item for item in real.parents if item.is_dir()), real.parent)


def _shortened(name: str, ending: str) -> str:
    room = NAME_BYTES - len(os.fsencode(ending))
    while len(os.fsencode(name)) > room:
        name = name[:-1]
    return name + ending


def _check_readable(path: Path) -> None:
    try:
        path.stat()
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR):
            raise missing(path) from error
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    if not os.access(path, os.R_OK):
        raise InputError(f"{path}: cannot be read (permission denied)")


def _check_place(item: Written) -> None:
    """The folder of an output must exist, be writable and have room; the name must fit."""
    path, folder = item.path, Path(os.path.realpath(item.path)).parent
    if len(os.fsencode(path.name)) > _longest_name(folder):
        raise OutputError(
            f"{path.name[:40]}…: this name is longer than the {_longest_name(folder)} bytes that "
            "the file system allows; choose a shorter one"
        )
    if not folder.is_dir():
        raise OutputError(f"{path}: the folder {folder} does not exist; create it first")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise OutputError(f"{path}: the folder {folder} may not be written to")
    check_room(path, LEAST_ROOM, item.what)


def _longest_name(folder: Path) -> int:
    try:
        return os.pathconf(folder, "PC_NAME_MAX")
    except (AttributeError, OSError, ValueError):
        return NAME_BYTES


def _check_distinct(sources: Sequence[Path], written: Sequence[Written]) -> None:
    """No output may be an input, another output, or inside the folder of either."""
    for number, item in enumerate(written):
        lineage = _lineage(item.path)
        for source in sources:
            inside = source.is_dir() and _identity(source) in lineage[1:]
            if _identity(source) == lineage[0]:
                raise UsageError(
                    f"{item.path}: this is an input; {item.what} is never written onto the input"
                )
            if inside:
                raise UsageError(
                    f"{item.path}: lies inside the input folder {source}; choose a place outside"
                )
            if item.kind is not Kind.FILE and lineage[0] in _lineage(source)[1:]:
                raise UsageError(
                    f"{item.path}: holds the input {source}; name another folder for {item.what}"
                )
        for other in (*written[:number], *written[number + 1 :]):
            if other.kind is not Kind.FILE and _identity(other.path) in lineage[1:]:
                raise UsageError(
                    f"{item.path}: lies inside {other.path}, which is {other.what}; choose a place "
                    "outside"
                )
        for other in written[:number]:
            if _identity(other.path) == lineage[0]:
                raise UsageError(f"{item.path}: is both {other.what} and {item.what}; name two")


def _lineage(path: Path) -> list[tuple[int, int, str]]:
    """The identity of a path, and those of the folders around it."""
    real = Path(os.path.realpath(path))
    return [_identity(item) for item in (real, *real.parents)]


def _identity(path: Path) -> tuple[int, int, str]:
    """Device and inode; of what does not exist those of its folder, and its name."""
    real = Path(os.path.realpath(path))
    try:
        found = real.stat()
        return found.st_dev, found.st_ino, ""
    except OSError:
        pass
    try:
        folder = real.parent.stat()
        return folder.st_dev, folder.st_ino, real.name
    except OSError:
        return -1, -1, str(real)


def _check_existing(item: Written, overwrite: bool) -> None:
    """An output that exists is of the right kind, and replaced only on request."""
    path = item.path
    try:
        found = path.lstat()
    except FileNotFoundError:
        return
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror})") from error
    if path.is_dir():
        if item.kind is Kind.FILE:
            raise UsageError(f"{path}: is a folder; name a file for {item.what}")
        if not any(path.iterdir()):
            return
    elif item.kind is Kind.FOLDER:
        raise UsageError(f"{path}: is a file; name a folder for {item.what}")
    elif not (stat.S_ISREG(found.st_mode) or stat.S_ISLNK(found.st_mode)):
        raise UsageError(f"{path}: is no regular file; name a file for {item.what}")
    if not overwrite:
        raise OutputError(
            f"{path}: exists already, and is kept; choose another name, or replace it with "
            "--overwrite (overwrite=True in Python)"
        )
