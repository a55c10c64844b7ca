"""The names of what a job keeps under `jobs/<id>/`, and its job.json read from there."""

from __future__ import annotations

from dataclasses import replace

from faceveil.aws.s3 import S3Location
from faceveil.aws.s3_errors import LostObjectError
from faceveil.errors import InputError
from faceveil.jobs.job import Job, job_prefix, read_job

JOB = "job.json"
ANALYSIS = "analysis.json"
CORRECTIONS = "corrections.json"
"""What is changed in a review of the job. A job renders with the copy that its job.json names."""
REPORT = "report.json"
MANIFEST = "manifest.json"
SUCCESS = "_SUCCESS"
ERROR = "error.json"
CHUNKS = "chunks/"
ALONE = "chunks/frames-alone.npy"
"""bool [frames]: whose file was seen to hold its picture and nothing else."""
CLAIMS = "chunks/claims/"
FINISH_CLAIM = "finish"
"""The claim on bringing the chunks together."""
REFINE = "refine"
"""The claim on starting the second transform job: nothing is analysed yet."""
ANNOUNCED = "chunks/announced"
"""Exists when the event of the completed job has been sent."""
STARTED, SUBMIT_ANNOUNCED = "submit/started.json", "submit/announced"
"""Exist when the job was started, and when the event of that has been sent."""
NAMES = "submit/names.json"
"""What the names of its SageMaker jobs begin with."""
REFINING = "submit/refining.json"
"""Exists when the second transform job was created."""
RENDERING = "submit/rendering.json"
"""Exists when the Processing job that renders was created."""


def frames_of(bucket: S3Location, job: Job) -> S3Location:
    """Where the frames of a job lie: in the bucket of the job, or read in place in another."""
    place = replace(bucket, bucket=job.frames_bucket) if job.frames_bucket else bucket
    return replace(place, prefix=job.frames_prefix)


class UnknownJobError(InputError):
    """There is no job.json of this id in the bucket."""


def load_job(bucket: S3Location, job_id: str) -> Job:
    """Read a job's job.json.

    Raises UnknownJobError when there is none, InputError when it cannot be used.
    """
    folder = bucket.folder(job_prefix(job_id))
    try:
        # Not asked for first: S3 says more about why it refuses a GET than a HEAD.
        content = folder.read(JOB)
    except LostObjectError as error:
        raise UnknownJobError(f"{folder.uri(JOB)}: there is no such job") from error
    return read_job(content, str(folder.uri(JOB)))
