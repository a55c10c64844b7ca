"""AWS Batch: one job submitted, and jobs ended before their time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from faceveil.aws.errors import AWS_ERRORS
from faceveil.errors import OutputError

if TYPE_CHECKING:
    from types_boto3_batch import BatchClient


def submit_job(client: BatchClient, queue: str, **request: Any) -> str:  # noqa: ANN401, SubmitJob's
    """Submit a job to a queue. Returns its id.

    request: further parameters of SubmitJob. Raises OutputError when AWS Batch does not take it.
    """
    try:
        return client.submit_job(jobQueue=queue, **request)["jobId"]
    except AWS_ERRORS as error:
        raise OutputError(f"AWS Batch does not take the job for {queue} ({error})") from error


def terminate_job(client: BatchClient, job_id: str, reason: str) -> None:
    """End a job, its children included; one that has ended already stays as it is.

    Raises OutputError when AWS Batch refuses.
    """
    try:
        client.terminate_job(jobId=job_id, reason=reason)
    except AWS_ERRORS as error:
        raise OutputError(f"Batch job {job_id}: cannot be ended ({error})") from error
