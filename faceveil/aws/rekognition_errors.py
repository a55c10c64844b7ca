"""What Rekognition's errors mean, and what to do about them."""

from __future__ import annotations

from typing import TypeAlias, TypeVar

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,
    CredentialRetrievalError,
    HTTPClientError,
    NoCredentialsError,
    NoRegionError,
    PartialCredentialsError,
    SSOError,
)

from faceveil.errors import FaceveilError

RekognitionProblem: TypeAlias = ClientError | BotoCoreError
Error = TypeVar("Error", bound=FaceveilError)

_CREDENTIALS = "no credentials for AWS that work: {0}. Renew them, or check AWS_PROFILE"
_BUSY = (
    "Rekognition stayed too busy ({0}), however often it was asked: use fewer --workers, ask for a "
    "higher quota under Service Quotas, or go on later"
)
_DOWN = "Rekognition failed on its side ({0}): try again later"
_ADVICE = {
    "AccessDeniedException": "access denied: these credentials may not call rekognition:{1}, or "
    "may not read what it is about ({0})",
    "ExpiredTokenException": _CREDENTIALS,
    "InvalidSignatureException": _CREDENTIALS,
    "UnrecognizedClientException": _CREDENTIALS,
    "ProvisionedThroughputExceededException": _BUSY,
    "ThrottlingException": _BUSY,
    "InternalServerError": _DOWN,
    "ServiceUnavailableException": _DOWN,
    "InvalidImageFormatException": "Rekognition cannot read the picture ({0}): it takes JPEG and "
    "PNG that are whole",
    "ImageTooLargeException": "the picture is too large for Rekognition ({0}): give it a smaller "
    "one",
    "InvalidS3ObjectException": "Rekognition cannot read the object ({0}): the bucket must lie in "
    "the same region, and these credentials must be allowed to read from it, its KMS key included",
    "VideoTooLargeException": "the video is too large for Rekognition ({0}): it takes 10 GB and "
    "6 hours; cut it, or use the networks of faceveil",
    "InvalidParameterException": "Rekognition refuses what it was given ({0}): it searches MP4, "
    "MOV and AVI with H.264 video, and pictures of 80 pixels and more",
    "LimitExceededException": "too many videos are searched at once ({0}): wait for the others",
    "ServiceQuotaExceededException": "a quota of the account is used up ({0}): see Service Quotas",
}
_NO_CREDENTIALS = (
    NoCredentialsError,
    PartialCredentialsError,
    CredentialRetrievalError,
    SSOError,
)


def explained(problem: RekognitionProblem, where: object, kind: type[Error]) -> Error:
    """The error to raise for a failed request about `where`."""
    code = ""
    if isinstance(problem, ClientError):
        code = str(problem.response.get("Error", {}).get("Code", ""))
    operation = getattr(problem, "operation_name", "")
    if code in _ADVICE:
        return kind(f"{where}: {_ADVICE[code].format(problem, operation)}")
    if isinstance(problem, _NO_CREDENTIALS):
        return kind(f"{where}: {_CREDENTIALS.format(problem)}")
    if isinstance(problem, NoRegionError):
        return kind(f"{where}: in which region? Set AWS_REGION ({problem})")
    if isinstance(problem, (ConnectionError, HTTPClientError)):
        return kind(
            f"{where}: Rekognition cannot be reached: check the network, and that AWS_REGION is a "
            f"region that has it ({problem})"
        )
    return kind(f"{where}: Rekognition refused ({problem})")
