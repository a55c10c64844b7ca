"""What `upload` has brought for a job: a note beside the frames, written when they are all there.

It lies at jobs/<id>/source/upload.json, where a backend may write.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from fractions import Fraction
from typing import Any

import orjson

from faceveil.aws.s3 import S3Location
from faceveil.aws.s3_errors import LostObjectError
from faceveil.errors import InputError
from faceveil.jobs.job import job_prefix

NOTE = "source/upload.json"


@dataclass(frozen=True, slots=True)
class UploadNote:
    """frames: how many, under frames_prefix. digest: as `faceveil` computes it of a folder of the
    same pictures. rate: frames per second, None for pictures. people: prefix of the photos by name.
    """

    frames: int
    frames_prefix: str
    digest: str
    rate: Fraction | None = None
    source_video: str | None = None
    people: dict[str, str] = field(default_factory=dict)

    def to_json(self) -> bytes:
        """The note."""
        rate = None if self.rate is None else str(self.rate)
        document: dict[str, Any] = {"version": 1, **asdict(self), "rate": rate}
        return orjson.dumps(document, option=orjson.OPT_INDENT_2)

    @classmethod
    def from_json(cls, content: bytes, where: str) -> UploadNote:
        """Raises InputError for what is no such note."""
        try:
            data = orjson.loads(content)
            rate = None if data["rate"] is None else Fraction(data["rate"])
            fields = {name: data[name] for name in cls.__slots__}
        except (orjson.JSONDecodeError, KeyError, TypeError, ValueError) as error:
            raise InputError(f"{where}: is not what `faceveil aws upload` writes") from error
        return cls(**(fields | {"rate": rate}))


def read_upload_note(bucket: S3Location, job_id: str) -> UploadNote | None:
    """What was brought for a job; None where nothing was, or not all of it. Raises InputError."""
    folder = bucket.folder(job_prefix(job_id))
    try:
        return UploadNote.from_json(folder.read(NOTE), str(folder.uri(NOTE)))
    except LostObjectError:
        return None
