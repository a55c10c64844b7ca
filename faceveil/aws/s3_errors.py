"""What S3's errors mean, and what to do about them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from faceveil.aws.errors import AWS_ERRORS, CREDENTIALS, AwsError, Error, code_of, explain
from faceveil.errors import InputError

ALREADY_THERE = {"PreconditionFailed", "412"}
GONE = {"NoSuchKey", "NotFound", "404"}
WRITTEN_AT_ONCE = {"ConditionalRequestConflict", "OperationAborted"}
_LOST = {
    "NoSuchKey": "there is no such object (any more)",
    "404": "there is no such object (any more)",
    "NotFound": "there is no such object (any more)",
    "PreconditionFailed": "was changed since it was listed",
    "412": "was changed since it was listed",
}
_DENIED = (
    "access denied: these credentials may not do this ({operation}), or the bucket or its key "
    "belongs to another account"
)
_BUSY = (
    "S3 stayed too busy ({error}), however often it was asked: ask for less at a time, or go on "
    "later"
)
_REGION = "the bucket lies in another region: set AWS_REGION to it ({error})"
_KMS = "the KMS key cannot be used ({error})"
_ADVICE = {
    "NoSuchBucket": "there is no such bucket here: check its name, the region and the endpoint",
    "AccessDenied": _DENIED,
    "403": _DENIED,
    "AllAccessDisabled": _DENIED,
    "ExpiredToken": CREDENTIALS,
    "ExpiredTokenException": CREDENTIALS,
    "InvalidAccessKeyId": CREDENTIALS,
    "InvalidToken": CREDENTIALS,
    "SignatureDoesNotMatch": CREDENTIALS,
    "TokenRefreshRequired": CREDENTIALS,
    "RequestTimeTooSkewed": "the clock of this machine is wrong ({error})",
    "SlowDown": _BUSY,
    "ServiceUnavailable": _BUSY,
    "503": _BUSY,
    "RequestLimitExceeded": _BUSY,
    "PermanentRedirect": _REGION,
    "AuthorizationHeaderMalformed": _REGION,
    "IllegalLocationConstraintException": _REGION,
}


class LostObjectError(InputError):
    """An object that was listed is gone, or is another one now: this one object cannot be used.

    Any other error of S3 concerns all objects alike.
    """


def explained(error: AwsError, where: object, kind: type[Error]) -> Error | LostObjectError:
    """Return the error to raise for a failed request about `where`."""
    code = code_of(error)
    if code in _LOST:
        return LostObjectError(f"{where}: {_LOST[code]}")
    advice = {**_ADVICE, code: _KMS} if code.startswith("KMS.") else _ADVICE
    return explain(error, where, kind, service="S3", advice=advice)


@contextmanager
def translated(where: object, kind: type[Error]) -> Iterator[None]:
    """Raise `kind`, or LostObjectError, for what boto3 raises inside."""
    try:
        yield
    except AWS_ERRORS as error:
        raise explained(error, where, kind) from error
