"""A job that has failed in SageMaker, tried again: what it has detected is kept.

It is put among the jobs that wait for machines, which a timer starts every few minutes.
"""

from __future__ import annotations

from faceveil.aws.s3 import S3Location
from faceveil.errors import InputError
from faceveil.jobs.failure import clear_failure
from faceveil.jobs.job import job_prefix
from faceveil.jobs.job_folder import RENDERING, load_job
from faceveil.jobs.status import read_status
from faceveil.jobs.transforms.names import Pass
from faceveil.jobs.waiting import wait_for_machines

_STAGES = ("detect", "render", "finish")


def retry_job(bucket: S3Location, job_id: str) -> Pass:
    """Let a failed job begin again where its SageMaker job has failed. Returns at which one.

    Raises
    ------
    UnknownJobError
        When there is no such job.
    InputError
        When the job has not failed, or not in SageMaker.
    """
    status = read_status(bucket, job_id)
    if status.state != "failed" or status.failure is None:
        raise InputError(f"job {job_id}: there is nothing to try again: the job is {status}")
    stage = status.failure.stage
    is_processing = load_job(bucket, job_id).processing is not None
    if stage != "detect" and not (is_processing and stage in _STAGES):
        raise InputError(
            f"job {job_id} has failed at {stage}, after SageMaker's work: continue with "
            f"`faceveil-postprocess run {job_id}`, or submit it under another id"
        )
    is_rendering = bucket.folder(job_prefix(job_id)).find(RENDERING) is not None
    which: Pass = "render" if is_processing and is_rendering else "detect"
    clear_failure(bucket, job_id)
    wait_for_machines(bucket, job_id, which, "tried again after a failure")
    return which
