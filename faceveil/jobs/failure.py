"""How a job is marked failed: error.json in its folder, and an event."""

from __future__ import annotations

import logging
from typing import Any

import orjson

from faceveil.aws.s3 import S3Location
from faceveil.aws.s3_errors import LostObjectError
from faceveil.errors import FaceveilError
from faceveil.jobs import events
from faceveil.jobs.ended import mark_ended, mark_open
from faceveil.jobs.events import Stage
from faceveil.jobs.job import job_prefix
from faceveil.jobs.job_folder import ERROR
from faceveil.jobs.job_run import Announce

log = logging.getLogger(__name__)


class StoppedError(FaceveilError):
    """A person has stopped the job."""


STOPPED = StoppedError.__name__
"""`error` in the error.json of a job that was stopped."""


def fail_job(
    bucket: S3Location,
    job_id: str,
    stage: Stage,
    error: Exception,
    announce: Announce,
    job_json: str | None = None,
) -> None:
    """Mark a job failed: write error.json and send the event, unless that is done.

    job_json: digest of the job.json that cannot be started, kept in error.json beside the event's
    detail. The event is sent even where S3 cannot be reached: that may be what is wrong.
    """
    event = events.failed(job_id, bucket.bucket, stage, error)
    folder = bucket.folder(job_prefix(job_id))
    try:
        mark_ended(bucket, job_id)
        note = event.detail if job_json is None else {**event.detail, "job_json": job_json}
        if not folder.put_if_absent(ERROR, orjson.dumps(note)):
            return
    except FaceveilError as second:
        log.warning("error.json cannot be written: %s", second)
    announce(event)


def has_failed(bucket: S3Location, job_id: str) -> bool:
    """Whether the job is marked failed."""
    return bucket.folder(job_prefix(job_id)).find(ERROR) is not None


def failure_of(bucket: S3Location, job_id: str) -> dict[str, Any] | None:
    """What error.json says; None when the job has not failed."""
    try:
        content = bucket.folder(job_prefix(job_id)).read(ERROR)
    except LostObjectError:
        return None
    note: dict[str, Any] = orjson.loads(content)
    return note


def clear_failure(bucket: S3Location, job_id: str) -> None:
    """Delete error.json, so that the job may run again."""
    mark_open(bucket, job_id)
    bucket.folder(job_prefix(job_id)).delete([ERROR])
