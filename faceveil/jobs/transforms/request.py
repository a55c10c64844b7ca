"""CreateTransformJob for a job: its name, its machines, and limits made of its frames."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from faceveil.aws.clients import S3Uri
from faceveil.aws.sagemaker import GPU_MACHINE_IMAGE, has_gpu
from faceveil.aws.transform_limits import DEFAULT_CONTENT_TYPE, MOST_MEGABYTES, MOST_RETRIES
from faceveil.errors import InputError, UsageError
from faceveil.jobs.job import Job
from faceveil.jobs.keys import Keys

PAYLOAD_MARGIN = 1.05
"""What a request has beside the frame, and the doubt whether SageMaker counts in MB or MiB."""
INSTANCE_TYPE = "ml.c5.xlarge"
TIMEOUT_SECONDS = 600
"""Of one frame, before it is sent again."""
_INSTANCE_TYPE = re.compile(r"ml\.[a-z][a-z0-9-]*\.(?:(large)|([1-9][0-9]*)?xlarge)")


@dataclass(frozen=True, slots=True)
class Machines:
    """What transform jobs of a deployment use.

    fallback_types: instance types to try in turn where the quota of instance_type is used up.
    deployment: its name, None without one.
    """

    model_name: str
    instance_type: str = INSTANCE_TYPE
    instance_count: int = 1
    keys: Keys = field(default_factory=Keys)
    deployment: str | None = None
    fallback_types: tuple[str, ...] = ()

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Machines:
        """Read FACEVEIL_MODEL_NAME, FACEVEIL_INSTANCE_TYPE, FACEVEIL_INSTANCE_COUNT,
        FACEVEIL_DEPLOYMENT, FACEVEIL_FALLBACK_TYPES (with commas between) and the keys.

        Raises UsageError where one is missing or not valid.
        """
        model = environment.get("FACEVEIL_MODEL_NAME")
        if not model:
            raise UsageError("which model? Set FACEVEIL_MODEL_NAME to the SageMaker model's name")
        count = environment.get("FACEVEIL_INSTANCE_COUNT") or "1"
        if not count.isdecimal() or not int(count):
            raise UsageError(f"FACEVEIL_INSTANCE_COUNT={count!r}: must be a whole number from 1 on")
        return cls(
            model_name=model,
            instance_type=environment.get("FACEVEIL_INSTANCE_TYPE") or INSTANCE_TYPE,
            instance_count=int(count),
            keys=Keys.from_environment(environment),
            deployment=environment.get("FACEVEIL_DEPLOYMENT") or None,
            fallback_types=tuple(
                environment.get("FACEVEIL_FALLBACK_TYPES", "").replace(",", " ").split()
            ),
        )


def vcpus_of(instance_type: str) -> int:
    """2 of a large, 4 of an xlarge, 4 n of an n-xlarge. Raises UsageError for any other."""
    match = _INSTANCE_TYPE.fullmatch(instance_type)
    if match is None:
        raise UsageError(
            f"{instance_type!r} is not an instance type that transform jobs run on: write it like "
            "ml.c5.xlarge"
        )
    return 2 if match[1] else 4 * int(match[2] or 1)


def transform_requests(
    job: Job, bucket: str, largest: int, machines: Machines, *, manifest: str | None = None
) -> list[dict[str, Any]]:
    """The requests of CreateTransformJob, without a name: one for each instance type to try.

    Parameters
    ----------
    job
        The job; where it names an instance type, no other is tried.
    bucket
        The bucket's name.
    largest
        The bytes of the largest frame.
    machines
        What the deployment's transform jobs use.
    manifest
        The key of the ManifestFile that names the frames, None for all frames.

    Raises
    ------
    UsageError
        For an instance type that cannot be one.
    InputError
        For frames larger than SageMaker takes.

    Notes
    -----
    A frame is analysed by one core, so as many are sent at once as an instance has, but not more
    than 100 MB in all.
    """
    asked = job.transform.instance_type
    types = [asked] if asked else [machines.instance_type, *machines.fallback_types]
    payload = payload_megabytes(largest, f"{_frames_uri(job, bucket)}: ")
    return [_request(job, bucket, payload, machines, name, manifest) for name in types]


def cost_tags(job: Job, deployment: str | None) -> list[dict[str, str]]:
    """The tags by which what a job costs is told."""
    tags = {"faceveil:job-id": job.id}
    if deployment is not None:
        tags["faceveil:deployment"] = deployment
    return [{"Key": name, "Value": value} for name, value in tags.items()]


def payload_megabytes(frame_bytes: float, where: str = "") -> int:
    """MaxPayloadInMB for frames of at most so many bytes.

    where: begins the message. Raises InputError for frames that are larger than SageMaker takes.
    """
    payload = max(1, math.ceil(frame_bytes * PAYLOAD_MARGIN / 1e6))
    if payload > MOST_MEGABYTES:
        raise InputError(
            f"{where}a frame of {payload} MB is more than SageMaker takes, {MOST_MEGABYTES} MB: "
            "store the frames as JPEG, or smaller"
        )
    return payload


def concurrent_transforms(instance_type: str, payload: int) -> int:
    """Frames that are sent at once to an instance: one a vCPU, together at most 100 MB.

    payload: MaxPayloadInMB. Raises UsageError for an instance type that cannot be one.
    """
    return min(vcpus_of(instance_type), MOST_MEGABYTES // payload)


def _request(
    job: Job,
    bucket: str,
    payload: int,
    machines: Machines,
    instance_type: str,
    manifest: str | None,
) -> dict[str, Any]:
    output: dict[str, Any] = {
        "S3OutputPath": str(S3Uri(bucket, job.detections_prefix)),
        "AssembleWith": "None",
    }
    if machines.keys.detections:
        output["KmsKeyId"] = machines.keys.detections
    kind, source = "S3Prefix", _frames_uri(job, bucket)
    if manifest is not None:
        kind, source = "ManifestFile", S3Uri(bucket, manifest)
    return {
        "ModelName": machines.model_name,
        "MaxConcurrentTransforms": concurrent_transforms(instance_type, payload),
        "MaxPayloadInMB": payload,
        "BatchStrategy": "SingleRecord",
        "ModelClientConfig": {
            "InvocationsTimeoutInSeconds": TIMEOUT_SECONDS,
            "InvocationsMaxRetries": MOST_RETRIES,
        },
        "TransformInput": {
            "DataSource": {"S3DataSource": {"S3DataType": kind, "S3Uri": str(source)}},
            "ContentType": DEFAULT_CONTENT_TYPE,
            "SplitType": "None",
            "CompressionType": "None",
        },
        "TransformOutput": output,
        "TransformResources": {
            "InstanceType": instance_type,
            "InstanceCount": job.transform.instance_count or machines.instance_count,
            **machines.keys.volume_parameter(instance_type),
            **({"TransformAmiVersion": GPU_MACHINE_IMAGE} if has_gpu(instance_type) else {}),
        },
        "Tags": cost_tags(job, machines.deployment),
    }


def _frames_uri(job: Job, bucket: str) -> S3Uri:
    return S3Uri(job.frames_bucket or bucket, job.frames_prefix)
