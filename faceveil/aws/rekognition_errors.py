"""What Rekognition's errors mean, and what to do about them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from faceveil.aws.errors import AWS_ERRORS, CREDENTIALS, AwsError, Error, explain

_BUSY = (
    "Rekognition stayed too busy ({error}), however often it was asked: use fewer --workers, ask "
    "for a higher quota under Service Quotas, or go on later"
)
_DOWN = "Rekognition failed on its side ({error}): try again later"
_ADVICE = {
    "AccessDeniedException": "access denied: these credentials may not call "
    "rekognition:{operation}, or may not read what it is about ({error})",
    "ExpiredTokenException": CREDENTIALS,
    "InvalidSignatureException": CREDENTIALS,
    "UnrecognizedClientException": CREDENTIALS,
    "ProvisionedThroughputExceededException": _BUSY,
    "ThrottlingException": _BUSY,
    "InternalServerError": _DOWN,
    "ServiceUnavailableException": _DOWN,
    "InvalidImageFormatException": "Rekognition cannot read the picture ({error}): it takes JPEG "
    "and PNG that are whole",
    "ImageTooLargeException": "the picture is too large for Rekognition ({error}): give it a "
    "smaller one",
    "InvalidS3ObjectException": "Rekognition cannot read the object ({error}): the bucket must lie "
    "in the same region, and these credentials must be allowed to read from it, its KMS key "
    "included",
    "VideoTooLargeException": "the video is too large for Rekognition ({error}): it takes 10 GB "
    "and 6 hours; cut it, or use the networks of faceveil",
    "InvalidParameterException": "Rekognition refuses what it was given ({error}): it searches "
    "MP4, MOV and AVI with H.264 video, and pictures of 80 pixels and more",
    "LimitExceededException": "too many videos are searched at once ({error}): wait for the others",
    "ServiceQuotaExceededException": "a quota of the account is used up ({error}): see Service "
    "Quotas",
}


def explained(error: AwsError, where: object, kind: type[Error]) -> Error:
    """Return the error to raise for a failed request about `where`."""
    return explain(error, where, kind, service="Rekognition", advice=_ADVICE)


@contextmanager
def translated(where: object, kind: type[Error]) -> Iterator[None]:
    """Raise `kind` for what boto3 raises inside."""
    try:
        yield
    except AWS_ERRORS as error:
        raise explained(error, where, kind) from error
