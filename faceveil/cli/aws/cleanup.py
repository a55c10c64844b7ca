"""`faceveil aws cleanup`: what a job leaves in the bucket is deleted, features first."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from faceveil.aws.s3 import S3Location
from faceveil.cli.aws.deployment import checked_id, client_of, jobs_of, own_frames, uses
from faceveil.errors import InputError, UsageError
from faceveil.jobs.client import JobClient
from faceveil.jobs.job import Job, job_prefix, own_detections
from faceveil.jobs.job_folder import JOB, UnknownJobError, load_job
from faceveil.jobs.submission import ANNOUNCED, STARTED
from faceveil.parallel import ordered_map

KEPT = (JOB, STARTED, ANNOUNCED)
"""Of jobs/<id>/: the id stays taken, since SageMaker gives the name of a transform job once."""
RUNNING = ("detecting", "analysing", "rendering")
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


def cleanup(options: Namespace) -> int:
    """Delete what the options name, after asking; the exit code."""
    job_id = checked_id(options.job)
    if not (options.features or options.frames or options.results):
        raise UsageError("what shall go? Name --features, --frames, --results, or several of them")
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


def _parts(client: JobClient, job_id: str, options: Namespace) -> Iterator[_Part]:
    """In the order in which they go."""
    if options.features:
        place = client.bucket.folder(own_detections(job_id))
        yield _Part("detections with features", place)
    if options.frames:
        yield _Part("frames", client.bucket.folder(own_frames(job_id)))
    if options.results:
        place = client.bucket.folder(job_prefix(job_id))
        yield _Part("photos, veiled frames and reports; job.json stays", place, KEPT)


def _check_ended(client: JobClient, job_id: str) -> None:
    try:
        status = client.status(job_id)
    except UnknownJobError:
        return  # frames that were never submitted
    if status.state in RUNNING:
        raise InputError(f"job {job_id} is {status}: wait until it has ended, or stop it first")


def _check_unused(client: JobClient, job_id: str, parts: list[_Part]) -> None:
    """Raises InputError where another job that has not completed reads what would go."""
    shared = [part for part in parts if not part.keep]
    if not shared:
        return
    look: Callable[[str], Job | None] = lambda other: _job_of(client, other)  # noqa: E731
    others = [other for other in jobs_of(client) if other != job_id]
    for job in ordered_map(look, others, READERS):
        if job is None:
            continue
        for part in shared:
            if uses(job, part.place.prefix) and not client.status(job.id).has_ended:
                raise InputError(
                    f"{part.place.uri()}: job {job.id} still needs it: wait until that has ended"
                )


def _job_of(client: JobClient, job_id: str) -> Job | None:
    try:
        return load_job(client.bucket, job_id)
    except InputError:
        return None  # never submitted, or not a job that could run


def _confirmed(job_id: str) -> bool:
    if not sys.stdin.isatty():
        raise UsageError("nobody is there to be asked: add --yes to delete without asking")
    return input(f"Delete this of job {job_id}? [y/N] ").strip().lower() in ("y", "yes")
