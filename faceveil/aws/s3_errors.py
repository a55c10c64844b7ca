"""What S3's errors mean, and what to do about them."""

from __future__ import annotations

from typing import TypeAlias, TypeVar

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,
    CredentialRetrievalError,
    HTTPClientError,
    IncompleteReadError,
    NoCredentialsError,
    PartialCredentialsError,
    SSOError,
)

from faceveil.errors import FaceveilError, InputError

S3Problem: TypeAlias = ClientError | BotoCoreError
Error = TypeVar("Error", bound=FaceveilError)

BROKEN_BODY = (HTTPClientError, IncompleteReadError)
"""A body that ended too early or not at all: worth another request."""
ALREADY_THERE = {"PreconditionFailed", "412"}
WRITTEN_AT_ONCE = {"ConditionalRequestConflict", "OperationAborted"}
_LOST = {
    "NoSuchKey": "there is no such object (any more)",
    "404": "there is no such object (any more)",
    "NotFound": "there is no such object (any more)",
    "PreconditionFailed": "was changed since it was listed",
    "412": "was changed since it was listed",
}
_CREDENTIALS = "no credentials for S3 that work: {0}. Renew them, or check AWS_PROFILE"
_DENIED = (
    "access denied: these credentials may not do this ({1}), or the bucket or its key belongs to "
    "another account"
)
_BUSY = (
    "S3 stayed too busy ({0}), however often it was asked: ask for less at a time, or go on later"
)
_REGION = "the bucket lies in another region: set AWS_REGION to it ({0})"
_ADVICE = {
    "NoSuchBucket": "there is no such bucket here: check its name, the region and the endpoint",
    "AccessDenied": _DENIED,
    "403": _DENIED,
    "AllAccessDisabled": _DENIED,
    "ExpiredToken": _CREDENTIALS,
    "ExpiredTokenException": _CREDENTIALS,
    "InvalidAccessKeyId": _CREDENTIALS,
    "InvalidToken": _CREDENTIALS,
    "SignatureDoesNotMatch": _CREDENTIALS,
    "TokenRefreshRequired": _CREDENTIALS,
    "RequestTimeTooSkewed": "the clock of this machine is wrong ({0})",
    "SlowDown": _BUSY,
    "ServiceUnavailable": _BUSY,
    "503": _BUSY,
    "RequestLimitExceeded": _BUSY,
    "PermanentRedirect": _REGION,
    "AuthorizationHeaderMalformed": _REGION,
    "IllegalLocationConstraintException": _REGION,
}
_NO_CREDENTIALS = (
    NoCredentialsError,
    PartialCredentialsError,
    CredentialRetrievalError,
    SSOError,
)


class LostObjectError(InputError):
    """An object that was listed is gone, or is another one now: this one object cannot be used.

    Any other error of S3 concerns all objects alike.
    """


def code_of(problem: S3Problem) -> str:
    """S3's name for what went wrong, "" where it is not S3 that answered."""
    if isinstance(problem, ClientError):
        return str(problem.response.get("Error", {}).get("Code", ""))
    return ""


def explained(problem: S3Problem, where: object, kind: type[Error]) -> Error | LostObjectError:
    """The error to raise for a failed request about `where`."""
    code = code_of(problem)
    if code in _LOST:
        return LostObjectError(f"{where}: {_LOST[code]}")
    operation = getattr(problem, "operation_name", "")
    if code in _ADVICE:
        return kind(f"{where}: {_ADVICE[code].format(problem, operation)}")
    if code.startswith("KMS."):
        return kind(f"{where}: the KMS key cannot be used ({problem})")
    if isinstance(problem, _NO_CREDENTIALS):
        return kind(f"{where}: {_CREDENTIALS.format(problem)}")
    if isinstance(problem, (ConnectionError, *BROKEN_BODY)):
        return kind(
            f"{where}: S3 cannot be reached: check the endpoint and the network ({problem})"
        )
    return kind(f"{where}: S3 refused ({problem})")
