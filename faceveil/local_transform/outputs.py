"""What a job writes: `<name>.out` under an S3 prefix or in a folder, whole or not at all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from faceveil.aws.clients import S3Uri, is_s3
from faceveil.aws.errors import AWS_ERRORS
from faceveil.errors import OutputError, UsageError
from faceveil.files import replace_file
from faceveil.local_transform.inputs import path_inside

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

SUFFIX = ".out"


class TransformOutput(Protocol):
    """Where answers go, from any thread."""

    def written(self, names: Sequence[str]) -> set[str]:
        """Those of these names that have an answer already. Raises OutputError."""
        ...

    def write(self, name: str, answer: bytes) -> None:
        """Keep an object's answer, in place of an earlier one.

        Raises InputError when the name cannot be kept here, OutputError when nothing can.
        """
        ...


def open_output(address: str, client: S3Client) -> TransformOutput:
    """An S3 prefix, or a folder, which is made. Raises OutputError when it cannot be."""
    if is_s3(address):
        uri = S3Uri.parse(address)
        prefix = uri.key if not uri.key or uri.key.endswith("/") else f"{uri.key}/"
        return S3Output(client, S3Uri(uri.bucket, prefix))
    root = Path(address)
    _make_folder(root)
    return FolderOutput(root)


def check_apart(source: str, target: str) -> None:
    """Raises UsageError when a job that lists `source` would find its own answers there."""
    if is_s3(source) != is_s3(target):
        return
    if is_s3(source):
        within = f"{target.rstrip('/')}/".startswith(source)
    else:
        within = Path(target).resolve().is_relative_to(Path(source).resolve())
    if within:
        raise UsageError(
            f"{target}: lies under the input {source}, so that the answers would be the input of "
            "the next run: write them elsewhere"
        )


@dataclass(frozen=True, slots=True)
class FolderOutput:
    """Answers as files: written beside under another name, then renamed."""

    root: Path

    def written(self, names: Sequence[str]) -> set[str]:
        return {name for name in names if (self.root / f"{name}{SUFFIX}").is_file()}

    def write(self, name: str, answer: bytes) -> None:
        path = path_inside(self.root, f"{name}{SUFFIX}")
        _make_folder(path.parent)
        replace_file(path, answer)


@dataclass(frozen=True, slots=True)
class S3Output:
    """Answers as objects, one PUT each: S3 shows a PUT whole or not at all."""

    client: S3Client
    prefix: S3Uri

    def written(self, names: Sequence[str]) -> set[str]:
        """Leaps from one wanted key to the next: one request per 1,000 keys where input and
        output lie in the same order, and never more requests than names."""
        wanted = sorted(self._key(name) for name in names)
        found: set[str] = set()
        position = 0
        try:
            while position < len(wanted):
                page = self.client.list_objects_v2(
                    Bucket=self.prefix.bucket,
                    Prefix=self.prefix.key,
                    # Less than the wanted key by its last letter, so that the page may begin
                    # with it.
                    StartAfter=wanted[position][:-1],
                )
                listed = [item["Key"] for item in page.get("Contents", [])]
                found.update(listed)
                if not page["IsTruncated"]:
                    break
                while position < len(wanted) and wanted[position] <= listed[-1]:
                    position += 1
        except AWS_ERRORS as error:
            raise OutputError(f"{self.prefix}: cannot be listed ({error})") from error
        return {name for name in names if self._key(name) in found}

    def write(self, name: str, answer: bytes) -> None:
        key = self._key(name)
        try:
            self.client.put_object(Bucket=self.prefix.bucket, Key=key, Body=answer)
        except AWS_ERRORS as error:
            where = S3Uri(self.prefix.bucket, key)
            raise OutputError(f"{where}: cannot be written ({error})") from error

    def _key(self, name: str) -> str:
        return f"{self.prefix.key}{name}{SUFFIX}"


def _make_folder(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{path}: cannot be made ({error.strerror})") from error
