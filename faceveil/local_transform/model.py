"""A model artifact (model.tar.gz) unpacked for the server, as SageMaker does."""

from __future__ import annotations

import shutil
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING

from faceveil.aws.clients import S3Uri, is_s3
from faceveil.aws.errors import AWS_ERRORS
from faceveil.errors import InputError

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client


@contextmanager
def unpacked(address: str, client: S3Client) -> Iterator[Path]:
    """A folder named `model` with what the archive holds, for as long as the block lasts.

    address: a file, or an object of S3. Raises InputError when it cannot be read or unpacked;
    members that lead out of the folder are refused.
    """
    with tempfile.TemporaryDirectory(prefix="faceveil-model-") as temporary:
        # The user that a container runs as may be another one than ours.
        Path(temporary).chmod(0o755)
        folder = Path(temporary) / "model"
        folder.mkdir(mode=0o755)
        try:
            with _open(address, client) as stream, tarfile.open(fileobj=stream) as archive:
                archive.extractall(folder, filter="data")
        except (OSError, tarfile.TarError, EOFError, *AWS_ERRORS) as error:
            raise InputError(f"{address}: is no model archive to unpack ({error})") from error
        yield folder


@contextmanager
def _open(address: str, client: S3Client) -> Iterator[IO[bytes]]:
    if not is_s3(address):
        with Path(address).open("rb") as stream:
            yield stream
        return
    uri = S3Uri.parse(address)
    with tempfile.TemporaryFile() as copy:
        with client.get_object(Bucket=uri.bucket, Key=uri.key)["Body"] as body:
            shutil.copyfileobj(body, copy)
        copy.seek(0)
        yield copy
