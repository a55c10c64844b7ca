"""The events that move a job on: a transform job, a Processing job or an array job has ended, or a
job was submitted whose detections exist already.

EventBridge delivers at least once, and sends what other jobs of the account do, too: what is not
ours, or not an end, is told apart here and is no error.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from faceveil.jobs.job import JOBS
from faceveil.jobs.transforms.names import SageMakerNames, name_prefix

_JOB_ID = re.compile(r"[a-zA-Z0-9](?:-*[a-zA-Z0-9])*")
BATCH_JOB_NAME = re.compile(rf"faceveil-({_JOB_ID.pattern})-([0-9a-f]{{16}})")
"""Its array job is called faceveil-<id>-<digest of the chunks>."""
PROCESSING_CHANGE = "SageMaker Processing Job State Change"
"""The detail-type of the events of Processing jobs."""
SAGEMAKER_ENDS = ("Completed", "Failed", "Stopped")
BATCH_ENDS = ("SUCCEEDED", "FAILED")
_NO_CAPACITY = "CapacityError"
"""How SageMaker's FailureReason begins where it could not provision the machines."""
_OUTPUT = re.compile(rf"s3://[^/]+/(?:{JOBS}|detections/)([^/]+)/")


class NotOursError(ValueError):
    """An event that asks for nothing; the text says why."""


@dataclass(frozen=True, slots=True)
class TransformEnd:
    """A transform job of ours has ended. seconds: how long it took, None where it is not said.

    is_refine: it was the job's second. is_reuse: there was none, as the job uses the detections of
    another.
    """

    job_id: str
    status: str
    reason: str
    seconds: float | None
    is_refine: bool = False
    is_reuse: bool = False

    @property
    def is_whole(self) -> bool:
        """Whether it did all of its work."""
        return self.status == "Completed"

    @property
    def lacked_capacity(self) -> bool:
        """Whether AWS had no machines for it, so that it is worth another attempt."""
        return self.status == "Failed" and _NO_CAPACITY in self.reason


@dataclass(frozen=True, slots=True)
class ProcessingEnd:
    """A Processing job of ours has ended.

    which: what it was for, detection (all of the work, on one host) or rendering. message: what a
    container has left to say. seconds: how long it took, None where it is not said.
    """

    job_id: str
    which: Literal["detect", "render"]
    status: str
    reason: str
    message: str
    seconds: float | None

    @property
    def is_whole(self) -> bool:
        """Whether it did all of its work."""
        return self.status == "Completed"

    @property
    def lacked_capacity(self) -> bool:
        """Whether AWS had no machines for it, so that it is worth another attempt."""
        return self.status == "Failed" and _NO_CAPACITY in self.reason


@dataclass(frozen=True, slots=True)
class BatchEnd:
    """An array job of ours has ended."""

    job_id: str
    digest: str
    succeeded: bool
    reason: str


def transform_end(detail: Mapping[str, Any], deployment: str | None = None) -> TransformEnd:
    """From the detail of "SageMaker Transform Job State Change". Raises NotOursError.

    deployment: its name, None without one. Where an id may end in -refine or -try2, too, the place
    of the output tells whose the job is.
    """
    name = str(detail.get("TransformJobName", ""))
    status = str(detail.get("TransformJobStatus", ""))
    prefix = name_prefix(deployment)
    job_id = name.removeprefix(prefix)
    if not name.startswith(prefix) or _JOB_ID.fullmatch(job_id) is None:
        raise NotOursError(f"transform job {name!r} is none of this deployment's")
    place = _OUTPUT.match(str(detail.get("TransformOutput", {}).get("S3OutputPath", "")))
    job_id = place[1] if place else job_id
    parsed = SageMakerNames.of(job_id, deployment).parse(name)
    if parsed is None:
        raise NotOursError(f"transform job {name!r} writes into the folder of job {job_id!r}")
    if status not in SAGEMAKER_ENDS:
        raise NotOursError(f"transform job {name!r} is {status or 'in no state'}, not at its end")
    began, ended = (moment(detail.get(f)) for f in ("CreationTime", "TransformEndTime"))
    return TransformEnd(
        job_id=job_id,
        status=status,
        reason=str(detail.get("FailureReason") or "no reason was given"),
        seconds=(ended - began).total_seconds() if began and ended else None,
        is_refine=parsed.which == "refine",
    )


def processing_end(detail: Mapping[str, Any], deployment: str | None = None) -> ProcessingEnd:
    """From the detail of "SageMaker Processing Job State Change". Raises NotOursError.

    deployment: its name, None without one.
    """
    name = str(detail.get("ProcessingJobName", ""))
    status = str(detail.get("ProcessingJobStatus", ""))
    job_id = next((match[1] for match in map(_OUTPUT.match, _written_to(detail)) if match), "")
    parsed = SageMakerNames.of(job_id, deployment).parse(name)
    if parsed is None or parsed.which == "refine":
        raise NotOursError(f"Processing job {name!r} is none of this deployment's")
    if status not in SAGEMAKER_ENDS:
        raise NotOursError(f"Processing job {name!r} is {status or 'in no state'}, not at its end")
    began, ended = (moment(detail.get(f)) for f in ("CreationTime", "ProcessingEndTime"))
    return ProcessingEnd(
        job_id=job_id,
        which=parsed.which,
        status=status,
        reason=str(detail.get("FailureReason") or "no reason was given"),
        message=str(detail.get("ExitMessage") or ""),
        seconds=(ended - began).total_seconds() if began and ended else None,
    )


def _written_to(detail: Mapping[str, Any]) -> list[str]:
    outputs = detail.get("ProcessingOutputConfig", {}).get("Outputs", [])
    return [str(output.get("S3Output", {}).get("S3Uri", "")) for output in outputs]


def reuse(detail: Mapping[str, Any], bucket: str | None) -> TransformEnd:
    """From the detail of "FaceVeil Job Submitted" for a job over detections that exist: as of a
    transform job that has completed. Raises NotOursError, also for a job of another bucket.
    """
    job_id, place = str(detail.get("job_id", "")), detail.get("bucket")
    if _JOB_ID.fullmatch(job_id) is None or place != bucket:
        raise NotOursError(f"job {job_id!r} of bucket {place!r} is none of this deployment's")
    if detail.get("transform_job", "") is not None:
        raise NotOursError(f"job {job_id!r} waits for its transform job")
    return TransformEnd(job_id, "Completed", "", None, is_reuse=True)


def batch_end(detail: Mapping[str, Any]) -> BatchEnd:
    """From the detail of "Batch Job State Change". Raises NotOursError, also for single children of
    an array job: the parent's event comes when the last one has ended.
    """
    name, status = str(detail.get("jobName", "")), str(detail.get("status", ""))
    match = BATCH_JOB_NAME.fullmatch(name)
    if match is None:
        raise NotOursError(f"Batch job {name!r} is none of faceveil's")
    if "index" in detail.get("arrayProperties", {}):
        raise NotOursError(f"Batch job {name!r}: one child of the array has ended")
    if status not in BATCH_ENDS:
        raise NotOursError(f"Batch job {name!r} is {status or 'in no state'}, not at its end")
    return BatchEnd(
        job_id=match[1],
        digest=match[2],
        succeeded=status == "SUCCEEDED",
        reason=str(detail.get("statusReason") or "no reason was given"),
    )


def moment(value: object) -> datetime | None:
    """A time of an event: ISO 8601, or milliseconds since 1970; None for anything else.

    SageMaker's guide shows ISO 8601, its events carry milliseconds.
    """
    if isinstance(value, int | float) and not isinstance(value, bool):
        try:
            return datetime.fromtimestamp(value / 1000, UTC)
        except (OverflowError, OSError, ValueError):
            return None
    try:
        parsed = datetime.fromisoformat(str(value))
    except ValueError:
        return None
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)
