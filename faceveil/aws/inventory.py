"""What a place of S3 holds already, and whether that is what would be written."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass

from faceveil.aws.s3 import Listed, S3Location
from faceveil.aws.s3_errors import translated
from faceveil.errors import InputError


@dataclass(frozen=True, slots=True)
class Inventory:
    """The objects of a place by name, each taken once."""

    names: dict[str, Listed]

    @classmethod
    def list(cls, place: S3Location) -> Inventory:
        """One request per 1,000 objects. Raises InputError."""
        return cls({item.name: item for page in place.pages() for item in page})

    def take(self, name: str) -> Listed | None:
        """The object of this name, which is then forgotten here. Safe in any thread."""
        return self.names.pop(name, None)


def same_content(place: S3Location, listed: Listed, content: bytes) -> bool:
    """Whether an object holds these bytes. Raises InputError.

    Its ETag tells where it is an MD5; that of an object encrypted with KMS is not, and then S3 is
    asked for the SHA-256 that the object was written with.
    """
    if listed.size != len(content):
        return False
    if listed.etag == hashlib.md5(content, usedforsecurity=False).hexdigest():
        return True
    with translated(place.uri(listed.name), InputError):
        head = place.client.head_object(
            Bucket=place.bucket, Key=place.prefix + listed.name, ChecksumMode="ENABLED"
        )
    return head.get("ChecksumSHA256") == base64.b64encode(hashlib.sha256(content).digest()).decode()
