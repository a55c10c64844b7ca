"""A job that has failed says so: error.json in its folder, and an event."""

from __future__ import annotations

import logging

import orjson

from faceveil.aws import events
from faceveil.aws.events import Stage
from faceveil.aws.job import job_prefix
from faceveil.aws.postprocess.layout import ERROR, Announce
from faceveil.errors import FaceveilError
from faceveil.media.s3 import S3Location

log = logging.getLogger(__name__)


def fail(
    bucket: S3Location, job_id: str, stage: Stage, problem: Exception, announce: Announce
) -> None:
    """Write error.json and send the event, unless the job has failed already.

    The event is sent even where S3 cannot be reached: that may be what is wrong.
    """
    event = events.failed(job_id, bucket.bucket, stage, problem)
    folder = bucket.folder(job_prefix(job_id))
    try:
        if not folder.put_if_absent(ERROR, orjson.dumps(event.detail)):
            return
    except FaceveilError as second:
        log.warning("error.json cannot be written: %s", second)
    announce(event)


def has_failed(bucket: S3Location, job_id: str) -> bool:
    """Whether the job has failed and nobody has started it again."""
    return bucket.folder(job_prefix(job_id)).find(ERROR) is not None


def start_again(bucket: S3Location, job_id: str) -> None:
    """Forget that the job has failed."""
    bucket.folder(job_prefix(job_id)).delete([ERROR])
