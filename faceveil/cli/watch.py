"""`faceveil watch`: veil what arrives in a folder, or below a prefix of S3."""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from faceveil.cli import parsing
from faceveil.cli.arguments import (
    Commands,
    add_analysed,
    add_command,
    add_following,
    add_networks,
    add_progress,
    add_rendering,
    add_selection,
    add_verification,
)
from faceveil.cli.many import Work, is_video, make_folder, output_name, veil_each
from faceveil.cli.messages import say
from faceveil.cli.veil import veil_one
from faceveil.errors import InputError, UsageError
from faceveil.files import replace_file

DESCRIPTION = """\
Veil every video and picture that arrives in a folder, or below a prefix of S3, until interrupted.

  faceveil watch incoming/ veiled/
  faceveil watch s3://media/incoming/ veiled/ --keep photos/anchor/
  faceveil watch incoming/ veiled/ --once             veil what is there, and end

A file is veiled once it has stopped growing. What has its output is done; what failed is written to
veiled/.faceveil-failed.json and tried again when the file changes. So the command may be stopped
and started at any time. An output appears under its name only when it is complete and verified.
"""
FAILED = ".faceveil-failed.json"
LOCK = ".faceveil-watch.lock"


@dataclass(frozen=True, slots=True)
class Arrival:
    """A file as it was when it was listed; a changed one has another stamp."""

    name: str
    stamp: str


class Inbox(Protocol):
    """Where files arrive."""

    def list(self) -> list[Arrival]:
        """The videos and pictures that are there now, by name."""
        ...

    def fetched(self, arrival: Arrival) -> Iterator[Path]:
        """A context with the file on this machine."""
        ...


def add_watch_parser(commands: Commands) -> None:
    """Add `watch` to the commands."""
    parser = add_command(commands, "watch", "IN OUT", "veil what arrives in a folder", DESCRIPTION)
    parser.add_argument("input", type=parsing.path, metavar="IN", help="a folder or s3://…/")
    parser.add_argument("output", type=parsing.path, metavar="OUT", help="a folder")
    parser.add_argument(
        "--every", type=float, default=5.0, metavar="S", help="seconds between two listings (5)"
    )
    parser.add_argument("--once", action="store_true", help="veil what is there, and end")
    add_analysed(parser)
    add_selection(parser)
    add_networks(parser)
    add_following(parser)
    add_rendering(parser)
    add_verification(parser)
    add_progress(parser)
    parser.set_defaults(func=run_watch, interrupted="run the same command again to continue")


def run_watch(options: argparse.Namespace) -> int:
    """`faceveil watch`; with --once the exit code is that of the worst failure."""
    if options.every <= 0:
        raise UsageError(f"--every {options.every}: must be more than 0")
    make_folder(options.output)
    inbox = _open_inbox(options.input, options.output)
    with _only_watcher(options.output):
        say(options, f"faceveil: watching {options.input}; stop with Ctrl-C")
        known: dict[str, str] = {}
        worst = 0
        while True:
            arrivals = inbox.list()
            settled = [item for item in arrivals if known.get(item.name) == item.stamp]
            codes = [_veil(item, inbox, options) for item in settled]
            worst = max([worst, *codes])
            unsettled = len(settled) < len(arrivals)
            known = {item.name: item.stamp for item in arrivals}
            if options.once and not unsettled:
                return worst
            time.sleep(options.every)


def _veil(arrival: Arrival, inbox: Inbox, options: argparse.Namespace) -> int:
    output = options.output / output_name(Path(arrival.name))
    failed = _read_failed(options.output)
    if output.exists() or failed.get(arrival.name) == arrival.stamp:
        return 0
    with contextmanager(inbox.fetched)(arrival) as path:
        code = veil_each([Work(path, output)], options, veil_one)
    failed.pop(arrival.name, None)
    if code and not output.exists():
        failed[arrival.name] = arrival.stamp
    replace_file(options.output / FAILED, json.dumps(failed, indent=2).encode())
    return code


def _read_failed(folder: Path) -> dict[str, str]:
    """The stamps of files that failed, by name; none where the file cannot be read."""
    try:
        failed = json.loads((folder / FAILED).read_bytes())
        return {str(name): str(stamp) for name, stamp in failed.items()}
    except (OSError, ValueError, AttributeError):
        return {}


@contextmanager
def _only_watcher(folder: Path) -> Iterator[None]:
    """Hold the folder's lock. Raises UsageError where another command holds it."""
    from filelock import FileLock, Timeout

    lock = FileLock(folder / LOCK)
    try:
        with lock.acquire(timeout=0):
            yield
    except Timeout as error:
        raise UsageError(f"{folder}: another `faceveil watch` writes into it") from error


class _Folder:
    """A folder of this machine."""

    def __init__(self, path: Path) -> None:
        if not path.is_dir():
            raise InputError(f"{path}: there is no such folder")
        self._path = path

    def list(self) -> list[Arrival]:
        arrivals = []
        for path in sorted(self._path.iterdir()):
            if not _is_wanted(path.name) or not path.is_file():
                continue
            found = path.stat()
            if found.st_size:
                arrivals.append(Arrival(path.name, f"{found.st_size}-{found.st_mtime_ns}"))
        return arrivals

    def fetched(self, arrival: Arrival) -> Iterator[Path]:
        yield self._path / arrival.name


class _Prefix:
    """Objects below a prefix of S3, which are there whole or not at all."""

    def __init__(self, address: str) -> None:
        from faceveil.aws.s3 import S3Location

        self._place = S3Location.open(address)

    def list(self) -> list[Arrival]:
        items = (item for page in self._place.pages() for item in page)
        return [Arrival(item.name, item.etag) for item in items if _is_wanted(item.name)]

    def fetched(self, arrival: Arrival) -> Iterator[Path]:
        folder = Path(tempfile.mkdtemp(prefix="faceveil-watch-"))
        try:
            path = folder / arrival.name
            self._place.download(arrival.name, path)
            yield path
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _open_inbox(path: Path, output: Path) -> Inbox:
    from faceveil.paths import is_s3

    if is_s3(path):
        return _Prefix("s3://" + str(path).removeprefix("s3:").lstrip("/"))
    if path.resolve() == output.resolve():
        raise UsageError(f"{output}: the outputs need another folder than the inputs")
    return _Folder(path)


def _is_wanted(name: str) -> bool:
    """Whether the name is that of a picture or video, and no hidden or temporary file."""
    from faceveil.media.single_picture import is_picture

    path = Path(name)
    hidden = name.startswith((".", "~")) or "/" in name
    return not hidden and (is_video(path) or is_picture(path))
