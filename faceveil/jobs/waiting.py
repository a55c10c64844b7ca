"""Jobs that wait for machines: the account's quota, or AWS's capacity, was used up.

A job that waits has a note `jobs/.waiting/<id>`. A timer tries again every few minutes; what was
paid already, such as the coarse pass of a sampled job, is kept. A job that has waited for 24 hours
is marked failed.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta

import orjson

from faceveil.aws.s3 import S3Location
from faceveil.aws.s3_errors import LostObjectError
from faceveil.aws.sagemaker import CapacityError
from faceveil.errors import FaceveilError, OutputError
from faceveil.jobs.failure import fail_job, has_failed
from faceveil.jobs.job import JOBS
from faceveil.jobs.job_folder import UnknownJobError
from faceveil.jobs.job_run import Announce
from faceveil.jobs.transforms.names import Pass

log = logging.getLogger(__name__)

WAITING = f"{JOBS}.waiting/"
"""An id never begins with a dot."""
PATIENCE = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Waiting:
    """Why and since when a job waits, and for which of its transform jobs. since: ISO 8601."""

    which: Pass
    reason: str
    since: str


def wait_for_machines(bucket: S3Location, job_id: str, which: Pass, reason: str) -> None:
    """Note that a job waits. A job that waits already keeps its place."""
    note = Waiting(which, reason, datetime.now(UTC).isoformat())
    bucket.put_if_absent(WAITING + job_id, orjson.dumps({"version": 1, **asdict(note)}))
    log.info("job %s waits for machines: %s", job_id, reason)


def waiting_of(bucket: S3Location, job_id: str) -> Waiting | None:
    """Why a job waits; None where it does not."""
    try:
        note = orjson.loads(bucket.read(WAITING + job_id))
    except LostObjectError:
        return None
    return Waiting(note["which"], note["reason"], note["since"])


def stop_waiting(bucket: S3Location, job_id: str) -> None:
    """Delete the note of a job that waits no longer."""
    bucket.delete([WAITING + job_id])


def retry_waiting(
    bucket: S3Location,
    retry: Callable[[str, Pass], object],
    announce: Announce,
    now: datetime,
) -> list[str]:
    """Try each waiting job again, the one that has waited longest first.

    Parameters
    ----------
    bucket
        The bucket of the deployment.
    retry
        Creates the transform job of a job. Raises CapacityError where it has to wait on, and any
        other FaceveilError after marking the job failed.
    announce
        Sends the event of a job that has waited too long.
    now
        The time, with a time zone.

    Returns
    -------
    list of str
        The ids of the jobs that wait no longer.
    """
    settled = []
    waiting = sorted(_all_waiting(bucket), key=lambda item: item[1].since)
    for job_id, note in waiting:
        if has_failed(bucket, job_id):
            stop_waiting(bucket, job_id)
            continue
        try:
            retry(job_id, note.which)
        except CapacityError as error:
            if now - datetime.fromisoformat(note.since) < PATIENCE:
                continue
            hours = PATIENCE.total_seconds() / 3600
            late = OutputError(f"no machines were free for {hours:.0f} hours: {error}")
            fail_job(bucket, job_id, "detect", late, announce)
        except UnknownJobError:
            log.info("job %s was deleted while it waited", job_id)
        except FaceveilError as error:
            log.error("job %s cannot be started: %s", job_id, error)
        stop_waiting(bucket, job_id)
        settled.append(job_id)
    return settled


def _all_waiting(bucket: S3Location) -> Iterator[tuple[str, Waiting]]:
    for page in bucket.folder(WAITING).pages():
        for item in page:
            note = waiting_of(bucket, item.name)
            if note is not None:
                yield item.name, note
