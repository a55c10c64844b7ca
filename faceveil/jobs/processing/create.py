"""The Processing jobs of a job, created once each however often they are asked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import orjson

from faceveil.aws.s3 import S3Location
from faceveil.aws.sagemaker import PROCESSING
from faceveil.jobs.job import Job
from faceveil.jobs.job_folder import RENDERING, frames_of
from faceveil.jobs.processing.host import Step
from faceveil.jobs.processing.request import (
    ProcessingMachines,
    instance_count,
    processing_requests,
)
from faceveil.jobs.sagemaker_jobs import SageMakerJob, create_once
from faceveil.jobs.transforms.names import Pass, note_names
from faceveil.media.s3_keys import list_frames

if TYPE_CHECKING:
    from types_boto3_sagemaker import SageMakerClient


@dataclass(frozen=True, slots=True)
class Processing:
    """What Processing jobs are created with, made when one is needed."""

    machines: Callable[[], ProcessingMachines]
    sagemaker: Callable[[], SageMakerClient]


def create_first(processing: Processing, bucket: S3Location, job: Job) -> SageMakerJob:
    """Create the Processing job that a job begins with.

    It does all of the job where one instance may write with one key, else it detects; a job that
    uses the detections of another begins with the rendering. Raises as `create_once` and
    `processing_requests`.
    """
    if job.has_detections:
        return create_render(processing, bucket, job)
    machines = processing.machines()
    is_alone = instance_count(job, machines) == 1 and not machines.keys.tell_detections_apart
    step: Step = "all" if is_alone else "detect"
    return _create(processing, machines, bucket, job, step)


def create_render(processing: Processing, bucket: S3Location, job: Job) -> SageMakerJob:
    """Create the Processing job that analyses the detections and renders. Raises as
    `create_first`."""
    created = _create(processing, processing.machines(), bucket, job, "render")
    note = orjson.dumps({"version": 1, "processing_job": created.name})
    bucket.folder(job.prefix).write(RENDERING, note)
    return created


def _create(
    processing: Processing,
    machines: ProcessingMachines,
    bucket: S3Location,
    job: Job,
    step: Step,
) -> SageMakerJob:
    frames = list_frames(frames_of(bucket, job))
    requests = processing_requests(job, bucket, frames, step, machines)
    names = note_names(bucket, job.id, machines.deployment)
    which: Pass = "render" if step == "render" else "detect"
    return create_once(processing.sagemaker(), PROCESSING, partial(names.name, which), requests)
