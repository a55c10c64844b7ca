"""The SageMaker jobs of a job: created once, on the first machines that are to be had, and listed.

Where the account's quota of one instance type is used up, the next type is tried. Where a job of
the name has ended already, as it lacked capacity or the id was used before, the next attempt has a
name of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from faceveil.aws.s3 import S3Location
from faceveil.aws.sagemaker import (
    ENDS,
    PROCESSING,
    TRANSFORM,
    CapacityError,
    JobKind,
    NameTakenError,
    create_job,
    describe_job,
)
from faceveil.errors import InputError
from faceveil.jobs.transforms.names import MOST_ATTEMPTS, Pass, noted_names

if TYPE_CHECKING:
    from types_boto3_sagemaker import SageMakerClient


_JOBS: tuple[tuple[JobKind, Pass], ...] = (
    (TRANSFORM, "detect"),
    (TRANSFORM, "refine"),
    (PROCESSING, "detect"),
    (PROCESSING, "render"),
)


class SageMakerJob(NamedTuple):
    """A job by its name. is_new: whether it was created now."""

    name: str
    is_new: bool


def create_once(
    client: SageMakerClient,
    kind: JobKind,
    name_of: Callable[[int], str],
    requests: Sequence[dict[str, Any]],
) -> SageMakerJob:
    """Create a job, unless one for the same frames is at work.

    Parameters
    ----------
    client
        A client of SageMaker.
    kind
        The kind of job.
    name_of
        The name of each attempt, from 1 on.
    requests
        The request for each instance type, in the order in which they are tried.

    Returns
    -------
    SageMakerJob
        The job, created now or at work already.

    Raises
    ------
    InputError
        When the name is taken by a job of other frames or with another output, or all attempts have
        ended.
    CapacityError
        When the quotas of all instance types are used up.
    OutputError
        When SageMaker refuses for another reason. Throttling passes as boto3's error.
    """
    for attempt in range(1, MOST_ATTEMPTS + 1):
        name = name_of(attempt)
        try:
            _create_on_any(client, kind, name, requests)
        except NameTakenError:
            if _is_at_work(client, kind, name, requests[0]):
                return SageMakerJob(name, is_new=False)
        else:
            return SageMakerJob(name, is_new=True)
    raise InputError(
        f"{MOST_ATTEMPTS} {kind.word}s of {name_of(1)} have ended: give the job another id"
    )


def created_jobs(
    client: SageMakerClient, bucket: S3Location, job_id: str
) -> Iterator[tuple[JobKind, str, dict[str, Any]]]:
    """Kind, name and description of each SageMaker job that was created for a job.

    Raises as `describe_job`.
    """
    names = noted_names(bucket, job_id)
    if names is None:
        return
    for kind, which in _JOBS:
        for attempt in range(1, MOST_ATTEMPTS + 1):
            name = names.name(which, attempt)
            described = describe_job(client, kind, name)
            if described is None:
                break
            yield kind, name, described


def _create_on_any(
    client: SageMakerClient, kind: JobKind, name: str, requests: Sequence[dict[str, Any]]
) -> None:
    *others, last = requests
    for request in others:
        try:
            create_job(client, kind, {**request, kind.name: name})
        except CapacityError:
            continue
        return
    create_job(client, kind, {**last, kind.name: name})


def _is_at_work(
    client: SageMakerClient, kind: JobKind, name: str, request: Mapping[str, Any]
) -> bool:
    """Whether the job that has the name will still end, so that its event is to come."""
    taken = describe_job(client, kind, name)
    if taken is None:
        return False
    if _places(kind, taken) != _places(kind, request):
        source, output = _places(kind, taken)
        raise InputError(
            f"{kind.word} {name} exists, reads {source} and writes to {output}: names are used "
            "once in an account and region, so give the job another id"
        )
    return taken[kind.status] not in ENDS


def _places(kind: JobKind, job: Mapping[str, Any]) -> tuple[str, str]:
    """What tells the jobs of two jobs apart: where a job reads frames, and where it writes; of a
    Processing job, the job.json it reads."""
    if kind == TRANSFORM:
        source = job["TransformInput"]["DataSource"]["S3DataSource"]["S3Uri"]
        return source, job["TransformOutput"]["S3OutputPath"]
    inputs = {item["InputName"]: item["S3Input"]["S3Uri"] for item in job["ProcessingInputs"]}
    return inputs["frames"], inputs["job"].removesuffix("job.json")
