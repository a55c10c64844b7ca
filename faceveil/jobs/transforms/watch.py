"""The transform job of a job, as far as these credentials may describe it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from faceveil.aws.errors import AWS_ERRORS, code_of
from faceveil.aws.sagemaker import ENDS
from faceveil.jobs.transforms.names import transform_name

if TYPE_CHECKING:
    from types_boto3_sagemaker import SageMakerClient

_NOT_YET = ("ResourceNotFound", "ValidationException")


@dataclass(frozen=True, slots=True)
class Transform:
    """seconds: that its instances have run so far, as far as SageMaker tells."""

    status: str
    instance_type: str
    instance_count: int
    seconds: float


class TransformWatch:
    """Describes one transform job until it has ended, or until SageMaker refuses."""

    def __init__(self, client: SageMakerClient, job_id: str) -> None:
        self._client = client
        self._name = transform_name(job_id)
        self._last: Transform | None = None
        self._is_over = False

    def look(self) -> Transform | None:
        """Describe the job; None where there is none yet, or SageMaker refuses to tell."""
        if not self._is_over:
            try:
                self._last = self._described()
                self._is_over = self._last.status in ENDS
            except AWS_ERRORS as error:
                self._is_over = code_of(error) not in _NOT_YET
        return self._last

    def _described(self) -> Transform:
        answer = self._client.describe_transform_job(TransformJobName=self._name)
        resources = answer["TransformResources"]
        begun = answer.get("TransformStartTime")
        ended = answer.get("TransformEndTime") or datetime.now(UTC)
        return Transform(
            status=answer["TransformJobStatus"],
            instance_type=resources["InstanceType"],
            instance_count=resources["InstanceCount"],
            seconds=max(0.0, (ended - begun).total_seconds()) if begun else 0.0,
        )
