"""A place in S3, and what is done with the objects there."""

from __future__ import annotations

import base64
import hashlib
import mimetypes
import random
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from boto3.s3.transfer import TransferConfig
from botocore.exceptions import BotoCoreError, ClientError

from faceveil.aws.clients import S3Uri, s3_client
from faceveil.aws.direct_reads import DirectReads
from faceveil.aws.errors import AWS_ERRORS, BROKEN_BODY, code_of
from faceveil.aws.s3_errors import (
    ALREADY_THERE,
    GONE,
    WRITTEN_AT_ONCE,
    LostObjectError,
    explained,
    translated,
)
from faceveil.errors import InputError, OutputError

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

ATTEMPTS = 8
"""How often a request is sent: a job of hours must outlast a minute of throttling."""
BODY_ATTEMPTS = 5
"""boto3 repeats requests, but not the reading of a body that breaks off."""
MOST_DELETED_AT_ONCE = 1000
_PAUSE_SECONDS = 0.2
_MULTIPART = TransferConfig(multipart_chunksize=16 << 20, max_concurrency=4)
_UNKNOWN_TYPE = "application/octet-stream"


class Listed(NamedTuple):
    """An object of a listing: its name in the place, bytes, and the ETag without quotes."""

    name: str
    size: int
    etag: str


class WrittenObject(NamedTuple):
    """An object that was written. sha256 (hex) is None where S3 copied it and did not say."""

    name: str
    etag: str
    sha256: str | None


@dataclass(frozen=True, slots=True, eq=False)
class S3Location:
    """The objects of a bucket whose keys begin with `prefix`: empty, or ending in `/`.

    Names are keys without the prefix. Everything may be done from many threads. Requests are
    repeated when S3 is busy or a connection breaks. What S3 refuses raises InputError when
    reading and OutputError when writing; LostObjectError, an InputError, says that one object is
    gone or another one by now, any other error that the rest would fail alike.
    """

    client: S3Client
    bucket: str
    prefix: str = ""
    direct: DirectReads | None = None

    @classmethod
    def open(
        cls,
        uri: str,
        endpoint_url: str | None = None,
        *,
        expected_owner: str | None = None,
        kms_key: str | None = None,
        prefix_keys: Mapping[str, str] | None = None,
        owners: Mapping[str, str] | None = None,
    ) -> S3Location:
        """`s3://bucket/prefix`, with or without a `/` at the end; see `clients.s3_client`.

        Nothing is asked of S3 yet. Raises UsageError when `uri` is no such address.
        """
        parsed = S3Uri.parse(uri)
        client = s3_client(
            endpoint_url,
            attempts=ATTEMPTS,
            expected_owner=expected_owner,
            kms_key=kms_key,
            prefix_keys=prefix_keys,
            owners=owners,
        )
        return cls(client, parsed.bucket, direct=DirectReads(client)).folder(parsed.key)

    def folder(self, name: str) -> S3Location:
        """The place `name` inside this one."""
        prefix = self.prefix + name
        return replace(self, prefix=prefix if not prefix or prefix.endswith("/") else f"{prefix}/")

    def uri(self, name: str = "") -> S3Uri:
        """`s3://bucket/key` of an object, or of the place itself."""
        return S3Uri(self.bucket, self.prefix + name)

    def pages(self, start_after: str = "", *, recursive: bool = False) -> Iterator[list[Listed]]:
        """Pages of up to 1000 objects, in S3's order of keys, after the name `start_after`.

        Objects in folders below only when `recursive`. Empty objects that stand for folders in
        consoles are left out. Raises InputError.
        """
        options: dict[str, Any] = {} if recursive else {"Delimiter": "/"}
        if start_after:
            options["StartAfter"] = self.prefix + start_after
        pages = self.client.get_paginator("list_objects_v2")
        start = len(self.prefix)
        try:
            for page in pages.paginate(Bucket=self.bucket, Prefix=self.prefix, **options):
                yield [
                    Listed(item["Key"][start:], item["Size"], item["ETag"].strip('"'))
                    for item in page.get("Contents", [])
                    if not item["Key"].endswith("/")
                ]
        except AWS_ERRORS as error:
            raise explained(error, self.uri(), InputError) from error

    def folders(self) -> Iterator[str]:
        """Names of the folders directly inside, without the `/`. Raises InputError."""
        pages = self.client.get_paginator("list_objects_v2")
        start = len(self.prefix)
        with translated(self.uri(), InputError):
            for page in pages.paginate(Bucket=self.bucket, Prefix=self.prefix, Delimiter="/"):
                for folder in page.get("CommonPrefixes", []):
                    yield folder["Prefix"][start:].removesuffix("/")

    def times_written(
        self, below: str = "", *, start_after: str = "", recursive: bool = True
    ) -> Iterator[tuple[str, datetime]]:
        """Name of each object that begins with `below`, in S3's order, and when it was written.

        Objects in folders only when `recursive`; those after the name `start_after` only. Raises
        InputError.
        """
        options: dict[str, Any] = {} if recursive else {"Delimiter": "/"}
        if start_after:
            options["StartAfter"] = self.prefix + start_after
        pages = self.client.get_paginator("list_objects_v2")
        start = len(self.prefix)
        with translated(self.uri(), InputError):
            for page in pages.paginate(Bucket=self.bucket, Prefix=self.prefix + below, **options):
                for item in page.get("Contents", []):
                    if not item["Key"].endswith("/"):
                        yield item["Key"][start:], item["LastModified"]

    def find(self, name: str) -> Listed | None:
        """An object without its content; None when there is none. Raises InputError."""
        try:
            head = self.client.head_object(Bucket=self.bucket, Key=self.prefix + name)
        except AWS_ERRORS as refusal:
            error = explained(refusal, self.uri(name), InputError)
            if isinstance(error, LostObjectError):
                return None
            raise error from refusal
        return Listed(name, head["ContentLength"], head["ETag"].strip('"'))

    def read(self, name: str, etag: str | None = None) -> bytes:
        """The content of an object; of the one with this `etag` only, where it is given."""
        key = self.prefix + name
        content = self.direct.read(self.bucket, key, etag) if self.direct else None
        if content is not None:
            return content
        options: dict[str, Any] = {"IfMatch": f'"{etag}"'} if etag else {}
        for attempt in range(1, BODY_ATTEMPTS + 1):
            try:
                answer = self.client.get_object(Bucket=self.bucket, Key=key, **options)
                # Not `with answer["Body"]`: that is urllib3's stream, with errors of its own.
                with closing(answer["Body"]) as body:
                    content = body.read()
                if self.direct:
                    self.direct.learn(self.bucket, key)
                return content
            except BROKEN_BODY as error:
                if attempt == BODY_ATTEMPTS:
                    raise explained(error, self.uri(name), InputError) from error
                _pause(attempt)
            except AWS_ERRORS as error:
                raise explained(error, self.uri(name), InputError) from error
        raise AssertionError("the last attempt returns or raises")

    def write(self, name: str, content: bytes) -> WrittenObject:
        """Put an object in one piece, in place of what is there; S3 checks its SHA-256."""
        try:
            return self._put(name, content, {})
        except AWS_ERRORS as error:
            raise explained(error, self.uri(name), OutputError) from error

    def put_if_absent(self, name: str, content: bytes) -> bool:
        """Put an object unless there is one already; False when there is.

        Of many that try at once, one gets True: for that a claim's content must be the claimant's
        alone, since a request whose answer was lost is repeated, finds its own object, and knows
        it by the content.
        """
        attempt = 1
        while True:
            try:
                self._put(name, content, {"IfNoneMatch": "*"})
                return True
            except ClientError as error:
                code = code_of(error)
                if code in ALREADY_THERE:
                    repeated = error.response["ResponseMetadata"].get("RetryAttempts", 0) > 0
                    return (repeated or attempt > 1) and self.read(name) == content
                if code not in WRITTEN_AT_ONCE or attempt == ATTEMPTS:
                    raise explained(error, self.uri(name), OutputError) from error
            except BotoCoreError as error:
                raise explained(error, self.uri(name), OutputError) from error
            _pause(attempt)
            attempt += 1

    def put_if_unchanged(self, name: str, content: bytes, etag: str) -> WrittenObject | None:
        """Put an object in the place of the one with this ETag.

        None where that is gone, or another one by now. A request whose answer was lost is known by
        its content, as for `put_if_absent`.
        """
        attempt = 1
        while True:
            try:
                return self._put(name, content, {"IfMatch": f'"{etag}"'})
            except ClientError as error:
                code = code_of(error)
                if code in ALREADY_THERE or code in GONE:
                    repeated = error.response["ResponseMetadata"].get("RetryAttempts", 0) > 0
                    found = self.find(name) if repeated or attempt > 1 else None
                    if found is None or self.read(name, found.etag) != content:
                        return None
                    return WrittenObject(name, found.etag, hashlib.sha256(content).hexdigest())
                if code not in WRITTEN_AT_ONCE or attempt == ATTEMPTS:
                    raise explained(error, self.uri(name), OutputError) from error
            except BotoCoreError as error:
                raise explained(error, self.uri(name), OutputError) from error
            _pause(attempt)
            attempt += 1

    def copy(self, source: S3Location, listed: Listed) -> WrittenObject:
        """Let S3 copy an object here, under its own name; nothing is downloaded.

        Raises LostObjectError when it is no longer the one that was listed.
        """
        try:
            answer = self.client.copy_object(
                Bucket=self.bucket,
                Key=self.prefix + listed.name,
                CopySource={"Bucket": source.bucket, "Key": source.prefix + listed.name},
                CopySourceIfMatch=f'"{listed.etag}"',
                ChecksumAlgorithm="SHA256",
                # Tags may say when the source expires, and reading them needs a right more.
                TaggingDirective="REPLACE",
            )
        except AWS_ERRORS as error:
            where = f"{source.uri(listed.name)} to {self.uri()}"
            raise explained(error, where, OutputError) from error
        result = answer["CopyObjectResult"]
        checksum = result.get("ChecksumSHA256")
        sha256 = base64.b64decode(checksum).hex() if checksum else None
        return WrittenObject(listed.name, result["ETag"].strip('"'), sha256)

    def upload(self, name: str, path: Path) -> None:
        """Write a file, in parts when it is large. Raises InputError, OutputError."""
        kind = mimetypes.guess_type(name)[0] or _UNKNOWN_TYPE
        try:
            with path.open("rb") as stream:
                self.client.upload_fileobj(
                    stream,
                    self.bucket,
                    self.prefix + name,
                    ExtraArgs={"ContentType": kind},
                    Config=_MULTIPART,
                )
        except AWS_ERRORS as error:
            raise explained(error, self.uri(name), OutputError) from error
        except OSError as error:
            raise InputError(f"{path}: cannot be read ({error.strerror})") from error

    def download(self, name: str, path: Path) -> None:
        """Read a large object into a new file. Raises InputError, OutputError."""
        try:
            with path.open("wb") as stream:
                self.client.download_fileobj(
                    self.bucket, self.prefix + name, stream, Config=_MULTIPART
                )
        except AWS_ERRORS as error:
            raise explained(error, self.uri(name), InputError) from error
        except OSError as error:
            raise OutputError(f"{path}: cannot be written ({error.strerror})") from error

    def delete(self, names: Iterable[str]) -> None:
        """Delete objects; those that do not exist are no error. Raises OutputError."""
        rest = iter(names)
        while batch := list(islice(rest, MOST_DELETED_AT_ONCE)):
            keys = [{"Key": self.prefix + name} for name in batch]
            try:
                answer = self.client.delete_objects(
                    Bucket=self.bucket,
                    Delete={"Objects": keys, "Quiet": True},  # type: ignore[typeddict-item]
                )
            except AWS_ERRORS as error:
                raise explained(error, self.uri(), OutputError) from error
            for refused in answer.get("Errors", []):
                uri = S3Uri(self.bucket, refused.get("Key", ""))
                raise OutputError(f"{uri}: cannot be deleted ({refused.get('Message')})")

    def _put(self, name: str, content: bytes, options: dict[str, Any]) -> WrittenObject:
        digest = hashlib.sha256(content)
        answer = self.client.put_object(
            Bucket=self.bucket,
            Key=self.prefix + name,
            Body=content,
            ContentType=mimetypes.guess_type(name)[0] or _UNKNOWN_TYPE,
            ChecksumSHA256=base64.b64encode(digest.digest()).decode(),
            **options,
        )
        return WrittenObject(name, answer["ETag"].strip('"'), digest.hexdigest())


def _pause(attempt: int) -> None:
    time.sleep(random.uniform(0, _PAUSE_SECONDS * 2**attempt))
