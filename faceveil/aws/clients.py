"""boto3 clients with this project's retries, and URIs of S3."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config

from faceveil.errors import UsageError

if TYPE_CHECKING:
    from types_boto3_events import EventBridgeClient
    from types_boto3_s3 import S3Client

SCHEME = "s3://"
ATTEMPTS = 5
"""How often boto3 asks before it gives up on a request (throttling, 5xx, lost connections)."""
MAX_CONNECTIONS = 100
"""More threads than this share connections."""


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


def s3_client(endpoint_url: str | None) -> S3Client:
    """A client that threads can share. endpoint_url None: boto3's own rules
    (AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL, then the region's)."""
    elsewhere = endpoint_url or os.environ.get("AWS_ENDPOINT_URL_S3")
    elsewhere = elsewhere or os.environ.get("AWS_ENDPOINT_URL")
    config = Config(
        retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
        max_pool_connections=MAX_CONNECTIONS,
        # A server of one's own has no DNS name per bucket.
        s3={"addressing_style": "path" if elsewhere else "auto"},
    )
    return boto3.client("s3", endpoint_url=endpoint_url, region_name=region(), config=config)


def events_client(endpoint_url: str | None) -> EventBridgeClient:
    """A client of EventBridge; endpoint_url as for `s3_client` (AWS_ENDPOINT_URL_EVENTBRIDGE)."""
    config = Config(retries={"mode": "standard", "total_max_attempts": ATTEMPTS})
    return boto3.client("events", endpoint_url=endpoint_url, region_name=region(), config=config)


def region() -> str:
    """The region of the environment or of the AWS profile, else us-east-1."""
    named = os.environ.get("AWS_REGION") or boto3.session.Session().region_name
    return named or "us-east-1"
