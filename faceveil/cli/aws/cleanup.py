"""`faceveil aws cleanup`: delete what a job has left in the bucket, features first."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from faceveil.cli.arguments import Commands, add_command
from faceveil.cli.aws.deployment import (
    add_deployment,
    add_dry_run,
    checked_id,
    client_of,
    jobs_of,
    own_frames,
    uses,
)
from faceveil.errors import InputError, UsageError
from faceveil.parallel import ordered_map

if TYPE_CHECKING:
    from faceveil.aws.s3 import S3Location
    from faceveil.jobs.client import JobClient
    from faceveil.jobs.job import Job

DESCRIPTION = """\
Delete what a job has left in the bucket, features first. Other jobs are not touched, and what
another job still uses is not deleted.

  faceveil aws cleanup talk-1 --features                detections, which hold biometric data
  faceveil aws cleanup talk-1 --features --frames --results --yes

job.json and the records of the start stay, so that the id is never used for another job:
SageMaker accepts the name of a transform job once.
"""

RUNNING = ("waiting", "detecting", "analysing", "rendering")
READERS = 8


@dataclass(slots=True)
class _Part:
    """What lies in one place."""

    what: str
    place: S3Location
    keep: tuple[str, ...] = ()
    names: list[str] = field(default_factory=list)
    size: int = 0

    def list(self) -> None:
        for page in self.place.pages(recursive=True):
            for item in page:
                if item.name not in self.keep:
                    self.names.append(item.name)
                    self.size += item.size

    def __str__(self) -> str:
        return (
            f"{self.place.uri()}: {len(self.names)} objects, {self.size / 1e6:.1f} MB: {self.what}"
        )


def add_cleanup_parser(verbs: Commands) -> None:
    """Add `cleanup` to the verbs."""
    parser = add_command(
        verbs, "cleanup", "JOB", "delete what a job has left in the bucket", DESCRIPTION
    )
    parser.add_argument("job", metavar="JOB")
    for name, what in (
        ("features", "detections/<id>/, which hold biometric data"),
        ("frames", "frames/<id>/"),
        (
            "results",
            "all of jobs/<id>/ but job.json and a review's corrections.json: photos, veiled "
            "frames, report",
        ),
    ):
        parser.add_argument(f"--{name}", action="store_true", help=f"delete {what}")
    parser.add_argument("--yes", action="store_true", help="do not ask")
    add_deployment(parser)
    add_dry_run(parser)
    parser.set_defaults(func=run_cleanup)


def run_cleanup(options: argparse.Namespace) -> int:
    """`faceveil aws cleanup`: delete what the options name, after asking."""
    job_id = checked_id(options.job)
    if not (options.features or options.frames or options.results):
        raise UsageError("nothing selected: pass --features, --frames or --results")
    client = client_of(options)
    _check_ended(client, job_id)
    parts = list(_parts(client, job_id, options))
    for part in parts:
        part.list()
    _check_unused(client, job_id, [part for part in parts if part.names])
    for part in parts:
        print(part)
    if options.dry_run:
        print("nothing is deleted (--dry-run)")
        return 0
    if not any(part.names for part in parts):
        print("there is nothing to delete")
        return 0
    if not (options.yes or _confirmed(job_id)):
        print("nothing is deleted")
        return 0
    for part in parts:
        part.place.delete(part.names)
    print(f"deleted {sum(len(part.names) for part in parts)} objects of job {job_id}")
    return 0


def _parts(client: JobClient, job_id: str, options: argparse.Namespace) -> Iterator[_Part]:
    """What is deleted, in this order."""
    from faceveil.jobs.job import job_prefix, own_detections
    from faceveil.jobs.job_folder import CORRECTIONS, JOB, STARTED, SUBMIT_ANNOUNCED

    if options.features:
        place = client.bucket.folder(own_detections(job_id))
        yield _Part("detections with features", place)
    if options.frames:
        yield _Part("frames", client.bucket.folder(own_frames(job_id)))
    if options.results:
        place = client.bucket.folder(job_prefix(job_id))
        kept = (JOB, CORRECTIONS, STARTED, SUBMIT_ANNOUNCED)
        yield _Part("photos, veiled frames and reports; job.json stays", place, kept)


def _check_ended(client: JobClient, job_id: str) -> None:
    from faceveil.jobs.job_folder import UnknownJobError

    try:
        status = client.status(job_id)
    except UnknownJobError:
        return  # frames that were never submitted
    if status.state in RUNNING:
        raise InputError(f"job {job_id} is {status}: wait until it has ended, or stop it first")


def _check_unused(client: JobClient, job_id: str, parts: list[_Part]) -> None:
    """Raise InputError where another job that has not ended still reads what would be deleted."""
    shared = [part for part in parts if not part.keep]
    if not shared:
        return
    others = [other for other in jobs_of(client) if other != job_id]
    for job in ordered_map(partial(_job_of, client), others, READERS):
        if job is None:
            continue
        for part in shared:
            if uses(job, part.place.prefix) and not client.status(job.id).has_ended:
                raise InputError(
                    f"{part.place.uri()}: job {job.id} still needs it: wait until that has ended"
                )


def _job_of(client: JobClient, job_id: str) -> Job | None:
    from faceveil.jobs.job_folder import load_job

    try:
        return load_job(client.bucket, job_id)
    except InputError:
        return None  # never submitted, or not a job that could run


def _confirmed(job_id: str) -> bool:
    if not sys.stdin.isatty():
        raise UsageError(
            "no terminal to ask for confirmation on: add --yes to delete without asking"
        )
    return input(f"Delete these objects of job {job_id}? [y/N] ").strip().lower() in ("y", "yes")
