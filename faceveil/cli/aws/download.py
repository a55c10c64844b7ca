"""`faceveil aws download`: the results of a completed job, checked against its manifest."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from faceveil.cli import parsing
from faceveil.cli.arguments import Commands, add_command, add_overwrite, add_progress
from faceveil.cli.aws.deployment import add_deployment, add_dry_run, client_of
from faceveil.cli.messages import say
from faceveil.errors import InputError, OutputError, UsageError
from faceveil.files import file_digest, replace_file
from faceveil.parallel import ordered_map
from faceveil.paths import check_room
from faceveil.progress import choose_progress

if TYPE_CHECKING:
    from faceveil.jobs.client import JobClient, Results

DESCRIPTION = """\
Download the results of a completed job: DEST/veiled/, analysis.json, report.json, the video, and
the corrections.json that it was rendered with, if any.

Every frame is checked against its SHA-256 in the job's manifest. Files that are already there and
intact are not downloaded again, so repeat the command after an interruption.
"""

VEILED = "veiled"
TRIES = 2
"""Downloads of an object whose content is not what the manifest says: it may arrive broken."""


def add_download_parser(verbs: Commands) -> None:
    """Add `download` to the verbs."""
    parser = add_command(
        verbs, "download", "JOB DEST", "download the results of a job", DESCRIPTION
    )
    parser.add_argument("job", metavar="JOB")
    parser.add_argument("destination", type=parsing.path, metavar="DEST", help="a folder")
    parser.add_argument(
        "--workers",
        type=parsing.positive,
        default=16,
        metavar="N",
        help="files downloaded at once (16)",
    )
    add_overwrite(parser)
    add_deployment(parser)
    add_dry_run(parser)
    add_progress(parser)
    parser.set_defaults(func=run_download)


def run_download(options: argparse.Namespace) -> int:
    """`faceveil aws download`: download what is not there already."""
    from faceveil.jobs.corrections import JobCorrections
    from faceveil.jobs.job import job_prefix
    from faceveil.jobs.job_folder import ANALYSIS, CORRECTIONS, MANIFEST, REPORT

    names = (REPORT, ANALYSIS, MANIFEST)
    client = client_of(options)
    results = client.results(options.job)
    places = _places(results, options.destination)
    _check_folder(options.destination, places)
    folder = client.bucket.folder(job_prefix(options.job))
    if options.dry_run:
        have = sum(_is_right(path, results.sha256[key]) for key, path in places.items())
        print(
            f"would download {len(places) - have} of {len(places)} files, {REPORT}, {ANALYSIS} and "
            f"{MANIFEST}, from {folder.uri()} into {options.destination}"
        )
        return 0
    documents = {options.destination / name: folder.read(name) for name in names}
    corrections = JobCorrections.of(client.bucket, client.job(options.job))
    if corrections is not None:
        documents[options.destination / CORRECTIONS] = corrections.content
    if not options.overwrite:
        _check_kept(documents, results, places)
    check_room(options.destination, _needed(client, results, places), "the download")
    for path in {options.destination, *(path.parent for path in places.values())}:
        _make_folder(path)
    for path, content in documents.items():
        replace_file(path, content)
    fetched = _fetch_all(client, results.sha256, places, options)
    say(options, f"{options.destination}: {len(places)} files, {fetched} of them downloaded now")
    return 0


def _places(results: Results, destination: Path) -> dict[str, Path]:
    """The path of each object. Raises InputError for a name that leads out of the folder."""
    places: dict[str, Path] = {}
    for key in results.sha256:
        if key.startswith(results.output_prefix):
            name = PurePosixPath(VEILED, key.removeprefix(results.output_prefix))
        else:
            name = PurePosixPath(PurePosixPath(key).name)
        if ".." in name.parts or name.is_absolute() or "\\" in str(name):
            raise InputError(f"{key}: this name leads out of {destination}: not downloaded")
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
                    f"{path}: does not belong to this job; choose another folder, so that the "
                    "frames of two jobs are never mixed"
                )


def _needed(client: JobClient, results: Results, places: Mapping[str, Path]) -> int:
    """The bytes of what is not there yet, a part of which may have arrived damaged."""
    missing = {key for key, path in places.items() if not path.exists()}
    frames = client.bucket.folder(results.output_prefix)
    sizes = {
        results.output_prefix + item.name: item.size
        for page in (frames.pages(recursive=True) if missing else ())
        for item in page
    }
    for key in missing - sizes.keys():
        found = client.bucket.find(key)
        sizes[key] = found.size if found else 0
    return sum(sizes[key] for key in missing)


def _check_kept(
    documents: Mapping[Path, bytes], results: Results, places: Mapping[str, Path]
) -> None:
    """Raise OutputError where a file of another content would be replaced.

    Frames below `veiled/` are this job's, and may be repaired.
    """
    others = [path for path, content in documents.items() if _differs(path, content)]
    for key, path in places.items():
        is_frame = key.startswith(results.output_prefix)
        if not is_frame and path.exists() and not _is_right(path, results.sha256[key]):
            others.append(path)
    if others:
        raise OutputError(
            f"{others[0]}: exists already with another content, and is kept; choose another "
            "folder, or replace it with --overwrite"
        )


def _differs(path: Path, content: bytes) -> bool:
    return path.exists() and (not path.is_file() or path.read_bytes() != content)


def _make_folder(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{path}: cannot be made ({error.strerror})") from error


def _fetch_all(
    client: JobClient,
    sha256: Mapping[str, str],
    places: Mapping[str, Path],
    options: argparse.Namespace,
) -> int:
    """Return how many were downloaded; the others were there and intact."""

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
    """Download an object under a temporary name, check it, and rename it."""
    from faceveil.jobs.job_folder import MANIFEST
    from faceveil.paths import temporary_beside

    temporary = temporary_beside(path)
    try:
        for _ in range(TRIES):
            client.bucket.download(key, temporary)
            if _is_right(temporary, sha256):
                temporary.replace(path)
                return
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror})") from error
    finally:
        temporary.unlink(missing_ok=True)
    raise InputError(
        f"{client.bucket.uri(key)}: was changed after the job had written it (its SHA-256 is not "
        f"that of {MANIFEST}): repair it with `faceveil-postprocess run`"
    )


def _is_right(path: Path, sha256: str) -> bool:
    return path.is_file() and file_digest(path) == f"sha256:{sha256}"
