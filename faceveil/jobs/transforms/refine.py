"""The transform jobs of a sampled job: few frames first, then those between frames that disagree.

The first is created where the job is submitted, the second at the end of the first. Each has a
ManifestFile, `submit/<digest of its content>.manifest`: another plan is another file.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import orjson

from faceveil.aws.s3 import S3Location
from faceveil.aws.sagemaker import TRANSFORM
from faceveil.errors import InputError
from faceveil.faces import Ints
from faceveil.jobs.detections.sampled import (
    answered,
    manifest,
    plan_coarse,
    plan_refine,
    read_answered,
)
from faceveil.jobs.job import Job
from faceveil.jobs.job_folder import REFINING, frames_of
from faceveil.jobs.job_run import JobRun
from faceveil.jobs.sagemaker_jobs import create_once
from faceveil.jobs.transforms.names import note_names
from faceveil.jobs.transforms.request import (
    Machines,
    transform_requests,
)
from faceveil.media.s3_keys import FrameKeys, list_frames

if TYPE_CHECKING:
    from types_boto3_sagemaker import SageMakerClient


@dataclass(frozen=True, slots=True)
class SecondPass:
    """What second transform jobs are created with, made when one is needed."""

    machines: Callable[[], Machines]
    sagemaker: Callable[[], SageMakerClient]


def coarse_manifest(bucket: S3Location, job: Job, frames: FrameKeys) -> str | None:
    """Write the manifest of the first transform job. Returns its key, None for all frames."""
    if job.coarse_step is None:
        return None
    return _write_manifest(bucket, job, frames, plan_coarse(len(frames), job.coarse_step))


def start_refine(run: JobRun, second: SecondPass) -> bool:
    """Create the second transform job, once; False where all frames of the first agree.

    Planned from the answers of the first only, so that it is the same plan however often this is
    called. Raises InputError for detections that cannot be used, and as `create_once` does.
    """
    job, step = run.job, run.job.coarse_step
    if step is None:
        return False
    if run.folder.find(REFINING) is not None:
        return True
    frames = list_frames(frames_of(run.bucket, job))
    detections = run.bucket.folder(job.detections_prefix)
    names = ((number, frames.listed(number).name) for number in plan_coarse(len(frames), step))
    answers = answered(detections)
    if not answers:
        raise InputError(f"{detections.uri()}: the transform job has completed and left nothing")
    planned = plan_refine(read_answered(detections, names, answers), len(frames), step)
    if not len(planned):
        return False
    machines = second.machines()
    requests = transform_requests(
        job,
        run.bucket.bucket,
        int(frames.sizes.max()),
        machines,
        manifest=_write_manifest(run.bucket, job, frames, planned),
    )
    named = note_names(run.bucket, job.id, machines.deployment)
    create_once(second.sagemaker(), TRANSFORM, partial(named.name, "refine"), requests)
    run.folder.write(REFINING, orjson.dumps({"version": 1, "frames": len(planned)}))
    return True


def forget_refine(run: JobRun) -> None:
    """Let the second transform job be created again, after it has ended without doing its work."""
    run.folder.delete([REFINING])


def _write_manifest(bucket: S3Location, job: Job, frames: FrameKeys, planned: Ints) -> str:
    names = (frames.listed(row).name for row in planned.tolist())
    content = manifest(str(frames_of(bucket, job).uri()), names)
    key = f"{job.prefix}submit/{hashlib.sha256(content).hexdigest()[:16]}.manifest"
    bucket.write(key, content)
    return key
