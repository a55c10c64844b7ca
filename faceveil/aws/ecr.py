"""ECR: the password with which images are pushed."""

from __future__ import annotations

import base64

from faceveil.aws.clients import ecr_client
from faceveil.aws.errors import AWS_ERRORS
from faceveil.errors import OutputError


def registry_password(region: str) -> str:
    """Return the password for the registries of a region, valid for 12 hours.

    Raises OutputError where ECR refuses.
    """
    try:
        answer = ecr_client(region).get_authorization_token()
    except AWS_ERRORS as error:
        raise OutputError(
            f"ECR in {region} returns no password ({error}): these credentials need "
            "ecr:GetAuthorizationToken"
        ) from error
    token = base64.b64decode(answer["authorizationData"][0]["authorizationToken"]).decode()
    return str(token.partition(":")[2])
