"""CreateProcessingJob for a job: what is mounted, on which machines, and for how long."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from faceveil.aws.clients import S3Uri
from faceveil.aws.processing_limits import (
    MOST_INSTANCES,
    MOST_RUNTIME_SECONDS,
    MOST_VOLUME_GB,
)
from faceveil.aws.s3 import S3Location
from faceveil.errors import InputError, UsageError
from faceveil.jobs.corrections import FOLDER
from faceveil.jobs.job import Job
from faceveil.jobs.job_folder import JOB, frames_of
from faceveil.jobs.keys import Keys
from faceveil.jobs.processing.host import Step
from faceveil.jobs.transforms.request import INSTANCE_TYPE, cost_tags
from faceveil.media.s3_keys import FrameKeys

INPUTS, OUTPUTS = "/opt/ml/processing/input", "/opt/ml/processing/output"
RUNTIME_SECONDS, RUNTIME_PER_FRAME = 3600, 2.0
"""Far above what a frame of 1080p takes on the slowest instance: what hangs is to be ended."""
VOLUME_GB = 10
ANSWER_BYTES = 20_000
OUTPUT_SHARE = 2.0
"""Of the frames' bytes: veiled frames that are PNG with noise, and one being renamed."""


@dataclass(frozen=True, slots=True)
class ProcessingMachines:
    """What Processing jobs of a deployment use.

    image: of post-processing, which holds the networks. role: the ARN of the role that SageMaker
    takes. fallback_types: instance types to try in turn where the quota of instance_type is used
    up. subnets and security_groups: of the VPC, empty without one. deployment: its name, None
    without one.
    """

    image: str
    role: str
    instance_type: str = INSTANCE_TYPE
    instance_count: int = 1
    fallback_types: tuple[str, ...] = ()
    keys: Keys = field(default_factory=Keys)
    subnets: tuple[str, ...] = ()
    security_groups: tuple[str, ...] = ()
    deployment: str | None = None

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> ProcessingMachines:
        """Read FACEVEIL_PROCESSING_IMAGE, FACEVEIL_PROCESSING_ROLE, FACEVEIL_PROCESSING_SUBNETS,
        FACEVEIL_PROCESSING_SECURITY_GROUPS, FACEVEIL_INSTANCE_TYPE, FACEVEIL_INSTANCE_COUNT,
        FACEVEIL_FALLBACK_TYPES, FACEVEIL_DEPLOYMENT and the keys.

        Raises UsageError where the deployment has no image or role for Processing jobs.
        """

        def words(name: str) -> tuple[str, ...]:
            return tuple(environment.get(name, "").replace(",", " ").split())

        image = environment.get("FACEVEIL_PROCESSING_IMAGE")
        role = environment.get("FACEVEIL_PROCESSING_ROLE")
        if not image or not role:
            raise UsageError(
                "this deployment runs no Processing jobs: FACEVEIL_PROCESSING_IMAGE and "
                "FACEVEIL_PROCESSING_ROLE are not set; apply the module in terraform/ again"
            )
        return cls(
            image=image,
            role=role,
            instance_type=environment.get("FACEVEIL_INSTANCE_TYPE") or INSTANCE_TYPE,
            instance_count=int(environment.get("FACEVEIL_INSTANCE_COUNT") or 1),
            fallback_types=words("FACEVEIL_FALLBACK_TYPES"),
            keys=Keys.from_environment(environment),
            subnets=words("FACEVEIL_PROCESSING_SUBNETS"),
            security_groups=words("FACEVEIL_PROCESSING_SECURITY_GROUPS"),
            deployment=environment.get("FACEVEIL_DEPLOYMENT") or None,
        )


def instance_count(job: Job, machines: ProcessingMachines) -> int:
    """On how many instances a job is to run."""
    asked = job.processing.instance_count if job.processing else None
    return asked or machines.instance_count


def processing_requests(
    job: Job, bucket: S3Location, frames: FrameKeys, step: Step, machines: ProcessingMachines
) -> list[dict[str, Any]]:
    """The requests of CreateProcessingJob, without a name: one for each instance type to try.

    Parameters
    ----------
    job
        The job; where it names an instance type, no other is tried.
    bucket
        The bucket, in which it is looked up what there is to be mounted.
    frames
        The job's frames.
    step
        What the hosts do.
    machines
        What the deployment's Processing jobs use.

    Raises
    ------
    InputError
        For more frames than a volume takes, and photos that lie in another place.
    """
    asked = job.processing.instance_type if job.processing else None
    types = [asked] if asked else [machines.instance_type, *machines.fallback_types]
    count = 1 if step == "all" else min(instance_count(job, machines), len(frames), MOST_INSTANCES)
    common = {
        "ProcessingInputs": _inputs(job, bucket, step, count),
        "ProcessingOutputConfig": _outputs(job, bucket, step, machines),
        "AppSpecification": {
            "ImageUri": machines.image,
            "ContainerArguments": ["host", "--step", step],
        },
        "StoppingCondition": {"MaxRuntimeInSeconds": _runtime(len(frames))},
        "NetworkConfig": _network(machines),
        "RoleArn": machines.role,
        "Tags": cost_tags(job, machines.deployment),
    }
    volume = _volume(job, bucket, frames)
    return [
        {
            **common,
            "ProcessingResources": {"ClusterConfig": _cluster(name, count, volume, machines)},
        }
        for name in types
    ]


def _inputs(job: Job, bucket: S3Location, step: Step, count: int) -> list[dict[str, Any]]:
    """job.json, frames, photos, corrections, and the detections that there are already.

    SageMaker fails a job over a prefix that holds nothing. Which frames come to which host makes a
    difference only where each renders a range of them: that needs all.
    """
    is_shared_out = step == "detect" and count > 1
    inputs = [
        _input("job", bucket.uri(job.prefix + JOB)),
        _input("frames", frames_of(bucket, job).uri(), is_shared_out=is_shared_out),
    ]
    if step != "detect" and job.selection.references:
        photos = f"{job.prefix}references/"
        for name, prefix in job.selection.references:
            if not prefix.startswith(photos):
                raise InputError(
                    f"selection.references.{name}: {prefix!r} does not lie under {photos}, which "
                    "a Processing job reads"
                )
        inputs.append(_input("references", bucket.uri(photos)))
    if step != "detect" and job.corrections is not None:
        inputs.append(_input(FOLDER, bucket.uri(job.corrections)))
    if any(bucket.folder(job.detections_prefix).pages()):
        inputs.append(_input("detections", bucket.uri(job.detections_prefix)))
    return inputs


def _input(name: str, place: S3Uri, *, is_shared_out: bool = False) -> dict[str, Any]:
    return {
        "InputName": name,
        "S3Input": {
            "S3Uri": str(place),
            "LocalPath": f"{INPUTS}/{name}",
            "S3DataType": "S3Prefix",
            "S3InputMode": "File",
            "S3DataDistributionType": "ShardedByS3Key" if is_shared_out else "FullyReplicated",
            "S3CompressionType": "None",
        },
    }


def _outputs(
    job: Job, bucket: S3Location, step: Step, machines: ProcessingMachines
) -> dict[str, Any]:
    """Detections are uploaded as they are made, so that a job that fails does not lose them; what
    is published, only when all of it is there.

    A Processing job has one key for all it writes: that of detections where it detects alone, else
    that of the results, which more than the deployment's roles must be able to read. Where the two
    differ, no job does both (`create.create_first`).
    """
    places = []
    if step != "detect":
        places.append(("job", job.prefix, "EndOfJob"))
    if step != "render":
        places.append(("detections", job.detections_prefix, "Continuous"))
    outputs: dict[str, Any] = {
        "Outputs": [
            {
                "OutputName": name,
                "S3Output": {
                    "S3Uri": str(S3Uri(bucket.bucket, prefix)),
                    "LocalPath": f"{OUTPUTS}/{name}",
                    "S3UploadMode": mode,
                },
            }
            for name, prefix, mode in places
        ]
    }
    key = machines.keys.detections if step == "detect" else machines.keys.results
    if key:
        outputs["KmsKeyId"] = key
    return outputs


def _cluster(
    instance_type: str, count: int, volume: int, machines: ProcessingMachines
) -> dict[str, Any]:
    return {
        "InstanceType": instance_type,
        "InstanceCount": count,
        "VolumeSizeInGB": volume,
        **machines.keys.volume_parameter(instance_type),
    }


def _network(machines: ProcessingMachines) -> dict[str, Any]:
    """No way out: SageMaker itself moves what is mounted."""
    network: dict[str, Any] = {"EnableNetworkIsolation": True}
    if machines.subnets:
        network["VpcConfig"] = {
            "Subnets": list(machines.subnets),
            "SecurityGroupIds": list(machines.security_groups),
        }
    return network


def _runtime(frame_count: int) -> int:
    return min(MOST_RUNTIME_SECONDS, RUNTIME_SECONDS + round(frame_count * RUNTIME_PER_FRAME))


def _volume(job: Job, bucket: S3Location, frames: FrameKeys) -> int:
    """Gigabytes for the frames, what comes of them, and their detections."""
    size = float(frames.sizes.sum()) * (1 + OUTPUT_SHARE) + len(frames) * ANSWER_BYTES
    volume = VOLUME_GB + round(size / 1e9)
    if volume > MOST_VOLUME_GB:
        raise InputError(
            f"{frames_of(bucket, job).uri()}: a Processing job of these frames needs {volume} GB "
            f"on each instance, more than the {MOST_VOLUME_GB} that SageMaker gives: store the "
            "frames as JPEG, or submit the job without --as processing"
        )
    return volume
