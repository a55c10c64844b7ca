"""`faceveil aws download`: what a completed job has made, checked against its manifest."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from faceveil.cli.aws.deployment import client_of
from faceveil.cli.options import say
from faceveil.errors import InputError, OutputError, UsageError
from faceveil.files import file_digest, replace_file
from faceveil.jobs.client import JobClient, Results
from faceveil.jobs.job import job_prefix
from faceveil.jobs.job_folder import ANALYSIS, MANIFEST, REPORT
from faceveil.media.publish import temporary_beside
from faceveil.parallel import ordered_map
from faceveil.progress import choose_progress

VEILED = "veiled"
TRIES = 2
"""Fetches of an object whose content is not what the manifest says: it may have come broken."""


def download(options: Namespace) -> int:
    """Fetch what is not there already; the exit code."""
    client = client_of(options)
    results = client.results(options.job)
    places = _places(results, options.destination)
    _check_folder(options.destination, places)
    folder = client.bucket.folder(job_prefix(options.job))
    if options.dry_run:
        have = sum(_is_right(path, results.sha256[key]) for key, path in places.items())
        print(
            f"would fetch {len(places) - have} of {len(places)} files, {REPORT}, {ANALYSIS} and "
            f"{MANIFEST}, from {folder.uri()} into {options.destination}"
        )
        return 0
    for path in {options.destination, *(path.parent for path in places.values())}:
        _make_folder(path)
    for name in (REPORT, ANALYSIS, MANIFEST):
        replace_file(options.destination / name, folder.read(name))
    fetched = _fetch_all(client, results.sha256, places, options)
    say(options, f"{options.destination}: {len(places)} files, {fetched} of them fetched now")
    return 0


def _places(results: Results, destination: Path) -> dict[str, Path]:
    """Where each object goes. Raises InputError for a manifest with names that lead elsewhere."""
    places: dict[str, Path] = {}
    for key in results.sha256:
        if key.startswith(results.output_prefix):
            name = PurePosixPath(VEILED, key.removeprefix(results.output_prefix))
        else:
            name = PurePosixPath(PurePosixPath(key).name)
        if ".." in name.parts or name.is_absolute() or "\\" in str(name):
            raise InputError(f"{key}: this name would not stay in {destination}: not fetched")
        places[key] = destination / name
    return places


def _check_folder(destination: Path, places: Mapping[str, Path]) -> None:
    if destination.exists() and not destination.is_dir():
        raise UsageError(f"{destination}: is a file; name a folder")
    frames = destination / VEILED
    wanted = set(places.values())
    if frames.is_dir():
        for path in sorted(frames.iterdir()):
            if path not in wanted and not path.name.startswith("."):
                raise UsageError(
                    f"{path}: is not of this job; choose another folder, so that frames are never "
                    "mixed"
                )


def _make_folder(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise OutputError(f"{path}: cannot be made ({problem.strerror})") from problem


def _fetch_all(
    client: JobClient, sha256: Mapping[str, str], places: Mapping[str, Path], options: Namespace
) -> int:
    """How many were fetched; the others were there and right."""

    def fetch(key: str) -> bool:
        if _is_right(places[key], sha256[key]):
            return False
        _fetch(client, key, places[key], sha256[key])
        return True

    progress = choose_progress(options.progress, options.quiet)
    fetched = 0
    with progress.stage("download", len(places)) as stage:
        for was_fetched in ordered_map(fetch, places, options.workers):
            fetched += was_fetched
            stage.advance()
    return fetched


def _fetch(client: JobClient, key: str, path: Path, sha256: str) -> None:
    """Fetch an object under a temporary name, check it, and rename it."""
    temporary = temporary_beside(path)
    try:
        for _ in range(TRIES):
            client.bucket.download(key, temporary)
            if _is_right(temporary, sha256):
                temporary.replace(path)
                return
    except OSError as problem:
        raise OutputError(f"{path}: cannot be written ({problem.strerror})") from problem
    finally:
        temporary.unlink(missing_ok=True)
    raise InputError(
        f"{client.bucket.uri(key)}: is not what the job has made (its SHA-256 differs from "
        f"{MANIFEST}): it was changed since; repair it with `faceveil-postprocess run`"
    )


def _is_right(path: Path, sha256: str) -> bool:
    return path.is_file() and file_digest(path) == f"sha256:{sha256}"
