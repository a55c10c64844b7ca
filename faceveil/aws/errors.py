"""What boto3 raises, and what the errors that all services share mean.

A module outside this package catches none of boto3's errors: it calls what is translated here, or
puts its requests into `s3_errors.translated` or `rekognition_errors.translated`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias, TypeVar

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,
    CredentialRetrievalError,
    HTTPClientError,
    IncompleteReadError,
    NoCredentialsError,
    NoRegionError,
    PartialCredentialsError,
    SSOError,
)

from faceveil.errors import FaceveilError

AwsError: TypeAlias = ClientError | BotoCoreError
AWS_ERRORS = (ClientError, BotoCoreError)
"""Everything that boto3 raises when a service refuses or cannot be reached."""
BROKEN_BODY = (HTTPClientError, IncompleteReadError)
"""A body that ended too early or not at all: worth another request."""
DENIED = {"AccessDenied", "AccessDeniedException", "403"}
Error = TypeVar("Error", bound=FaceveilError)

CREDENTIALS = "no credentials for {service} that work: {error}. Renew them, or check AWS_PROFILE"
_NO_CREDENTIALS = (
    NoCredentialsError,
    PartialCredentialsError,
    CredentialRetrievalError,
    SSOError,
)


def code_of(error: BaseException | None) -> str:
    """Return the service's name for what went wrong, "" where no service answered."""
    if isinstance(error, ClientError):
        return str(error.response.get("Error", {}).get("Code", ""))
    return ""


def message_of(error: BaseException) -> str:
    """Return the service's message, or all of the error where there is none."""
    if isinstance(error, ClientError):
        return str(error.response.get("Error", {}).get("Message", error))
    return str(error)


def explain(
    error: AwsError,
    where: object,
    kind: type[Error],
    *,
    service: str,
    advice: Mapping[str, str],
) -> Error:
    """Return the error of faceveil to raise for a failed request.

    Parameters
    ----------
    error
        What boto3 has raised.
    where
        What the request was about, named first in the message.
    kind
        The class of the error.
    service
        The service's name, for messages.
    advice
        A message for each error code of the service; `{service}`, `{error}` and `{operation}` are
        filled in.
    """
    text = advice.get(code_of(error))
    if text is None:
        text = _shared_advice(error)
    operation = getattr(error, "operation_name", "")
    return kind(f"{where}: {text.format(service=service, error=error, operation=operation)}")


def _shared_advice(error: AwsError) -> str:
    if isinstance(error, _NO_CREDENTIALS):
        return CREDENTIALS
    if isinstance(error, NoRegionError):
        return "in which region? Set AWS_REGION ({error})"
    if isinstance(error, (ConnectionError, *BROKEN_BODY)):
        return (
            "{service} cannot be reached: check the network, the endpoint, and that AWS_REGION is "
            "a region that has it ({error})"
        )
    return "{service} refused ({error})"
