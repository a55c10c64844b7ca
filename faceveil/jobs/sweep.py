"""Jobs idle for 24 hours are marked failed.

A job is idle when nothing has been written into its folder for a day, and no SageMaker job of its
own is at work or has just ended: its answers lie elsewhere, and may take longer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from faceveil.aws.s3 import S3Location
from faceveil.errors import OutputError
from faceveil.jobs.claims import Claims
from faceveil.jobs.ended import mark_ended, open_jobs
from faceveil.jobs.events import Stage
from faceveil.jobs.failure import fail_job
from faceveil.jobs.job import job_prefix
from faceveil.jobs.job_folder import (
    CHUNKS,
    CLAIMS,
    ERROR,
    FINISH_CLAIM,
    JOB,
    REFINE,
    STARTED,
    SUCCESS,
)
from faceveil.jobs.job_run import Announce
from faceveil.jobs.sagemaker_jobs import created_jobs
from faceveil.parallel import ordered_map

if TYPE_CHECKING:
    from types_boto3_sagemaker import SageMakerClient

PATIENCE = timedelta(hours=24)
_SUBMIT = "submit/"
_READERS = 32


def sweep(
    bucket: S3Location,
    sagemaker: Callable[[], SageMakerClient],
    announce: Announce,
    now: datetime,
) -> list[str]:
    """Mark each idle job failed. Returns their ids. sagemaker makes a client when one is needed.

    Jobs that have ended are listed in bulk; each other job costs up to three requests. Raises
    InputError where S3 refuses; ClientError passes where SageMaker does.
    """

    def stuck_at(job_id: str) -> tuple[str, Stage | None]:
        return job_id, _stuck_at(bucket, job_id, now)

    stuck = []
    for job_id, stage in ordered_map(stuck_at, open_jobs(bucket), _READERS):
        if stage is None or _is_detected(sagemaker(), bucket, job_id, now):
            continue
        error = OutputError(
            f"nothing has happened for {PATIENCE.total_seconds() / 3600:.0f} hours: a function or "
            "a machine ended without a message; the dead-letter queues and the logs tell why. "
            f"Continue with `faceveil-postprocess run {job_id}`, where its detections are "
            "complete, or submit it under another id"
        )
        fail_job(bucket, job_id, stage, error, announce)
        stuck.append(job_id)
    return stuck


def _stuck_at(bucket: S3Location, job_id: str, now: datetime) -> Stage | None:
    """The step at which a job has been idle for long; None for a job that moves or has ended."""
    folder = bucket.folder(job_prefix(job_id))
    top = dict(folder.times_written(recursive=False))
    if SUCCESS in top or ERROR in top:
        mark_ended(bucket, job_id)
        return None
    if JOB not in top or _is_fresh(top, now):
        return None
    steps = dict(folder.times_written(_SUBMIT)) | dict(folder.times_written(CHUNKS))
    # A long video is put together for longer than a day; its finisher holds a claim for as long.
    if _is_fresh(steps, now) or Claims(folder, "sweep", now.timestamp).is_held(FINISH_CLAIM):
        return None
    return _stage(steps)


def _is_fresh(written: Mapping[str, datetime], now: datetime) -> bool:
    return any(now - moment < PATIENCE for moment in written.values())


def _stage(steps: Mapping[str, datetime]) -> Stage:
    if STARTED not in steps:
        return "submit"
    done = [name for name in steps if name.startswith(CHUNKS)]
    if any(not name.startswith(CLAIMS) for name in done):
        return "render"
    if any(not name.startswith(f"{CLAIMS}{REFINE}/") for name in done):
        return "analyse"
    return "detect"


def _is_detected(client: SageMakerClient, bucket: S3Location, job_id: str, now: datetime) -> bool:
    """Whether a SageMaker job of the job is at work, or has ended not long ago."""
    created = created_jobs(client, bucket, job_id)
    ends = (described.get(kind.end_time) for kind, _, described in created)
    return any(ended is None or now - ended < PATIENCE for ended in ends)
