"""The permissions that AWS asks of a role when a program makes a call of boto3."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

HERE = "eu-west-1:123456789012"
BUCKET = "arn:aws:s3:::faceveil-123456789012-eu-west-1"
MODEL = f"arn:aws:sagemaker:{HERE}:model/faceveil-0123456789ab"

Parameters = Mapping[str, Any]
Request = tuple[str, str, dict[str, str]]
"""(action, resource, context), as a policy is evaluated for it."""


def asked(call: Mapping[str, Any]) -> list[Request]:
    """All requests that AWS evaluates for one call.

    Parameters
    ----------
    call
        A line that `servers/recorder` wrote: service, operation and parameters.
    """
    service, operation, parameters = call["service"], call["operation"], call["parameters"]
    return _REQUESTS[service](operation, parameters)


def _s3(operation: str, parameters: Parameters) -> list[Request]:
    key = f"{BUCKET}/{parameters.get('Key', '')}"
    if operation == "ListObjectsV2":
        return [("s3:ListBucket", BUCKET, {"s3:prefix": parameters.get("Prefix", "")})]
    if operation == "DeleteObjects":
        keys = [each["Key"] for each in parameters["Delete"]["Objects"]]
        return [("s3:DeleteObject", f"{BUCKET}/{name}", {}) for name in keys]
    if operation == "CopyObject":
        source = f"{BUCKET}/{parameters['CopySource']['Key']}"
        return [("s3:GetObject", source, {}), ("s3:PutObject", key, {})]
    action = {"HeadObject": "GetObject"}.get(operation, operation)
    return [(f"s3:{action}", key, {})]


def _sagemaker(operation: str, parameters: Parameters) -> list[Request]:
    if "ProcessingJobName" in parameters:
        return _processing(operation, parameters)
    job = f"arn:aws:sagemaker:{HERE}:transform-job/{parameters['TransformJobName']}"
    requests: list[Request] = [(f"sagemaker:{operation}", job, {"sagemaker:ModelArn": MODEL})]
    return requests + ([("sagemaker:AddTags", job, {})] if parameters.get("Tags") else [])


def _processing(operation: str, parameters: Parameters) -> list[Request]:
    job = f"arn:aws:sagemaker:{HERE}:processing-job/{parameters['ProcessingJobName']}"
    requests: list[Request] = [(f"sagemaker:{operation}", job, {})]
    if "RoleArn" in parameters:
        passed = {"iam:PassedToService": "sagemaker.amazonaws.com"}
        requests.append(("iam:PassRole", parameters["RoleArn"], passed))
    return requests + ([("sagemaker:AddTags", job, {})] if parameters.get("Tags") else [])


def _batch(operation: str, parameters: Parameters) -> list[Request]:
    places = {"job-queue": parameters["jobQueue"], "job-definition": parameters["jobDefinition"]}
    arns = [f"arn:aws:batch:{HERE}:{kind}/{name}" for kind, name in places.items()]
    requests: list[Request] = [(f"batch:{operation}", arn, {}) for arn in arns]
    job = f"arn:aws:batch:{HERE}:job/11111111-2222"
    return requests + ([("batch:TagResource", job, {})] if parameters.get("tags") else [])


def _events(operation: str, parameters: Parameters) -> list[Request]:
    return [
        (
            f"events:{operation}",
            f"arn:aws:events:{HERE}:event-bus/{entry['EventBusName']}",
            {"events:source": entry["Source"]},
        )
        for entry in parameters["Entries"]
    ]


_REQUESTS: dict[str, Callable[[str, Parameters], list[Request]]] = {
    "s3": _s3,
    "sagemaker": _sagemaker,
    "batch": _batch,
    "events": _events,
}
