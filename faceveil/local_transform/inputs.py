"""What a job reads: the objects under an S3 prefix, in a folder, or named by a manifest.

A *name* is an object's key relative to the job's prefix, with `/` between folders: the part
that its answer keeps under the output prefix.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from faceveil.aws.clients import S3Uri, is_s3
from faceveil.aws.errors import AWS_ERRORS, BROKEN_BODY
from faceveil.errors import InputError, UsageError
from faceveil.local_transform.manifest import parse_manifest

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

MEGABYTE = 1024 * 1024
READ_ATTEMPTS = 3
"""boto3 repeats requests, but not the reading of a body that breaks off."""


@dataclass(frozen=True, slots=True)
class TransformInput:
    """The objects of a job.

    names: every object's name, as the listing arrives; iterating raises InputError where the
    listing fails. read(name, limit): an object's bytes, from any thread; raises InputError when
    it is gone or has more than `limit` bytes (None: no limit).
    """

    names: Iterable[str]
    read: Callable[[str, int | None], bytes]


def open_input(address: str, manifest: bool, client: S3Client) -> TransformInput:
    """The input of a job: an S3 prefix, a folder, or with `manifest` what a manifest names.

    A manifest lies on this machine or in S3. Beyond SageMaker's format its prefix may be a
    folder of this machine, relative to the manifest's own.
    Raises InputError when the manifest cannot be read, UsageError for a file without `manifest`.
    """
    if manifest:
        return _open_manifest(address, client)
    if is_s3(address):
        prefix = S3Uri.parse(address)
        base = _base(client, prefix)
        names = _list_prefix(client, prefix, base)
        return TransformInput(names, _S3Reader(client, S3Uri(prefix.bucket, base)))
    root = Path(address)
    if root.is_file():
        raise UsageError(f"{address}: is a file; for a manifest of objects add --manifest")
    if not root.is_dir():
        raise InputError(f"{address}: no such folder")
    return TransformInput(_list_folder(root), _FolderReader(root))


def path_inside(root: Path, name: str) -> Path:
    """Where an object of this name lies under a folder; a name cannot lead out of it.

    Raises InputError for `..`, absolute names, names that would share a file with another, and
    what is not UTF-8.
    """
    plain = PurePosixPath(name)
    strange = plain.is_absolute() or ".." in plain.parts or plain.as_posix() != name
    if strange or name != readable(name):
        raise InputError(f"the name {name!r} cannot be that of a file")
    return root / name


def readable(name: str) -> str:
    """A name that can be written as UTF-8: file names of this machine may be any bytes."""
    return name.encode("utf-8", "backslashreplace").decode("utf-8")


def _open_manifest(address: str, client: S3Client) -> TransformInput:
    try:
        if is_s3(address):
            content = _read_object(client, S3Uri.parse(address), None)
        else:
            content = Path(address).read_bytes()
        prefix, names = parse_manifest(content)
    except OSError as error:
        raise InputError(f"{address}: cannot be read ({error.strerror})") from error
    except InputError as error:
        raise InputError(f"{address}: {error}") from error
    if is_s3(prefix):
        return TransformInput(names, _S3Reader(client, S3Uri.parse(prefix)))
    return TransformInput(names, _FolderReader(Path(address).parent / prefix))


def _base(client: S3Client, prefix: S3Uri) -> str:
    """What is cut off the keys to make names: `frames/` for s3://bucket/frames where there is
    such a folder, else the prefix up to its last `/`."""
    key = prefix.key
    if key and not key.endswith("/"):
        try:
            inside = client.list_objects_v2(Bucket=prefix.bucket, Prefix=f"{key}/", MaxKeys=1)
        except AWS_ERRORS as error:
            raise InputError(f"{prefix}: cannot be listed ({error})") from error
        if inside.get("Contents"):
            return f"{key}/"
    return key[: key.rfind("/") + 1]


def _list_prefix(client: S3Client, prefix: S3Uri, base: str) -> Iterator[str]:
    pages = client.get_paginator("list_objects_v2")
    try:
        for page in pages.paginate(Bucket=prefix.bucket, Prefix=prefix.key):
            for item in page.get("Contents", []):
                key = item["Key"]
                if not key.startswith(base):
                    raise InputError(
                        f"{prefix} is the prefix of {key!r} too, which is not in that folder: "
                        f"write {prefix}/"
                    )
                if not key.endswith("/"):  # empty objects that stand for folders in consoles
                    yield key.removeprefix(base)
    except AWS_ERRORS as error:
        raise InputError(f"{prefix}: cannot be listed ({error})") from error


def _list_folder(root: Path) -> Iterator[str]:
    """Files of a folder and the folders in it, in the disk's order: none is held to be sorted."""
    folders = [root]
    try:
        while folders:
            with os.scandir(folders.pop()) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(Path(entry.path))
                    elif entry.is_file():
                        yield Path(entry.path).relative_to(root).as_posix()
    except OSError as error:
        reason = f"{error.filename}: cannot be listed ({error.strerror})"
        raise InputError(reason) from error


@dataclass(frozen=True, slots=True)
class _S3Reader:
    client: S3Client
    prefix: S3Uri

    def __call__(self, name: str, limit: int | None) -> bytes:
        # A manifest's names follow its prefix as they are, whether or not it ends in `/`.
        return _read_object(self.client, S3Uri(self.prefix.bucket, self.prefix.key + name), limit)


@dataclass(frozen=True, slots=True)
class _FolderReader:
    root: Path

    def __call__(self, name: str, limit: int | None) -> bytes:
        path = path_inside(self.root, name)
        try:
            _check_size(path.stat().st_size, limit)
            return path.read_bytes()
        except OSError as error:
            raise InputError(f"cannot be read ({error.strerror})") from error


def _read_object(client: S3Client, uri: S3Uri, limit: int | None) -> bytes:
    attempt = 1
    while True:
        try:
            answer = client.get_object(Bucket=uri.bucket, Key=uri.key)
            # Not `with answer["Body"]`: that is urllib3's stream, with errors of its own.
            with closing(answer["Body"]) as body:
                _check_size(answer["ContentLength"], limit)
                return body.read()
        except AWS_ERRORS as error:
            if attempt == READ_ATTEMPTS or not isinstance(error, BROKEN_BODY):
                raise InputError(f"cannot be read ({error})") from error
        attempt += 1


def _check_size(size: int, limit: int | None) -> None:
    if limit is not None and size > limit:
        most = limit // MEGABYTE
        raise InputError(f"has {size / MEGABYTE:.2f} MB, more than MaxPayloadInMB ({most})")
