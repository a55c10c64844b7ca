"""SageMaker's transform jobs: created, described and stopped, and what its refusals mean."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from faceveil.aws.errors import AWS_ERRORS, AwsError, code_of, message_of
from faceveil.errors import OutputError

if TYPE_CHECKING:
    from types_boto3_sagemaker import SageMakerClient
    from types_boto3_sagemaker.type_defs import DescribeTransformJobResponseTypeDef

ENDS = ("Completed", "Failed", "Stopped")
"""The states in which a transform job no longer changes."""
_TRY_AGAIN = {"ThrottlingException", "ServiceUnavailable", "InternalFailure", "InternalServerError"}
_UNKNOWN = {"ResourceNotFound", "ValidationException"}
"""What SageMaker says of a transform job that does not exist."""
_QUOTA = "ResourceLimitExceeded"
_ADVICE = {
    _QUOTA: "the account's quota is used up: wait for other jobs, take another instance type, "
    "fewer instances, or ask for more under Service Quotas",
    "AccessDeniedException": "these credentials may not create transform jobs of this model",
    "ResourceNotFound": "the model, or its image, does not exist: deploy it first",
}


class NameTakenError(OutputError):
    """A transform job of this name exists already in this account and region."""


class CapacityError(OutputError):
    """The account's quota, or AWS's own capacity, does not allow these machines now."""


def create_transform_job(client: SageMakerClient, request: dict[str, Any]) -> None:
    """Create a transform job.

    Raises
    ------
    NameTakenError
        When a job of this name exists; it may be at work or have ended.
    CapacityError
        When the account's quota of these machines is used up.
    OutputError
        When SageMaker refuses for another reason.

    Notes
    -----
    Where SageMaker only asks to be called again later (throttling), boto3's error passes, so that
    Lambda repeats the event.
    """
    try:
        client.create_transform_job(**request)
    except AWS_ERRORS as error:
        code = code_of(error)
        if not code or code in _TRY_AGAIN:
            raise
        if code == "ResourceInUse":
            raise NameTakenError(
                f"transform job {request['TransformJobName']} exists already"
            ) from error
        kind = CapacityError if code == _QUOTA else OutputError
        raise kind(_refusal(request, code, error)) from error


def _refusal(request: dict[str, Any], code: str, error: AwsError) -> str:
    advice = _ADVICE.get(code, "check the instance type, the model and the prefixes")
    machine = request["TransformResources"]["InstanceType"]
    return (
        f"SageMaker refuses transform job {request['TransformJobName']} on {machine} with model "
        f"{request['ModelName']} ({code}: {message_of(error)}); {advice}"
    )


def describe_transform_job(
    client: SageMakerClient, name: str
) -> DescribeTransformJobResponseTypeDef | None:
    """Return what SageMaker knows of a transform job, None where there is none of this name.

    Raises OutputError when SageMaker refuses; throttling passes as boto3's error.
    """
    try:
        return client.describe_transform_job(TransformJobName=name)
    except AWS_ERRORS as error:
        code = code_of(error)
        if code in _UNKNOWN:
            return None
        if not code or code in _TRY_AGAIN:
            raise
        raise OutputError(f"transform job {name}: cannot be described ({error})") from error


def stop_transform_job(client: SageMakerClient, name: str) -> bool:
    """Ask SageMaker to stop a transform job. Returns False where it is not at work.

    Raises OutputError when SageMaker refuses.
    """
    job = describe_transform_job(client, name)
    if job is None or job["TransformJobStatus"] in ENDS:
        return False
    try:
        client.stop_transform_job(TransformJobName=name)
    except AWS_ERRORS as error:
        if code_of(error) in _UNKNOWN:
            return False  # it has ended in between
        raise OutputError(f"transform job {name}: cannot be stopped ({error})") from error
    return True
