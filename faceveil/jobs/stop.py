"""A job stopped by a person: nothing of it goes on, and nothing more of it is paid."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import orjson

from faceveil.aws.batch import terminate_job
from faceveil.aws.s3 import S3Location
from faceveil.aws.sagemaker import stop_sagemaker_job
from faceveil.errors import InputError
from faceveil.jobs.chunks.batch_queue import ANALYSIS_NOTE, CHUNKS_NOTE, FINISH_NOTE
from faceveil.jobs.events import Stage
from faceveil.jobs.failure import StoppedError, fail_job
from faceveil.jobs.job import job_prefix
from faceveil.jobs.job_folder import CHUNKS
from faceveil.jobs.job_run import Announce
from faceveil.jobs.sagemaker_jobs import created_jobs
from faceveil.jobs.status import State, read_status
from faceveil.jobs.waiting import stop_waiting

if TYPE_CHECKING:
    from types_boto3_batch import BatchClient
    from types_boto3_sagemaker import SageMakerClient

_STAGES: dict[State, Stage] = {
    "submitted": "submit",
    "waiting": "submit",
    "detecting": "detect",
    "analysing": "analyse",
    "rendering": "render",
}


def stop_job(
    bucket: S3Location,
    job_id: str,
    sagemaker: Callable[[], SageMakerClient],
    batch: Callable[[], BatchClient],
    announce: Announce,
) -> list[str]:
    """Stop a job: its SageMaker jobs, its Batch jobs, and whatever would follow.

    The job is marked first, so that no function goes on with it. What it has made so far stays
    (`faceveil aws cleanup` deletes it). Calling this again stops what a first call could not.

    Parameters
    ----------
    bucket
        The bucket of the deployment.
    job_id
        The job.
    sagemaker, batch
        Make a client when one is needed.
    announce
        Sends the event that the job has ended.

    Returns
    -------
    list of str
        What was stopped, for people: `transform job faceveil-talk`.

    Raises
    ------
    UnknownJobError
        When there is no such job.
    InputError
        When the job has completed or failed.
    OutputError
        When AWS refuses to stop something.
    """
    status = read_status(bucket, job_id)
    if status.state in ("completed", "failed"):
        raise InputError(f"job {job_id}: there is nothing to stop: the job is {status}")
    if status.state != "stopped":
        error = StoppedError("the job was stopped")
        fail_job(bucket, job_id, _STAGES[status.state], error, announce)
    stop_waiting(bucket, job_id)
    stopped = list(_stop_sagemaker(sagemaker(), bucket, job_id))
    for batch_job in _batch_jobs(bucket.folder(job_prefix(job_id))):
        terminate_job(batch(), batch_job, "the job was stopped")
        stopped.append(f"Batch job {batch_job}")
    return stopped


def _stop_sagemaker(client: SageMakerClient, bucket: S3Location, job_id: str) -> Iterator[str]:
    for kind, name, _ in created_jobs(client, bucket, job_id):
        if stop_sagemaker_job(client, kind, name):
            yield f"{kind.word} {name}"


def _batch_jobs(folder: S3Location) -> list[str]:
    """The ids of the Batch jobs that were submitted for a job."""
    names = [name for name, _ in folder.times_written(CHUNKS)]
    endings = (ANALYSIS_NOTE, f"/{CHUNKS_NOTE}", f"/{FINISH_NOTE}")
    notes = [name for name in names if name.endswith(endings)]
    return [orjson.loads(folder.read(name))["batch_job"] for name in notes]
