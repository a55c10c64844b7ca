"""An index of the jobs that have ended, so that a sweep over 100,000 jobs lists in bulk.

A job that has ended has an empty object `jobs/.ended/<id>`. It says nothing that its folder does
not say: where one is missing, the sweep reads the folder and writes it.
"""

from __future__ import annotations

from faceveil.aws.s3 import S3Location
from faceveil.jobs.job import JOBS

ENDED = f"{JOBS}.ended/"
"""An id never begins with a dot."""


def mark_ended(bucket: S3Location, job_id: str) -> None:
    """Add a job to the index."""
    bucket.write(ENDED + job_id, b"")


def mark_open(bucket: S3Location, job_id: str) -> None:
    """Take a job out of the index, as it is started, or started again."""
    bucket.delete([ENDED + job_id])


def open_jobs(bucket: S3Location) -> list[str]:
    """Return the ids of the jobs that are not in the index; two requests per 1,000 jobs.

    Raises InputError where S3 refuses.
    """
    ended = {item.name for page in bucket.folder(ENDED).pages() for item in page}
    return [job_id for job_id in job_ids(bucket) if job_id not in ended]


def job_ids(bucket: S3Location) -> list[str]:
    """Return the ids of all jobs of a bucket, in S3's order; a request per 1,000.

    Raises InputError where S3 refuses.
    """
    return [name for name in bucket.folder(JOBS).folders() if not name.startswith(".")]
