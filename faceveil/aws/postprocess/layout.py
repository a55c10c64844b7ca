"""Where a job keeps what: names under `jobs/<id>/`, and everything a step needs to work on it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from faceveil.aws.events import JobEvent
from faceveil.aws.job import Job, job_prefix, own_detections, read_job
from faceveil.errors import InputError
from faceveil.media.s3 import S3Location
from faceveil.media.s3_errors import LostObjectError

if TYPE_CHECKING:
    from faceveil.detect.analyzer import FaceAnalyzer

JOB = "job.json"
ANALYSIS = "analysis.json"
REPORT = "report.json"
MANIFEST = "manifest.json"
SUCCESS = "_SUCCESS"
ERROR = "error.json"
CHUNKS = "chunks/"
CLAIMS = "chunks/claims/"
REFINE = "refine"
"""The claim of who starts the second transform job: nothing is analysed yet."""
ANNOUNCED = "chunks/announced"
"""Exists when the event of the completed job has been sent."""
Announce = Callable[[JobEvent], None]
Count = Callable[[str], None]


class UnknownJobError(InputError):
    """There is no job.json: an event that is about somebody else's job."""


@dataclass(frozen=True, slots=True)
class JobRun:
    """A job being worked on.

    bucket: the whole bucket. announce sends an event. analyzer gives the networks, opened when
    first asked for. owner tells who works on it: the same after a restart, another for anybody
    else. scratch: a folder for temporary files. count: counts one more of what a metric names.
    """

    bucket: S3Location
    job: Job
    announce: Announce
    analyzer: Callable[[], FaceAnalyzer]
    owner: str
    scratch: Path
    workers: int = 2
    count: Count = lambda name: None

    @property
    def folder(self) -> S3Location:
        """`jobs/<id>/`."""
        return self.bucket.folder(self.job.prefix)

    @property
    def features(self) -> S3Location:
        """Where biometric data lives, and dies with the detections."""
        return self.bucket.folder(own_detections(self.job.id))

    @property
    def reference_faces(self) -> S3Location:
        """Faces found in reference photos."""
        return self.features.folder("references/")

    @property
    def is_done(self) -> bool:
        """Whether all has been written and checked."""
        return self.folder.find(SUCCESS) is not None


def load_job(bucket: S3Location, job_id: str) -> Job:
    """Read a job's job.json.

    Raises UnknownJobError when there is none, InputError when it cannot be used.
    """
    folder = bucket.folder(job_prefix(job_id))
    try:
        # Not asked for first: S3 says more about why it refuses a GET than a HEAD.
        content = folder.read(JOB)
    except LostObjectError as problem:
        raise UnknownJobError(f"{folder.uri(JOB)}: there is no such job") from problem
    return read_job(content, str(folder.uri(JOB)))
