"""CreateTransformJob for a job: its name, its machines, and limits made of its frames."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from faceveil.aws.clients import S3Uri
from faceveil.aws.sagemaker import (
    NameTakenError,
    create_transform_job,
    describe_transform_job,
)
from faceveil.aws.transform_limits import DEFAULT_CONTENT_TYPE, MOST_MEGABYTES, MOST_RETRIES
from faceveil.errors import InputError, UsageError
from faceveil.jobs.job import Job

if TYPE_CHECKING:
    from types_boto3_sagemaker import SageMakerClient

MIB = 1 << 20
INSTANCE_TYPE = "ml.c5.xlarge"
TIMEOUT_SECONDS = 600
"""Of one frame, before it is sent again."""
_INSTANCE_TYPE = re.compile(r"ml\.[a-z][a-z0-9-]*\.(?:(large)|([1-9][0-9]*)?xlarge)")


@dataclass(frozen=True, slots=True)
class Machines:
    """What transform jobs of a deployment use. tags: beside faceveil:job-id. kms_key: of what
    they write, None for the bucket's own."""

    model_name: str
    instance_type: str = INSTANCE_TYPE
    instance_count: int = 1
    kms_key: str | None = None
    tags: tuple[tuple[str, str], ...] = ()

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Machines:
        """Read FACEVEIL_MODEL_NAME, FACEVEIL_INSTANCE_TYPE, FACEVEIL_INSTANCE_COUNT,
        FACEVEIL_KMS_KEY and FACEVEIL_DEPLOYMENT.

        Raises UsageError where one is missing or not valid.
        """
        model = environment.get("FACEVEIL_MODEL_NAME")
        if not model:
            raise UsageError("which model? Set FACEVEIL_MODEL_NAME to the SageMaker model's name")
        count = environment.get("FACEVEIL_INSTANCE_COUNT") or "1"
        if not count.isdecimal() or not int(count):
            raise UsageError(f"FACEVEIL_INSTANCE_COUNT={count!r}: must be a whole number from 1 on")
        deployment = environment.get("FACEVEIL_DEPLOYMENT")
        return cls(
            model_name=model,
            instance_type=environment.get("FACEVEIL_INSTANCE_TYPE") or INSTANCE_TYPE,
            instance_count=int(count),
            kms_key=environment.get("FACEVEIL_KMS_KEY") or None,
            tags=(("faceveil:deployment", deployment),) if deployment else (),
        )


def transform_name(job_id: str) -> str:
    """The transform job of a job."""
    return f"faceveil-{job_id}"


def refine_name(job_id: str) -> str:
    """The second transform job of a job that looks at few frames first."""
    return f"{transform_name(job_id)}-refine"


def vcpus_of(instance_type: str) -> int:
    """2 of a large, 4 of an xlarge, 4 n of an n-xlarge. Raises UsageError for any other."""
    match = _INSTANCE_TYPE.fullmatch(instance_type)
    if match is None:
        raise UsageError(
            f"{instance_type!r} is not an instance type that transform jobs run on: write it like "
            "ml.c5.xlarge"
        )
    return 2 if match[1] else 4 * int(match[2] or 1)


def transform_request(
    job: Job,
    bucket: str,
    largest: int,
    machines: Machines,
    *,
    name: str | None = None,
    manifest: str | None = None,
) -> dict[str, Any]:
    """The request. largest: bytes of the largest frame. name: of the transform job, None for
    `transform_name`. manifest: key of the ManifestFile that names the frames, None for all.

    A frame is analysed by one core, so as many are sent at once as an instance has, but not more
    than 100 MB in all. Raises UsageError for an instance type that cannot be one, InputError for
    frames larger than SageMaker takes.
    """
    instance_type = job.transform.instance_type or machines.instance_type
    payload = max(1, math.ceil(largest / MIB))
    if payload > MOST_MEGABYTES:
        raise InputError(
            f"{S3Uri(bucket, job.frames_prefix)}: a frame of {payload} MB is more than SageMaker "
            f"takes, {MOST_MEGABYTES} MB: store the frames as JPEG, or smaller"
        )
    output: dict[str, Any] = {
        "S3OutputPath": str(S3Uri(bucket, job.detections_prefix)),
        "AssembleWith": "None",
    }
    if machines.kms_key:
        output["KmsKeyId"] = machines.kms_key
    kind, source = "S3Prefix", job.frames_prefix
    if manifest is not None:
        kind, source = "ManifestFile", manifest
    tags = (("faceveil:job-id", job.id), *machines.tags)
    return {
        "TransformJobName": name or transform_name(job.id),
        "ModelName": machines.model_name,
        "MaxConcurrentTransforms": min(vcpus_of(instance_type), MOST_MEGABYTES // payload),
        "MaxPayloadInMB": payload,
        "BatchStrategy": "SingleRecord",
        "ModelClientConfig": {
            "InvocationsTimeoutInSeconds": TIMEOUT_SECONDS,
            "InvocationsMaxRetries": MOST_RETRIES,
        },
        "TransformInput": {
            "DataSource": {
                "S3DataSource": {"S3DataType": kind, "S3Uri": str(S3Uri(bucket, source))}
            },
            "ContentType": DEFAULT_CONTENT_TYPE,
            "SplitType": "None",
            "CompressionType": "None",
        },
        "TransformOutput": output,
        "TransformResources": {
            "InstanceType": instance_type,
            "InstanceCount": job.transform.instance_count or machines.instance_count,
        },
        "Tags": [{"Key": name, "Value": value} for name, value in tags],
    }


def create_transform(client: SageMakerClient, request: dict[str, Any]) -> bool:
    """Create the transform job. Returns False when there is one for the same frames already.

    Raises InputError when the name is taken by a job of other frames or with another output, else
    as `create_transform_job` does.
    """
    try:
        create_transform_job(client, request)
    except NameTakenError:
        _check_same(client, request)
        return False
    return True


def _check_same(client: SageMakerClient, request: dict[str, Any]) -> None:
    name = request["TransformJobName"]
    taken = describe_transform_job(client, name)
    if taken is not None and _places(taken) != _places(request):
        source, output = _places(taken)
        raise InputError(
            f"transform job {name} exists, reads {source} and writes to {output}: names are used "
            "once in an account and region, so give the job another id"
        )


def _places(job: Mapping[str, Any]) -> tuple[str, str]:
    source = job["TransformInput"]["DataSource"]["S3DataSource"]["S3Uri"]
    return source, job["TransformOutput"]["S3OutputPath"]
