"""The SageMaker jobs of a job, as far as these credentials may describe them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from faceveil.aws.errors import AWS_ERRORS, code_of
from faceveil.aws.s3 import S3Location
from faceveil.aws.sagemaker import ENDS, PROCESSING, TRANSFORM, JobKind
from faceveil.errors import InputError
from faceveil.jobs.job_folder import load_job
from faceveil.jobs.transforms.names import MOST_ATTEMPTS, Pass, SageMakerNames, noted_names

if TYPE_CHECKING:
    from types_boto3_sagemaker import SageMakerClient

_NOT_YET = ("ResourceNotFound", "ValidationException")


@dataclass(frozen=True, slots=True)
class Described:
    """One SageMaker job. seconds: that its instances have run so far, as far as SageMaker tells."""

    kind: JobKind
    status: str
    instance_type: str
    instance_count: int
    seconds: float


class SageMakerWatch:
    """Describes SageMaker's jobs until they have ended, or until SageMaker refuses.

    All attempts count: a job that lacked capacity, or was tried again, has run on several machines.
    """

    def __init__(
        self, client: SageMakerClient, bucket: S3Location, job_id: str, kind: JobKind
    ) -> None:
        self._client = client
        self._bucket = bucket
        self._job_id = job_id
        self._kind = kind
        passes: tuple[Pass, ...] = ("detect", "render" if kind == PROCESSING else "refine")
        self._attempts = dict.fromkeys(passes, 1)
        self._names: SageMakerNames | None = None
        self._ended: list[Described] = []

    @classmethod
    def of_job(cls, client: SageMakerClient, bucket: S3Location, job_id: str) -> SageMakerWatch:
        """Watch what the job.json of a job asks for."""
        try:
            is_processing = load_job(bucket, job_id).processing is not None
        except InputError:
            is_processing = False  # its status tells what is wrong with it
        return cls(client, bucket, job_id, PROCESSING if is_processing else TRANSFORM)

    def look(self) -> tuple[Described, ...]:
        """Describe the jobs that were created so far, the one at work last.

        Empty where there is none yet, or SageMaker refuses to tell.
        """
        self._names = self._names or noted_names(self._bucket, self._job_id)
        at_work: list[Described] = []
        for which in list(self._attempts) if self._names else ():
            while (described := self._next(which)) is not None:
                if described.status not in ENDS:
                    at_work.append(described)
                    break
                self._ended.append(described)
                self._attempts[which] += 1
        return (*self._ended, *at_work)

    def _next(self, which: Pass) -> Described | None:
        """Describe the first attempt that had not ended at the last look, None without one."""
        attempt = self._attempts.get(which, MOST_ATTEMPTS + 1)
        if self._names is None or attempt > MOST_ATTEMPTS:
            return None
        try:
            return self._described(self._names.name(which, attempt))
        except AWS_ERRORS as error:
            if code_of(error) not in _NOT_YET:
                self._attempts.clear()
            return None

    def _described(self, name: str) -> Described:
        kind = self._kind
        describe = getattr(self._client, f"describe_{kind.call}")
        answer: dict[str, Any] = describe(**{kind.name: name})
        resources = answer[f"{kind.prefix}Resources"]
        resources = resources.get("ClusterConfig", resources)
        begun = answer.get(f"{kind.prefix}StartTime")
        ended = answer.get(kind.end_time) or datetime.now(UTC)
        return Described(
            kind=kind,
            status=answer[kind.status],
            instance_type=resources["InstanceType"],
            instance_count=resources["InstanceCount"],
            seconds=max(0.0, (ended - begun).total_seconds()) if begun else 0.0,
        )
