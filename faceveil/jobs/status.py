"""How far a job is, as the objects in its folder say: nothing but S3 is asked."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from faceveil.aws.errors import DENIED, code_of
from faceveil.aws.s3 import S3Location
from faceveil.errors import InputError
from faceveil.jobs.chunks.plan import ChunkPlan, plan_name
from faceveil.jobs.detections.answers import SUFFIX
from faceveil.jobs.failure import STOPPED, failure_of
from faceveil.jobs.job import Job, job_prefix
from faceveil.jobs.job_folder import (
    ANALYSIS,
    CHUNKS,
    CLAIMS,
    ERROR,
    JOB,
    REFINE,
    RENDERING,
    STARTED,
    SUCCESS,
    UnknownJobError,
    frames_of,
    load_job,
)
from faceveil.jobs.submission import digest_of, is_corrected
from faceveil.jobs.waiting import waiting_of

State = Literal[
    "submitted", "waiting", "detecting", "analysing", "rendering", "completed", "failed", "stopped"
]
_ENDS = ("completed", "failed", "stopped")
_MAY_WAIT = ("submitted", "detecting", "analysing")
_PICTURES = (".png", ".jpg", ".jpeg")
_PLAN = re.compile(rf"{CHUNKS}([0-9a-f]+)/plan\.json")
_RESULT = re.compile(rf"{CHUNKS}([0-9a-f]+)/[0-9]+-[0-9]+\.json")


@dataclass(frozen=True, slots=True)
class JobFailure:
    """Why a job has failed: error.json. error is the class of the error, reason for people."""

    stage: str
    error: str
    reason: str


@dataclass(frozen=True, slots=True)
class Status:
    """A job at one moment.

    frames_detected: of `frames`; None where these credentials may not list the detections. chunks:
    parts that the frames are rendered in, None before the analysis. ended: when it completed or
    failed, None before. waiting_for: why it waits for machines, None where it does not.
    """

    job_id: str
    state: State
    frames: int
    frames_detected: int | None
    chunks: int | None
    chunks_rendered: int
    failure: JobFailure | None
    submitted: datetime
    ended: datetime | None
    waiting_for: str | None = None

    @property
    def has_ended(self) -> bool:
        """Whether it has completed, failed or was stopped."""
        return self.state in _ENDS

    def __str__(self) -> str:
        if self.state == "stopped":
            return self.state
        if self.failure is not None:
            return f"failed at {self.failure.stage}: {self.failure.reason}"
        if self.waiting_for is not None:
            return f"waiting for machines: {self.waiting_for}"
        if self.state == "detecting" and self.frames_detected is not None:
            return f"detecting: {self.frames_detected} of {self.frames} frames"
        if self.state == "rendering":
            return f"rendering: {self.chunks_rendered} of {self.chunks} chunks"
        return self.state


def read_status(bucket: S3Location, job_id: str, frames: int | None = None) -> Status:
    """The status of a job of the bucket. frames: how many it has, where that is known already:
    counting takes a request per 1,000.

    Raises UnknownJobError when there is no such job, InputError for a job.json that cannot be used
    and has not failed for it yet, and where S3 refuses.
    """
    folder = bucket.folder(job_prefix(job_id))
    written = dict(folder.times_written(recursive=False)) | dict(folder.times_written(CHUNKS))
    if JOB not in written:
        raise UnknownJobError(f"{folder.uri(JOB)}: there is no such job")
    failure = None
    if ERROR in written and SUCCESS not in written:
        failure = _failure(bucket, job_id)
    job = _job(bucket, job_id, failure)
    rendered = _Rendered.of(folder, written)
    if rendered is not None:
        frames = rendered.plan.frame_count
    elif job is not None and frames is None:
        frames = _count(frames_of(bucket, job), _PICTURES)
    state, waiting = _state(folder, job, written, rendered, failure), None
    if state in _MAY_WAIT:
        waiting = waiting_of(bucket, job_id)
        state = "waiting" if waiting else state
    return Status(
        job_id=job_id,
        state=state,
        frames=frames or 0,
        frames_detected=_detected(bucket, job, state, frames or 0),
        chunks=rendered.plan.count if rendered else None,
        chunks_rendered=rendered.count if rendered else 0,
        failure=failure,
        submitted=written[JOB],
        ended=written.get(ERROR if failure else SUCCESS),
        waiting_for=waiting.reason if waiting else None,
    )


@dataclass(frozen=True, slots=True)
class _Rendered:
    """The plan that is rendered now, and how many of its chunks have a result."""

    plan: ChunkPlan
    count: int

    @classmethod
    def of(cls, folder: S3Location, written: Mapping[str, datetime]) -> _Rendered | None:
        """None before there is a plan; of several, the newest: the analysis was edited."""
        plans = {match[1]: written[name] for name in written if (match := _PLAN.fullmatch(name))}
        if not plans:
            return None
        digest = max(plans, key=plans.__getitem__)
        matches = (_RESULT.fullmatch(name) for name in written)
        count = sum(match is not None and match[1] == digest for match in matches)
        return cls(ChunkPlan.from_json(folder.read(plan_name(digest))), count)


def _failure(bucket: S3Location, job_id: str) -> JobFailure | None:
    """What the error.json of a job says; None where job.json was corrected since."""
    folder, note = bucket.folder(job_prefix(job_id)), failure_of(bucket, job_id)
    if note is None or is_corrected(folder, note, digest_of(folder.read(JOB))):
        return None
    return JobFailure(note["stage"], note["error"], note["reason"])


def _job(bucket: S3Location, job_id: str, failure: JobFailure | None) -> Job | None:
    try:
        return load_job(bucket, job_id)
    except InputError:
        if failure is None:
            raise
        return None


def _state(
    folder: S3Location,
    job: Job | None,
    written: Mapping[str, datetime],
    rendered: _Rendered | None,
    failure: JobFailure | None,
) -> State:
    if failure is not None or job is None:
        return "stopped" if failure and failure.error == STOPPED else "failed"
    if SUCCESS in written:
        return "completed"
    if rendered is not None:
        return "rendering"
    begun = (n.startswith(CHUNKS) and not n.startswith(f"{CLAIMS}{REFINE}/") for n in written)
    if ANALYSIS in written or any(begun):
        return "analysing"
    if folder.find(STARTED) is None:
        return "submitted"
    return "analysing" if _is_detected(folder, job) else "detecting"


def _is_detected(folder: S3Location, job: Job) -> bool:
    """Whether the SageMaker job that detects is over, as nothing says that the analysis began."""
    if job.processing is None:
        return job.has_detections
    return folder.find(RENDERING) is not None


def _detected(bucket: S3Location, job: Job | None, state: State, frames: int) -> int | None:
    if job is None or state in ("submitted", "waiting"):
        return 0
    if job.has_detections or state not in ("detecting", "failed", "stopped"):
        return frames
    try:
        return _count(bucket.folder(job.detections_prefix), (SUFFIX,))
    except InputError as error:
        if code_of(error.__cause__) in DENIED:
            return None
        raise


def _count(place: S3Location, endings: tuple[str, ...]) -> int:
    return sum(item.name.lower().endswith(endings) for page in place.pages() for item in page)
