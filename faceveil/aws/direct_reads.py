"""Small objects read with less than half of the processor time that boto3 takes.

A long job reads a million detections, and most of what boto3 does for a request is the same for
all: rules of endpoints, checks of parameters, headers that are never looked at. That much is
learned from one request of boto3's. The next ones are made from it, signed by the client's own
signer and sent over the client's own connections. Whatever is not a plain success is left to
boto3, which asks again: its retries, redirects and errors stay the only ones.
"""

from __future__ import annotations

import base64
import hashlib
import threading
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from botocore.awsrequest import AWSRequest

from faceveil.aws.errors import AWS_ERRORS

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

_OPERATION = "GetObject"
_SIGNATURE = "s3v4"
_OF_ONE_REQUEST = {"amz-sdk-invocation-id", "amz-sdk-request", "if-match", "x-amzn-trace-id"}
_SIGNED_WITH = ("auth_type", "client_config", "signing")
_SIGNED_OTHERWISE = {"identity_cache", "request_credentials"}
_CHECKSUMS: dict[str, Callable[[bytes], bytes]] = {
    "x-amz-checksum-sha256": lambda content: hashlib.sha256(content).digest(),
    "x-amz-checksum-crc32": lambda content: zlib.crc32(content).to_bytes(4, "big"),
}


@dataclass(frozen=True, slots=True)
class _Pattern:
    """What the requests for all objects of a bucket have in common."""

    address: str
    headers: dict[str, str]
    context: dict[str, Any]
    signer: Any


class DirectReads:
    """Reads objects of buckets that a client of S3 has read one object of before.

    All methods may be called from any thread.
    """

    def __init__(self, client: S3Client) -> None:
        self._patterns: dict[str, _Pattern] = {}
        self._seen = threading.local()
        # The client has no public name for its connections. Without them boto3 reads everything.
        self._session: Any = getattr(getattr(client, "_endpoint", None), "http_session", None)
        client.meta.events.register(f"before-sign.s3.{_OPERATION}", self._note)

    def read(self, bucket: str, key: str, etag: str | None) -> bytes | None:
        """Return the content of an object, or None where boto3 has to be asked.

        etag: None, or the only one that the object may have.
        """
        pattern = self._patterns.get(bucket)
        if pattern is None:
            return None
        headers = {**pattern.headers, "If-Match": f'"{etag}"'} if etag else pattern.headers
        request = AWSRequest("GET", pattern.address + _quoted(key), headers)
        request.context = dict(pattern.context)
        try:
            pattern.signer.sign(_OPERATION, request)
            answer = self._session.send(request.prepare())
        except AWS_ERRORS:
            # boto3's next success says whether the pattern still holds.
            self._patterns.pop(bucket, None)
            return None
        return answer.content if answer.status_code == 200 and _is_whole(answer) else None

    def learn(self, bucket: str, key: str) -> None:
        """Learn from the request by which boto3 has just read an object in this thread."""
        seen: _Pattern | None = getattr(self._seen, "request", None)
        quoted = _quoted(key)
        if self._session is not None and seen is not None and seen.address.endswith(f"/{quoted}"):
            self._patterns[bucket] = replace(seen, address=seen.address.removesuffix(quoted))

    def _note(
        self, request: AWSRequest, signature_version: str, request_signer: object, **_: object
    ) -> None:
        noted: dict[str, Any] = dict(request.context)
        context = {name: noted[name] for name in _SIGNED_WITH if name in noted}
        if signature_version != _SIGNATURE or _SIGNED_OTHERWISE & set(context.get("signing", {})):
            self._seen.request = None
            return
        headers = {
            name: value.decode() if isinstance(value, bytes) else value
            for name, value in request.headers.items()
            if name.lower() not in _OF_ONE_REQUEST
        }
        self._seen.request = _Pattern(str(request.url), headers, context, request_signer)


def _quoted(key: str) -> str:
    return quote(key, safe="/~")


def _is_whole(answer: Any) -> bool:  # noqa: ANN401, botocore's
    """Whether all of a body came, and is what was written, as far as the answer tells."""
    content: bytes = answer.content
    if answer.headers.get("Content-Length") != str(len(content)):
        return False
    for name, digest in _CHECKSUMS.items():
        told = answer.headers.get(name)
        if told is not None and "-" not in told:  # else of the parts of an upload
            return base64.b64encode(digest(content)).decode() == str(told)
    return True
