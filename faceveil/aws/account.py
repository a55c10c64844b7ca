"""What an account has and allows: quotas, roles, networks, functions, subscriptions, tags.

Everything here only reads. What the credentials may not ask raises NotAllowedError, which names the
permission, so that a check can say "unknown" rather than "missing".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import boto3
from botocore.config import Config

from faceveil.aws.clients import ATTEMPTS, region
from faceveil.aws.errors import AWS_ERRORS, DENIED, code_of, message_of
from faceveil.errors import InputError

_DENIED = DENIED | {
    "AuthorizationError",
    "AuthorizationErrorException",
    "UnauthorizedException",
    "UnauthorizedOperation",
}
_ABSENT = {
    "404",
    "NoSuchBucket",
    "NoSuchEntity",
    "NotFound",
    "NotFoundException",
    "RepositoryNotFoundException",
    "ResourceNotFoundException",
    "ValidationException",
}
COST_EXPLORER_REGION = "us-east-1"
"""Cost Explorer has one endpoint for all regions."""

Clients = Callable[[str], Any]
"""A client of boto3 for the name of a service."""


class NotAllowedError(InputError):
    """These credentials may not ask. `permission` names what they lack."""

    def __init__(self, permission: str) -> None:
        super().__init__(f"these credentials lack {permission}")
        self.permission = permission


class AbsentError(InputError):
    """What was asked for does not exist."""


class ComputeEnvironment(NamedTuple):
    """A compute environment of AWS Batch. kind: FARGATE, FARGATE_SPOT, EC2 or SPOT."""

    kind: str
    max_vcpus: int
    state: str
    reason: str


def service_client(service: str) -> Any:  # noqa: ANN401, any service's
    """Make a client of a service, in the region of the environment."""
    where = COST_EXPLORER_REGION if service == "ce" else region()
    config = Config(retries={"mode": "standard", "total_max_attempts": ATTEMPTS})
    make: Callable[..., Any] = boto3.client
    return make(service, region_name=where, config=config)


def ask(client: Any, operation: str, permission: str, **parameters: Any) -> dict[str, Any]:  # noqa: ANN401
    """Return the answer of one call.

    Raises
    ------
    NotAllowedError
        When these credentials may not make the call.
    AbsentError
        When the service does not know what it is asked about.
    InputError
        When the service refuses for another reason, or cannot be reached.
    """
    try:
        answer: dict[str, Any] = getattr(client, operation)(**parameters)
    except AWS_ERRORS as error:
        raise _translated(error, permission) from error
    return answer


def _pages(
    client: Any,  # noqa: ANN401
    operation: str,
    permission: str,
    **parameters: Any,  # noqa: ANN401
) -> Iterator[dict[str, Any]]:
    try:
        yield from client.get_paginator(operation).paginate(**parameters)
    except AWS_ERRORS as error:
        raise _translated(error, permission) from error


def _translated(error: BaseException, permission: str) -> InputError:
    code = code_of(error)
    if code in _DENIED:
        return NotAllowedError(permission)
    return (AbsentError if code in _ABSENT else InputError)(message_of(error))


def quotas(clients: Clients, service: str, names: set[str]) -> dict[str, float]:
    """Return the account's quotas of these names, those that AWS lists.

    A quota that was never raised may be listed only among AWS's defaults.
    """
    client, found = clients("service-quotas"), dict[str, float]()
    for operation, permission in (
        ("list_service_quotas", "servicequotas:ListServiceQuotas"),
        ("list_aws_default_service_quotas", "servicequotas:ListAWSDefaultServiceQuotas"),
    ):
        for page in _pages(client, operation, permission, ServiceCode=service):
            for quota in page["Quotas"]:
                if quota["QuotaName"] in names:
                    found.setdefault(quota["QuotaName"], float(quota["Value"]))
            if names <= found.keys():
                return found
    return found


def function_concurrency(clients: Clients) -> tuple[int, int]:
    """Return how many functions may run at once, and how many of these are not reserved."""
    limit = ask(clients("lambda"), "get_account_settings", "lambda:GetAccountSettings")
    limits = limit["AccountLimit"]
    return limits["ConcurrentExecutions"], limits["UnreservedConcurrentExecutions"]


def function_image(clients: Clients, function: str) -> tuple[int, str]:
    """Return the memory of a function in MB, and the image that it runs."""
    answer = ask(clients("lambda"), "get_function", "lambda:GetFunction", FunctionName=function)
    code = answer.get("Code", {})
    image = code.get("ResolvedImageUri") or code.get("ImageUri", "")
    return answer["Configuration"]["MemorySize"], image


def model_image(clients: Clients, model: str) -> str:
    """Return the image of a SageMaker model."""
    answer = ask(clients("sagemaker"), "describe_model", "sagemaker:DescribeModel", ModelName=model)
    return str(answer["PrimaryContainer"]["Image"])


def has_role(clients: Clients, name: str) -> bool:
    """Return whether the account has an IAM role."""
    try:
        ask(clients("iam"), "get_role", "iam:GetRole", RoleName=name)
    except AbsentError:
        return False
    return True


def default_vpcs(clients: Clients) -> list[str]:
    """Return the ids of the region's default VPC: one, or none."""
    filters = [{"Name": "is-default", "Values": ["true"]}]
    answer = ask(clients("ec2"), "describe_vpcs", "ec2:DescribeVpcs", Filters=filters)
    return [vpc["VpcId"] for vpc in answer["Vpcs"]]


def compute_environments(clients: Clients, queue: str) -> list[ComputeEnvironment]:
    """Return the compute environments of a Batch queue, in the order in which it fills them."""
    client = clients("batch")
    queues = ask(client, "describe_job_queues", "batch:DescribeJobQueues", jobQueues=[queue])[
        "jobQueues"
    ]
    if not queues:
        raise AbsentError(f"there is no queue {queue}")
    order = [each["computeEnvironment"] for each in queues[0]["computeEnvironmentOrder"]]
    answer = ask(
        client,
        "describe_compute_environments",
        "batch:DescribeComputeEnvironments",
        computeEnvironments=order,
    )
    return [
        ComputeEnvironment(
            kind=each["computeResources"]["type"],
            max_vcpus=each["computeResources"]["maxvCpus"],
            state=each.get("status", ""),
            reason=each.get("statusReason", ""),
        )
        for each in answer["computeEnvironments"]
    ]


def mail_subscriptions(clients: Clients, topic: str) -> dict[str, bool]:
    """Return the e-mail addresses of a topic, and whether each was confirmed."""
    found = {}
    pages = _pages(
        clients("sns"),
        "list_subscriptions_by_topic",
        "sns:ListSubscriptionsByTopic",
        TopicArn=topic,
    )
    for page in pages:
        for item in page["Subscriptions"]:
            if item["Protocol"] == "email":
                found[item["Endpoint"]] = item["SubscriptionArn"].startswith("arn:")
    return found


def active_cost_tags(clients: Clients, keys: list[str]) -> set[str]:
    """Return those of these cost allocation tags that are active."""
    answer = ask(
        clients("ce"), "list_cost_allocation_tags", "ce:ListCostAllocationTags", TagKeys=keys
    )
    tags = answer["CostAllocationTags"]
    return {tag["TagKey"] for tag in tags if tag["Status"] == "Active"}


def bucket_region(clients: Clients, bucket: str) -> str:
    """Return the region of a bucket that exists and may be listed."""
    answer = ask(clients("s3"), "head_bucket", "s3:ListBucket", Bucket=bucket)
    fields = answer["ResponseMetadata"]["HTTPHeaders"]
    return str(answer.get("BucketRegion") or fields.get("x-amz-bucket-region", ""))
