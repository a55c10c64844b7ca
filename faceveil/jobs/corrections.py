"""The corrections that a job renders with: a document in its bucket, which only job.json names.

analysis.json stays what was found and chosen; what is rendered, verified and reported is that with
the corrections applied.
"""

from __future__ import annotations

import hashlib
from functools import cached_property
from pathlib import Path, PurePosixPath

from faceveil.analysis import Analysis
from faceveil.aws.s3 import S3Location
from faceveil.aws.s3_errors import LostObjectError
from faceveil.corrections.apply import Corrected, apply_corrections
from faceveil.corrections.document import Corrections, parse_corrections, summary, to_json
from faceveil.errors import InputError
from faceveil.jobs.job import Job, job_prefix
from faceveil.jobs.job_folder import frames_of
from faceveil.media.s3_keys import FrameKeys, list_frames

FOLDER = "corrections"


def corrections_key(job_id: str, corrections: Corrections) -> str:
    """Return the key at which corrections are stored for a job.

    It is made of their content: what a job renders with never changes.
    """
    digest = hashlib.sha256(to_json(corrections)).hexdigest()
    return f"{job_prefix(job_id)}{FOLDER}/{digest[:16]}.json"


class JobCorrections:
    """The corrections of a job; they are parsed when they are first needed.

    content: of the document. where: it lies, for messages.
    """

    def __init__(self, content: bytes, where: str) -> None:
        self.content, self._where = content, where

    @classmethod
    def of(cls, bucket: S3Location, job: Job) -> JobCorrections | None:
        """Read the document that a job names; None where it names none. Raises InputError."""
        if job.corrections is None:
            return None
        where = str(bucket.uri(job.corrections))
        try:
            return cls(bucket.read(job.corrections), where)
        except LostObjectError as error:
            raise InputError(
                f"{where}: the job's corrections are not there: write them first, or leave "
                "`corrections` out"
            ) from error

    @classmethod
    def mounted(cls, inputs: Path, job: Job) -> JobCorrections | None:
        """As `of`, where the document is mounted under a folder of inputs."""
        if job.corrections is None:
            return None
        path = inputs / FOLDER / PurePosixPath(job.corrections).name
        try:
            return cls(path.read_bytes(), str(path))
        except OSError as error:
            raise InputError(
                f"{path}: the job's corrections cannot be read ({error.strerror}): mount "
                f"{job.corrections} there"
            ) from error

    @cached_property
    def document(self) -> Corrections:
        """The corrections. Raises InputError where they do not follow the format."""
        return parse_corrections(self.content, self._where)

    def check_frames(self, digest: str, name: str, frame_count: int) -> None:
        """Raise InputError where these are corrections of other frames."""
        try:
            self.document.check_input(digest, name, frame_count)
        except InputError as error:
            raise InputError(f"{self._where}: {error}") from error

    def check(self, job: Job, frames: FrameKeys, where: str) -> None:
        """As `check_frames`, with the digest that the job's analysis will have."""
        self.check_frames(job.frames_digest or frames.digest(), where, len(frames))

    def apply(self, analysis: Analysis) -> Corrected:
        """Return the analysis with the corrections applied. Raises InputError as `check_frames`."""
        source = analysis.source
        self.check_frames(source.digest, source.name, source.frame_count)
        return apply_corrections(analysis, self.document)

    def summary(self, corrected: Corrected) -> dict[str, object]:
        """Return what the report says of them."""
        return summary(self.document, corrected.unapplied)


def check_corrections(bucket: S3Location, job: Job) -> None:
    """Raise InputError where a job names corrections that are broken, or of other frames."""
    corrections = JobCorrections.of(bucket, job)
    if corrections is not None:
        place = frames_of(bucket, job)
        corrections.check(job, list_frames(place), str(place.uri()))
