"""`faceveil watch`: veil what arrives in a folder, or below a prefix of S3."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from faceveil.cli import parsing
from faceveil.cli.arguments import Commands, add_analysed, add_command, add_progress
from faceveil.cli.finding_arguments import add_following, add_networks, add_regions, add_selection
from faceveil.cli.many import (
    SEVERITY,
    Work,
    is_video,
    make_folder,
    make_side_folders,
    output_name,
    veil_each,
)
from faceveil.cli.messages import say
from faceveil.cli.output_arguments import add_rendering, add_verification
from faceveil.cli.program import say_error
from faceveil.cli.veil import veil_one
from faceveil.errors import FaceveilError, InputError, UsageError
from faceveil.files import replace_file
from faceveil.paths import check_room, is_s3

DESCRIPTION = """\
Veil every video and picture that arrives in a folder, or below a prefix of S3, until interrupted.

  faceveil watch incoming/ veiled/
  faceveil watch s3://media/incoming/ veiled/ --keep photos/anchor/
  faceveil watch incoming/ veiled/ --once             veil what is there, and end

A file is veiled once it has stopped growing. What has its output is done; what failed is written to
veiled/.faceveil-failed.json and tried again when the file changes. So the command may be stopped
and started at any time. An output appears under its name only when it is complete and verified.
What changes after it was veiled is named, and veiled again with --overwrite. --report, --analysis,
--contact-sheet and so on are folders, as with `faceveil veil --output-dir`.
"""
FAILED = ".faceveil-failed.json"
DONE = ".faceveil-done.json"
LOCK = ".faceveil-watch.lock"
INCOMING = ".faceveil-incoming"
"""A folder of what is downloaded; also after the machine failed, it is emptied before each use."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """A file as it was when it was listed; a changed one has another stamp."""

    name: str
    stamp: str


class Inbox(Protocol):
    """Where files arrive."""

    def list(self) -> list[Arrival]:
        """The files that are there now, by name. Raises InputError."""
        ...

    def fetched(self, arrival: Arrival) -> Iterator[Path]:
        """A context with the file on this machine. Raises InputError, OutputError."""
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
    add_regions(parser)
    add_networks(parser)
    add_following(parser)
    add_rendering(parser)
    add_verification(parser)
    add_progress(parser)
    parser.set_defaults(
        func=run_watch, dry_run=False, interrupted="run the same command again to continue"
    )


def run_watch(options: argparse.Namespace) -> int:
    """`faceveil watch`; with --once the exit code is that of the worst failure."""
    if options.every <= 0:
        raise UsageError(f"--every {options.every}: must be more than 0")
    inbox = _open_inbox(options.input, options.output)
    make_folder(options.output)
    make_side_folders(options)
    arrivals = inbox.list()
    with _only_watcher(options.output):
        say(options, f"faceveil: watching {options.input}; stop with Ctrl-C")
        watcher = _Watcher(inbox, options)
        while True:
            unsettled = watcher.veil_settled(arrivals)
            if options.once and not unsettled:
                return watcher.worst
            time.sleep(options.every)
            try:
                arrivals = inbox.list()
            except FaceveilError as error:  # of the network, which comes back
                if options.once:
                    raise
                say_error("faceveil", error)


class _Watcher:
    """Veils what has stopped growing, and remembers what became of it."""

    def __init__(self, inbox: Inbox, options: argparse.Namespace) -> None:
        self._inbox = inbox
        self._options = options
        self._folder: Path = options.output
        self._listed: dict[str, str] = {}
        self._told: set[Arrival] = set()
        self.worst = 0

    def veil_settled(self, arrivals: list[Arrival]) -> bool:
        """Veil what is as it was when it was last listed; returns whether something is not."""
        names = {item.name for item in arrivals}
        wanted = []
        for item in arrivals:
            if _is_wanted(item.name):
                wanted.append(item)
            else:
                self._tell(Arrival(item.name, ""), "left out, since it is no video or picture")
        settled = [item for item in wanted if self._listed.get(item.name) == item.stamp]
        for item in settled:
            code = self._veil(item, names)
            self.worst = max(self.worst, code, key=SEVERITY.index)
        self._listed = {item.name: item.stamp for item in wanted}
        return len(settled) < len(wanted)

    def _veil(self, arrival: Arrival, names: set[str]) -> int:
        name = arrival.name
        output = self._folder / output_name(Path(name), names, self._folder)
        failed, done = _read_stamps(self._folder / FAILED), _read_stamps(self._folder / DONE)
        if output.exists():
            if name not in done:
                self._note(DONE, done | {name: arrival.stamp})
                return 0
            if done[name] == arrival.stamp:
                return 0
            if not self._options.overwrite:
                self._tell(arrival, "has changed, and its output is kept without --overwrite")
                return 0
        elif failed.get(name) == arrival.stamp:
            return 0
        code = self._veil_fetched(arrival, output)
        failed.pop(name, None)
        if code and not output.exists():
            failed[name] = arrival.stamp
        else:
            done[name] = arrival.stamp
        self._note(FAILED, failed)
        self._note(DONE, done)
        return code

    def _note(self, file: str, stamps: dict[str, str]) -> None:
        replace_file(self._folder / file, json.dumps(stamps, indent=2).encode())

    def _veil_fetched(self, arrival: Arrival, output: Path) -> int:
        try:
            with contextmanager(self._inbox.fetched)(arrival) as path:
                return veil_each([Work(path, output)], self._options, veil_one)
        except FaceveilError as error:  # gone by now, or no room for it
            return say_error(f"faceveil: {arrival.name}", error)

    def _tell(self, arrival: Arrival, text: str) -> None:
        """Say something about a file, once for each state of it."""
        if arrival not in self._told:
            self._told.add(arrival)
            say(self._options, f"faceveil: {arrival.name}: {text}")


def _read_stamps(path: Path) -> dict[str, str]:
    """The stamps of files, by name; none where there is no such list."""
    try:
        stamps = json.loads(path.read_bytes())
        return {str(name): str(stamp) for name, stamp in stamps.items()}
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

    def __init__(self, path: Path, output: Path) -> None:
        self._path = path
        self._output = output

    def list(self) -> list[Arrival]:
        try:
            entries = sorted(self._path.iterdir())
        except OSError as error:
            raise InputError(f"{self._path}: cannot be listed ({error.strerror})") from error
        arrivals = []
        for path in entries:
            with suppress(FileNotFoundError):  # moved away since
                found = path.stat()
                if path.name.startswith(".") or path.samefile(self._output):
                    continue
                if path.is_dir():
                    arrivals.append(Arrival(f"{path.name}/", ""))
                elif found.st_size:
                    arrivals.append(Arrival(path.name, f"{found.st_size}-{found.st_mtime_ns}"))
        return arrivals

    def fetched(self, arrival: Arrival) -> Iterator[Path]:
        yield self._path / arrival.name


class _Prefix:
    """Objects below a prefix of S3, which are there whole or not at all."""

    def __init__(self, address: str, folder: Path) -> None:
        from faceveil.aws.s3 import S3Location

        self._place = S3Location.open(address)
        self._folder = folder
        self._sizes: dict[str, int] = {}

    def list(self) -> list[Arrival]:
        items = [item for page in self._place.pages() for item in page if item.size]
        self._sizes = {item.name: item.size for item in items}
        return [Arrival(item.name, item.etag) for item in items]

    def fetched(self, arrival: Arrival) -> Iterator[Path]:
        path = self._folder / arrival.name
        check_room(path, self._sizes[arrival.name], "its copy on this machine")
        try:
            shutil.rmtree(self._folder, ignore_errors=True)
            make_folder(self._folder)
            self._place.download(arrival.name, path)
            yield path
        finally:
            shutil.rmtree(self._folder, ignore_errors=True)


def _open_inbox(path: Path, output: Path) -> Inbox:
    if is_s3(output):
        raise UsageError(f"{output}: OUT is a folder of this machine; jobs write to S3")
    if is_s3(path):
        address = "s3://" + str(path).removeprefix("s3:").lstrip("/")
        return _Prefix(address, output / INCOMING)
    if not path.is_dir():
        raise InputError(f"{path}: there is no such folder")
    if os.path.realpath(path) == os.path.realpath(output):
        raise UsageError(f"{output}: the outputs need another folder than the inputs")
    return _Folder(path, output)


def _is_wanted(name: str) -> bool:
    """Whether the name is that of a picture or video, and of no temporary file."""
    from faceveil.media.single_picture import is_picture

    path = Path(name)
    return not name.startswith("~") and (is_video(path) or is_picture(path))
