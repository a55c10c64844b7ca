"""A transform job created once, on the first machines that are to be had.

Where the account's quota of one instance type is used up, the next type is tried. Where a transform
job of the name has ended already, as it lacked capacity or the id was used before, the next attempt
has a name of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from faceveil.aws.sagemaker import (
    ENDS,
    CapacityError,
    NameTakenError,
    create_transform_job,
    describe_transform_job,
)
from faceveil.errors import InputError
from faceveil.jobs.transforms.names import MOST_ATTEMPTS

if TYPE_CHECKING:
    from types_boto3_sagemaker import SageMakerClient


class TransformJob(NamedTuple):
    """A transform job by its name. is_new: whether it was created now."""

    name: str
    is_new: bool


def create_transform(
    client: SageMakerClient, name_of: Callable[[int], str], requests: Sequence[dict[str, Any]]
) -> TransformJob:
    """Create a transform job, unless one for the same frames is at work.

    Parameters
    ----------
    client
        A client of SageMaker.
    name_of
        The name of each attempt, from 1 on.
    requests
        The request for each instance type, in the order in which they are tried.

    Returns
    -------
    TransformJob
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
            _create_on_any(client, name, requests)
        except NameTakenError:
            if _is_at_work(client, name, requests[0]):
                return TransformJob(name, is_new=False)
        else:
            return TransformJob(name, is_new=True)
    raise InputError(
        f"{MOST_ATTEMPTS} transform jobs of {name_of(1)} have ended: give the job another id"
    )


def _create_on_any(client: SageMakerClient, name: str, requests: Sequence[dict[str, Any]]) -> None:
    *others, last = requests
    for request in others:
        try:
            create_transform_job(client, {**request, "TransformJobName": name})
        except CapacityError:
            continue
        return
    create_transform_job(client, {**last, "TransformJobName": name})


def _is_at_work(client: SageMakerClient, name: str, request: dict[str, Any]) -> bool:
    """Whether the job that has the name will still end, so that its event is to come."""
    taken = describe_transform_job(client, name)
    if taken is None:
        return False
    if _places(taken) != _places(request):
        source, output = _places(taken)
        raise InputError(
            f"transform job {name} exists, reads {source} and writes to {output}: names are used "
            "once in an account and region, so give the job another id"
        )
    return taken["TransformJobStatus"] not in ENDS


def _places(job: Mapping[str, Any]) -> tuple[str, str]:
    source = job["TransformInput"]["DataSource"]["S3DataSource"]["S3Uri"]
    return source, job["TransformOutput"]["S3OutputPath"]
