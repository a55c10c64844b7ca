"""SageMaker's transform and Processing jobs: created, described and stopped, and what its refusals
mean."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from faceveil.aws.errors import AWS_ERRORS, AwsError, code_of, message_of
from faceveil.errors import OutputError

if TYPE_CHECKING:
    from types_boto3_sagemaker import SageMakerClient

ENDS = ("Completed", "Failed", "Stopped")
"""The states in which a job no longer changes."""
_TRY_AGAIN = {"ThrottlingException", "ServiceUnavailable", "InternalFailure", "InternalServerError"}
_UNKNOWN = {"ResourceNotFound", "ValidationException"}
"""What SageMaker says of a job that does not exist."""
_QUOTA = "ResourceLimitExceeded"
GPU_MACHINE_IMAGE = "al2-ami-sagemaker-batch-gpu-535"
"""With driver 535, for CUDA 12; without it, transform jobs have driver 470, for CUDA 11."""
_GPU = re.compile(r"ml\.(?:g|p)[0-9].+")
_LOCAL_STORAGE = re.compile(r"ml\.(?:[a-z][0-9]+[a-z]*d[a-z]*|g[5-9][a-z]*|p[45][a-z]*|trn1n?)\..+")
_ADVICE = {
    _QUOTA: "the account's quota is used up: wait for other jobs, take another instance type, "
    "fewer instances, or ask for more under Service Quotas",
    "AccessDeniedException": "these credentials may not create {kind}s of this deployment",
    "ResourceNotFound": "the model, the role or the image does not exist: deploy it first",
}


class NameTakenError(OutputError):
    """A job of this name and kind exists already in this account and region."""


class CapacityError(OutputError):
    """The account's quota, or AWS's own capacity, does not allow these machines now."""


@dataclass(frozen=True, slots=True)
class JobKind:
    """A kind of SageMaker's jobs, whose calls and fields are named alike.

    word: in messages. prefix: of its fields. call: in the names of boto3's methods.
    """

    word: str
    prefix: str
    call: str

    @property
    def name(self) -> str:
        """The field that holds the name."""
        return f"{self.prefix}JobName"

    @property
    def status(self) -> str:
        """The field that holds the state."""
        return f"{self.prefix}JobStatus"

    @property
    def end_time(self) -> str:
        """The field that says when the job has ended."""
        return f"{self.prefix}EndTime"


TRANSFORM = JobKind("transform job", "Transform", "transform_job")
PROCESSING = JobKind("Processing job", "Processing", "processing_job")


def has_gpu(instance_type: str) -> bool:
    """Whether instances of a type have GPUs of NVIDIA."""
    return _GPU.fullmatch(instance_type) is not None


def has_local_storage(instance_type: str) -> bool:
    """Whether instances of a type have storage of their own, encrypted by their hardware, for which
    SageMaker takes no key: families with a `d`, such as r5d and g4dn, and the newer GPU ones."""
    return _LOCAL_STORAGE.fullmatch(instance_type) is not None


def create_job(client: SageMakerClient, kind: JobKind, request: Mapping[str, Any]) -> None:
    """Create a job.

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
        getattr(client, f"create_{kind.call}")(**request)
    except AWS_ERRORS as error:
        code = code_of(error)
        if not code or code in _TRY_AGAIN:
            raise
        if code == "ResourceInUse":
            raise NameTakenError(f"{kind.word} {request[kind.name]} exists already") from error
        refusal = CapacityError if code == _QUOTA else OutputError
        raise refusal(_refusal(kind, request, code, error)) from error


def _refusal(kind: JobKind, request: Mapping[str, Any], code: str, error: AwsError) -> str:
    advice = _ADVICE.get(code, "check the instance type, the model or image, and the prefixes")
    resources = request[f"{kind.prefix}Resources"]
    machine = resources.get("ClusterConfig", resources)["InstanceType"]
    of_model = f" with model {request['ModelName']}" if "ModelName" in request else ""
    return (
        f"SageMaker refuses {kind.word} {request[kind.name]} on {machine}{of_model} "
        f"({code}: {message_of(error)}); {advice.format(kind=kind.word)}"
    )


def describe_job(client: SageMakerClient, kind: JobKind, name: str) -> dict[str, Any] | None:
    """Return what SageMaker knows of a job, None where there is none of this name.

    Raises OutputError when SageMaker refuses; throttling passes as boto3's error.
    """
    try:
        answer: dict[str, Any] = getattr(client, f"describe_{kind.call}")(**{kind.name: name})
    except AWS_ERRORS as error:
        code = code_of(error)
        if code in _UNKNOWN:
            return None
        if not code or code in _TRY_AGAIN:
            raise
        raise OutputError(f"{kind.word} {name}: cannot be described ({error})") from error
    return answer


def stop_sagemaker_job(client: SageMakerClient, kind: JobKind, name: str) -> bool:
    """Ask SageMaker to stop a job. Returns False where it is not at work.

    Raises OutputError when SageMaker refuses.
    """
    job = describe_job(client, kind, name)
    if job is None or job[kind.status] in ENDS:
        return False
    try:
        getattr(client, f"stop_{kind.call}")(**{kind.name: name})
    except AWS_ERRORS as error:
        if code_of(error) in _UNKNOWN:
            return False  # it has ended in between
        raise OutputError(f"{kind.word} {name}: cannot be stopped ({error})") from error
    return True
