"""STS: the account and the role that requests are made with."""

from __future__ import annotations

import boto3

from faceveil.aws.clients import region
from faceveil.aws.errors import AWS_ERRORS
from faceveil.errors import UsageError


def caller_identity() -> str:
    """Return the account, the user or role, and the region of the credentials.

    Raises UsageError without valid credentials, with how to get some.
    """
    try:
        answer = boto3.client("sts", region_name=region()).get_caller_identity()
    except AWS_ERRORS as error:
        raise UsageError(
            f"no valid credentials ({error}): run `aws configure` or `aws sso login`, or set "
            "AWS_PROFILE"
        ) from error
    return f"account {answer['Account']}, {answer['Arn']}, {region()}"
