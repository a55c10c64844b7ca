"""What faceveil says on EventBridge: a job was submitted, analysed, completed, or has failed.

The JSON Schema is event.schema.json. An event may come more than once: job_id and detail-type
together say what it is about.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from faceveil.aws.events import NotTakenError, put_event
from faceveil.errors import FaceveilError
from faceveil.jobs.job import Job, job_prefix

if TYPE_CHECKING:
    from types_boto3_events import EventBridgeClient

SOURCE = "faceveil"
VERSION = 1
SUBMITTED = "FaceVeil Job Submitted"
ANALYSED = "FaceVeil Job Analysed"
COMPLETED = "FaceVeil Job Completed"
FAILED = "FaceVeil Job Failed"
MAX_REASON = 4096
_ATTEMPTS = 3
_PAUSE_SECONDS = 0.5

Stage = Literal["submit", "detect", "analyse", "render", "finish"]


@dataclass(frozen=True, slots=True)
class JobEvent:
    """An event before it is sent."""

    detail_type: str
    detail: dict[str, Any]


def submitted(job: Job, bucket: str, transform_job: str | None) -> JobEvent:
    """transform_job: its name, None where the detections exist already."""
    return _event(SUBMITTED, job.id, bucket, transform_job=transform_job)


def analysed(
    job: Job,
    bucket: str,
    *,
    analysis: str,
    frames: int,
    unknown_frames: int,
    identities: int,
    veiled_identities: int,
    uncertain_sequences: int,
    chunks: int,
) -> JobEvent:
    """analysis: its key; the others count."""
    return _event(
        ANALYSED,
        job.id,
        bucket,
        analysis=analysis,
        frames=frames,
        unknown_frames=unknown_frames,
        identities=identities,
        veiled_identities=veiled_identities,
        uncertain_sequences=uncertain_sequences,
        chunks=chunks,
    )


def completed(job: Job, bucket: str, *, report: str, manifest: str, frames: int) -> JobEvent:
    """report, manifest: their keys; frames: how many were written."""
    return _event(
        COMPLETED,
        job.id,
        bucket,
        output=job.output_prefix,
        video=job.video.key if job.video else None,
        report=report,
        manifest=manifest,
        frames=frames,
    )


def failed(job_id: str, bucket: str, stage: Stage, error: Exception) -> JobEvent:
    """`error` says why; of an error that is not faceveil's own, only the class and message."""
    text = str(error) or "no reason was given"
    if not isinstance(error, FaceveilError):
        text = f"unexpected {type(error).__name__}: {text}"
    return _event(
        FAILED,
        job_id,
        bucket,
        stage=stage,
        error=type(error).__name__,
        reason=text if len(text) <= MAX_REASON else f"{text[: MAX_REASON - 1]}…",
    )


def publish(client: EventBridgeClient, bus: str, event: JobEvent) -> None:
    """Send an event. Raises OutputError when the bus does not take it, after some attempts."""
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            put_event(client, bus, SOURCE, event.detail_type, event.detail)
            return
        except NotTakenError:
            if attempt == _ATTEMPTS:
                raise
        time.sleep(_PAUSE_SECONDS * attempt)


def _event(detail_type: str, job_id: str, bucket: str, **detail: Any) -> JobEvent:  # noqa: ANN401
    own = {"version": VERSION, "job_id": job_id, "bucket": bucket, "prefix": job_prefix(job_id)}
    return JobEvent(detail_type, {**own, **detail})
