"""A job being worked on: everything that a step needs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from faceveil.aws.s3 import S3Location
from faceveil.jobs.events import JobEvent
from faceveil.jobs.job import Job, own_detections
from faceveil.jobs.job_folder import SUCCESS

if TYPE_CHECKING:
    from faceveil.detect.analyzer import FaceAnalyzer

Announce = Callable[[JobEvent], None]
Count = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class JobRun:
    """A job being worked on.

    bucket: the whole bucket. announce sends an event. analyzer returns the networks, opened on the
    first call. owner names this worker in claims: the same after a restart, different for any other
    worker. scratch: a folder for temporary files. count: counts one more of what a metric names.
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
