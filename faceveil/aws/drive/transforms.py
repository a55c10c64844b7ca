"""The transform job of a job, as far as these credentials may look at it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from botocore.exceptions import BotoCoreError, ClientError

from faceveil.aws.clients import sagemaker_client
from faceveil.aws.transform_request import transform_name


@dataclass(frozen=True, slots=True)
class Transform:
    """seconds: that its instances have run so far, as far as SageMaker tells."""

    status: str
    instance_type: str
    instance_count: int
    seconds: float


def describe_transform(job_id: str) -> Transform | None:
    """None where there is none (yet), or where SageMaker does not say: it is not needed."""
    try:
        answer = sagemaker_client().describe_transform_job(TransformJobName=transform_name(job_id))
    except (ClientError, BotoCoreError):
        return None
    resources = answer["TransformResources"]
    begun = answer.get("TransformStartTime")
    ended = answer.get("TransformEndTime") or datetime.now(UTC)
    return Transform(
        status=answer["TransformJobStatus"],
        instance_type=resources["InstanceType"],
        instance_count=resources["InstanceCount"],
        seconds=max(0.0, (ended - begun).total_seconds()) if begun else 0.0,
    )
