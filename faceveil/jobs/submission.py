"""job.json was written: what the submit function does with it.

The transform job's name is made of the job's id, and SageMaker takes a name once: that, and the
note `submit/started.json`, put only where there is none, let one job come of any number of events.

Where no machines are free, the job waits (`waiting`): a timer calls `start_waiting`.

A job.json that could not be started may be corrected: error.json says which one failed, and as long
as nothing was started, another one is a new attempt.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import orjson

from faceveil.aws.s3 import S3Location
from faceveil.aws.s3_errors import LostObjectError
from faceveil.aws.sagemaker import TRANSFORM, CapacityError
from faceveil.errors import FaceveilError, InputError
from faceveil.jobs import events
from faceveil.jobs.corrections import check_corrections
from faceveil.jobs.ended import mark_open
from faceveil.jobs.failure import clear_failure, fail_job, failure_of
from faceveil.jobs.job import Job, job_prefix, read_job
from faceveil.jobs.job_folder import JOB, STARTED, SUBMIT_ANNOUNCED, UnknownJobError, frames_of
from faceveil.jobs.job_run import Announce
from faceveil.jobs.processing.create import Processing, create_first
from faceveil.jobs.processing.request import ProcessingMachines
from faceveil.jobs.sagemaker_jobs import SageMakerJob, create_once
from faceveil.jobs.transforms.names import note_names
from faceveil.jobs.transforms.refine import coarse_manifest
from faceveil.jobs.transforms.request import Machines, transform_requests
from faceveil.jobs.waiting import wait_for_machines, waiting_of
from faceveil.media.s3_keys import list_frames

if TYPE_CHECKING:
    from types_boto3_sagemaker import SageMakerClient

SubmissionOutcome = Literal["submitted", "already submitted", "waiting", "failed before"]


@dataclass(frozen=True, slots=True)
class Submission:
    """What jobs are started with. sagemaker makes a client when one is needed, processing reads
    what Processing jobs use. input_buckets: other buckets that frames may lie in."""

    bucket: S3Location
    machines: Machines
    sagemaker: Callable[[], SageMakerClient]
    announce: Announce
    processing: Callable[[], ProcessingMachines] = ProcessingMachines.from_environment
    input_buckets: Collection[str] = ()


def start_job(submission: Submission, job_id: str) -> SubmissionOutcome:
    """Start the job that has its job.json, however often this is called.

    Raises FaceveilError when it cannot be started, after writing error.json and sending the
    event; UnknownJobError when there is no job.json. A
    passing failure of AWS is raised as ClientError: call again.
    """
    folder = submission.bucket.folder(job_prefix(job_id))
    digest = None
    try:
        content = _read(folder)
        digest = digest_of(content)
        if _failed_before(submission.bucket, folder, job_id, digest):
            return "failed before"
        job = read_job(content, str(folder.uri(JOB)))
        _check_input(submission, job)
        is_started = _is_started(folder, job, digest)
        if not is_started:
            check_corrections(submission.bucket, job)
        first = None
        if not is_started and _begins_in_sagemaker(job):
            try:
                first = create_detection(submission, job)
            except CapacityError as error:
                wait_for_machines(submission.bucket, job_id, "detect", str(error))
                return "waiting"
        # Noted when it is sure that it has started, so that what could not be can be corrected.
        is_first = folder.put_if_absent(STARTED, _note(digest))
        if is_first:
            mark_open(submission.bucket, job_id)
        else:
            _is_started(folder, job, digest)
    except UnknownJobError:
        raise
    except FaceveilError as error:
        fail_job(submission.bucket, job_id, "submit", error, submission.announce, digest)
        raise
    if folder.find(SUBMIT_ANNOUNCED) is None:
        name = first.name if first else None
        if name is None and _begins_in_sagemaker(job):
            names = note_names(submission.bucket, job.id, submission.machines.deployment)
            name = names.name("detect")
        submission.announce(events.submitted(job, folder.bucket, name))
        folder.write(SUBMIT_ANNOUNCED, b"")
    is_new = first is not None and first.is_new
    return "submitted" if is_first or is_new else "already submitted"


def start_waiting(submission: Submission, job_id: str) -> None:
    """Start a job that has waited for machines, or detect again where its transform job had none.

    Raises CapacityError where it has to wait on, else as `start_job`.
    """
    folder = submission.bucket.folder(job_prefix(job_id))
    if folder.find(STARTED) is None:
        if start_job(submission, job_id) == "waiting":
            note = waiting_of(submission.bucket, job_id)
            raise CapacityError(note.reason if note else "the quota is used up")
        return
    job = read_job(_read(folder), str(folder.uri(JOB)))
    try:
        create_detection(submission, job)
    except CapacityError:
        raise
    except FaceveilError as error:
        fail_job(submission.bucket, job_id, "detect", error, submission.announce)
        raise


def _read(folder: S3Location) -> bytes:
    try:
        return folder.read(JOB)
    except LostObjectError as error:
        raise UnknownJobError(f"{folder.uri(JOB)}: there is no such job") from error


def digest_of(job_json: bytes) -> str:
    """What tells one job.json from another."""
    return f"sha256:{hashlib.sha256(job_json).hexdigest()}"


def is_corrected(folder: S3Location, failure: Mapping[str, Any], digest: str) -> bool:
    """Whether a job.json is a new attempt after this failure, which is of another one by which
    nothing was started."""
    return failure.get("job_json", digest) != digest and folder.find(STARTED) is None


def _failed_before(bucket: S3Location, folder: S3Location, job_id: str, digest: str) -> bool:
    """Whether the job has failed; forgets a failure that was corrected."""
    failure = failure_of(bucket, job_id)
    if failure is None:
        return False
    if not is_corrected(folder, failure, digest):
        return True
    clear_failure(bucket, job_id)
    return False


def _note(digest: str) -> bytes:
    return orjson.dumps({"version": 1, "job_json": digest})


def _is_started(folder: S3Location, job: Job, digest: str) -> bool:
    """Whether this job.json was started. Raises InputError when another was, under this id."""
    if folder.find(STARTED) is None:
        return False
    if folder.read(STARTED) == _note(digest):
        return True
    raise InputError(
        f"{folder.uri(JOB)}: job id {job.id!r} is used twice: this job.json is not the one that "
        "was started. Give the new job an id of its own"
    )


def _check_input(submission: Submission, job: Job) -> None:
    """Raise InputError for frames in a bucket that the deployment was not told of."""
    named = job.frames_bucket
    if named is not None and named not in (submission.bucket.bucket, *submission.input_buckets):
        raise InputError(
            f"frames.bucket: this deployment does not read from {named!r}: add it to the module's "
            "`input_buckets`, with the account that it belongs to, and apply"
        )


def _begins_in_sagemaker(job: Job) -> bool:
    """Whether SageMaker has to do something first; detections of another job go to a function."""
    return job.processing is not None or not job.has_detections


def create_detection(submission: Submission, job: Job) -> SageMakerJob:
    """Create the SageMaker job that a job begins with: a transform job, or a Processing job.

    Raises as `create_once`, `transform_requests` and `create_first`.
    """
    if job.processing is not None:
        processing = Processing(submission.processing, submission.sagemaker)
        return create_first(processing, submission.bucket, job)
    frames = list_frames(frames_of(submission.bucket, job))
    requests = transform_requests(
        job,
        submission.bucket.bucket,
        int(frames.sizes.max()),
        submission.machines,
        manifest=coarse_manifest(submission.bucket, job, frames),
    )
    names = note_names(submission.bucket, job.id, submission.machines.deployment)
    return create_once(submission.sagemaker(), TRANSFORM, partial(names.name, "detect"), requests)
