"""boto3 clients with this project's retries, and URIs of S3."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config

from faceveil.errors import UsageError

if TYPE_CHECKING:
    from types_boto3_batch import BatchClient
    from types_boto3_events import EventBridgeClient
    from types_boto3_lambda import LambdaClient
    from types_boto3_rekognition import RekognitionClient
    from types_boto3_s3 import S3Client
    from types_boto3_sagemaker import SageMakerClient
    from types_boto3_sqs import SQSClient

SCHEME = "s3://"
ATTEMPTS = 5
"""How often boto3 sends a request before it gives up (throttling, 5xx, lost connections)."""
REKOGNITION_ATTEMPTS = 10
"""Quotas are a few requests a second, which all that runs in an account share."""
MAX_CONNECTIONS = 100
"""More threads than this share connections."""
CONNECT_SECONDS = 10
_ENCRYPTED_WRITES = {"PutObject", "CopyObject", "CreateMultipartUpload"}


@dataclass(frozen=True, slots=True)
class S3Uri:
    """`s3://bucket/key`; the key may be empty, or a prefix."""

    bucket: str
    key: str

    @classmethod
    def parse(cls, uri: str) -> S3Uri:
        """Raises UsageError when `uri` is not `s3://bucket[/key]`."""
        bucket, _, key = uri.removeprefix(SCHEME).partition("/")
        if not uri.startswith(SCHEME) or not bucket:
            raise UsageError(f"{uri!r} is not an S3 address: write s3://bucket/prefix")
        return cls(bucket, key)

    def __str__(self) -> str:
        return f"{SCHEME}{self.bucket}/{self.key}"


def is_s3(address: str) -> bool:
    """Whether an address is meant for S3 rather than this machine's disk."""
    return address.startswith(SCHEME)


def s3_client(
    endpoint_url: str | None,
    *,
    attempts: int = ATTEMPTS,
    expected_owner: str | None = None,
    kms_key: str | None = None,
    prefix_keys: Mapping[str, str] | None = None,
    owners: Mapping[str, str] | None = None,
) -> S3Client:
    """A client that threads can share. endpoint_url None: boto3's own rules
    (AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL, then the region's).

    attempts: how often a request is sent at most, with growing random pauses between.
    expected_owner: the account every request expects to own the bucket: S3 refuses where a bucket
    of that name belongs to another account. kms_key: what every object written is encrypted with
    (SSE-KMS), instead of as the bucket says. prefix_keys: other keys, by what the keys of objects
    begin with. owners: the accounts that other buckets belong to, by bucket. All hold for whatever
    is done with the client.
    """
    elsewhere = endpoint_url or os.environ.get("AWS_ENDPOINT_URL_S3")
    elsewhere = elsewhere or os.environ.get("AWS_ENDPOINT_URL")
    config = Config(
        retries={"mode": "standard", "total_max_attempts": attempts},
        max_pool_connections=MAX_CONNECTIONS,
        connect_timeout=CONNECT_SECONDS,
        # A server of one's own has no DNS name per bucket.
        s3={"addressing_style": "path" if elsewhere else "auto"},
    )
    client = boto3.client("s3", endpoint_url=endpoint_url, region_name=region(), config=config)
    if expected_owner or kms_key or prefix_keys or owners:
        added = _AddedParameters(expected_owner, kms_key, prefix_keys or {}, owners or {})
        client.meta.events.register("provide-client-params.s3", added)  # type: ignore[arg-type]
    return client


@dataclass(frozen=True, slots=True)
class _AddedParameters:
    """Puts the expected owner and the key into each request of a client that knows them."""

    expected_owner: str | None
    kms_key: str | None
    prefix_keys: Mapping[str, str]
    owners: Mapping[str, str]

    def __call__(self, params: dict[str, Any], model: Any, **_: object) -> dict[str, Any]:  # noqa: ANN401, botocore's
        params = dict(params)
        if "ExpectedBucketOwner" in model.input_shape.members:
            params |= self._owner("ExpectedBucketOwner", params["Bucket"])
            if "CopySource" in params:
                source = params["CopySource"]["Bucket"]
                params |= self._owner("ExpectedSourceBucketOwner", source)
        if model.name in _ENCRYPTED_WRITES and (kms_key := self._key_of(params["Key"])):
            # A key of the bucket saves a request to KMS per object.
            params |= {
                "ServerSideEncryption": "aws:kms",
                "SSEKMSKeyId": kms_key,
                "BucketKeyEnabled": True,
            }
        return params

    def _owner(self, parameter: str, bucket: str) -> dict[str, str]:
        owner = self.owners.get(bucket, self.expected_owner)
        return {parameter: owner} if owner else {}

    def _key_of(self, name: str) -> str | None:
        keys = (key for prefix, key in self.prefix_keys.items() if name.startswith(prefix))
        return next(keys, self.kms_key)


def presigning_client(plain: S3Client, endpoint_url: str | None) -> S3Client:
    """Make a client that signs addresses for browsers, from one that works in the same place.

    Objects encrypted with KMS need version 4 of the signature. The expected owner is left out: that
    is a header, which a browser would not send.
    """
    config = plain.meta.config.merge(Config(signature_version="s3v4"))
    if config.s3["addressing_style"] == "auto":  # type: ignore[attr-defined]
        # Else the address is one of us-east-1, where this signature does not hold.
        config = config.merge(Config(s3={"addressing_style": "virtual"}))
    return boto3.client(
        "s3", endpoint_url=endpoint_url, region_name=plain.meta.region_name, config=config
    )


def events_client(endpoint_url: str | None) -> EventBridgeClient:
    """A client of EventBridge; endpoint_url as for `s3_client` (AWS_ENDPOINT_URL_EVENTBRIDGE)."""
    config = Config(retries={"mode": "standard", "total_max_attempts": ATTEMPTS})
    return boto3.client("events", endpoint_url=endpoint_url, region_name=region(), config=config)


def sagemaker_client() -> SageMakerClient:
    """A client of SageMaker's control plane (AWS_ENDPOINT_URL_SAGEMAKER)."""
    config = Config(retries={"mode": "standard", "total_max_attempts": ATTEMPTS})
    return boto3.client("sagemaker", region_name=region(), config=config)


def batch_client() -> BatchClient:
    """Make a client of AWS Batch (AWS_ENDPOINT_URL_BATCH)."""
    config = Config(retries={"mode": "standard", "total_max_attempts": ATTEMPTS})
    return boto3.client("batch", region_name=region(), config=config)


def lambda_client() -> LambdaClient:
    """Make a client of Lambda (AWS_ENDPOINT_URL_LAMBDA)."""
    config = Config(retries={"mode": "standard", "total_max_attempts": ATTEMPTS})
    return boto3.client("lambda", region_name=region(), config=config)


def sqs_client() -> SQSClient:
    """Make a client of SQS (AWS_ENDPOINT_URL_SQS)."""
    config = Config(retries={"mode": "standard", "total_max_attempts": ATTEMPTS})
    return boto3.client("sqs", region_name=region(), config=config)


def ecr_client(region_name: str) -> Any:  # noqa: ANN401, there are no stubs of ECR here
    """A client of the registries of a region (AWS_ENDPOINT_URL_ECR)."""
    config = Config(retries={"mode": "standard", "total_max_attempts": ATTEMPTS})
    return boto3.client("ecr", region_name=region_name, config=config)


def rekognition_client(endpoint_url: str | None) -> RekognitionClient:
    """A client of Rekognition that threads can share; endpoint_url as for `s3_client`
    (AWS_ENDPOINT_URL_REKOGNITION).

    Requests slow down to what the account's quota lets through: a video asks once a frame.
    """
    config = Config(
        retries={"mode": "adaptive", "total_max_attempts": REKOGNITION_ATTEMPTS},
        max_pool_connections=MAX_CONNECTIONS,
        connect_timeout=CONNECT_SECONDS,
    )
    return boto3.client(
        "rekognition", endpoint_url=endpoint_url, region_name=region(), config=config
    )


def region() -> str:
    """The region of the environment or of the AWS profile, else us-east-1."""
    named = os.environ.get("AWS_REGION") or boto3.session.Session().region_name
    return named or "us-east-1"
