"""A review over a job in the cloud: frames, analysis and corrections lie in its bucket.

Rendering is another job over the same detections, with the corrections as they are then; the frames
it makes are those that this machine would make.
"""

from __future__ import annotations

import hashlib
import re
import time
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import orjson

from faceveil.assure.html_report import write_html_report
from faceveil.assure.verification import Verification
from faceveil.aws.s3 import S3Location
from faceveil.aws.s3_errors import LostObjectError
from faceveil.corrections.document import Corrections, parse_corrections, to_json
from faceveil.errors import FaceveilError, InputError
from faceveil.jobs.client import JobClient, Status
from faceveil.jobs.job import Job, job_prefix
from faceveil.jobs.job_folder import CORRECTIONS, REPORT, frames_of
from faceveil.media.s3_frames import S3Frames
from faceveil.review.answers import AnswerError
from faceveil.review.output import findings_of
from faceveil.review.session import Review
from faceveil.review.store import ChangedElsewhereError
from faceveil.review.tasks import Task
from faceveil.veils.keyframes import to_keyframes
from faceveil.veils.styles import VeilStyle

REPORT_PAGE = "report.html"
PAUSE_SECONDS = 2.0
"""Between two readings of the status of a job that renders."""
_LONGEST_BEGINNING = 30
_RENDERED = re.compile(r"-review-[0-9a-f]{8}$")


class JobFrames(S3Frames):
    """The frames of a job, with the digest that its analysis has."""

    def __init__(self, bucket: S3Location, job: Job, size: tuple[int, int]) -> None:
        super().__init__(frames_of(bucket, job), size=size)
        self._job = job

    def digest(self) -> str:
        """The digest of the frames, as the job knows it."""
        return self._job.frames_digest or super().digest()


class CorrectionsObject:
    """Corrections beside a job in S3; see `review.store.CorrectionsStore`.

    They are written only over what was read last, which S3 itself compares by the ETag: of two
    people who review the same job, the second is told and shown what the first has changed.

    Parameters
    ----------
    folder
        The job's.
    first
        What a review begins with where nobody has reviewed the job yet.
    """

    def __init__(self, folder: S3Location, first: Corrections | None) -> None:
        self._folder, self._first = folder, first
        self._etag: str | None = None

    @property
    def place(self) -> str:
        return str(self._folder.uri(CORRECTIONS))

    def read(self) -> Corrections | None:
        while True:
            found = self._folder.find(CORRECTIONS)
            if found is None:
                self._etag = None
                return self._first
            try:
                content = self._folder.read(CORRECTIONS, found.etag)
            except LostObjectError:
                continue  # written meanwhile
            corrections = parse_corrections(content, self.place)
            self._etag = found.etag
            return corrections

    def write(self, corrections: Corrections) -> None:
        content = to_json(corrections)
        if self._etag is None:
            written = self._folder.put_if_absent(CORRECTIONS, content)
            found = self._folder.find(CORRECTIONS) if written else None
            if found is None or self._folder.read(CORRECTIONS, found.etag) != content:
                raise ChangedElsewhereError
            self._etag = found.etag
            return
        replaced = self._folder.put_if_unchanged(CORRECTIONS, content, self._etag)
        if replaced is None:
            raise ChangedElsewhereError
        self._etag = replaced.etag

    def close(self) -> None:
        pass


class JobOutputs:
    """Renders a review by another job over the same detections; as `review.output.Outputs`.

    Parameters
    ----------
    review
        What is rendered.
    client
        The jobs of the deployment.
    job_id
        The job that is reviewed.
    """

    def __init__(self, review: Review, client: JobClient, job_id: str) -> None:
        self._review, self._client, self._job_id = review, client, job_id
        self._folder = TemporaryDirectory(prefix="faceveil-review-")
        self._rendered: dict[str, Any] | None = None
        self._new_id: str | None = None

    def start(self, style: str | None, matte: bool) -> dict[str, Any]:
        """Begin to render; returns the task. Raises AnswerError where a job is already at it."""
        review = self._review
        review.require_source()
        if matte:
            raise AnswerError(
                422,
                "matte",
                "A job in the cloud makes no matte: download its frames, and render here.",
            )
        if review.tasks.running("render"):
            raise AnswerError(409, "busy", "The video is being rendered already.")
        if style is not None:
            review.style = VeilStyle(**{**asdict(review.style), "name": style})
        return review.tasks.start("render", self._render).describe()

    def describe(self) -> dict[str, Any] | None:
        """Return what was rendered last, as `state` answers it; None before the first time."""
        return self._rendered

    def findings(self) -> list[dict[str, Any]]:
        """Return what verification found in the last output, in the order of its frames."""
        verification = self._review.verification
        return [] if verification is None else findings_of(verification)

    def file(self, name: str) -> Path:
        """Return a file that was rendered. Raises AnswerError where there is none here."""
        if self._new_id is None or name == "matte":
            raise AnswerError(404, name, f"There is no {name} yet: render first.")
        job = self._client.job(self._new_id)
        if name in (REPORT, REPORT_PAGE):
            path = Path(self._folder.name, f"{job.id}.{name}")
            content = self._client.bucket.read(job.prefix + REPORT)
            if name == REPORT_PAGE:
                write_html_report(orjson.loads(content), (), path)
            else:
                path.write_bytes(content)
            return path
        if job.video is None:
            raise AnswerError(
                422,
                name,
                f"The frames lie in {self._client.bucket.uri(job.output_prefix)}. Fetch them with: "
                f"faceveil aws download {job.id} {job.id}/",
            )
        path = Path(self._folder.name, f"{job.id}{Path(job.video.key).suffix}")
        if not path.exists():
            self._client.bucket.download(job.video.key, path)
        return path

    def keyframes(self) -> dict[str, Any]:
        """Return the keyframes of all veils, for editing programs."""
        return to_keyframes(self._review.version.table.analysis, self._review.style)

    def _render(self, task: Task) -> None:
        review = self._review
        review.tasks.wait_for_following(task)
        version = review.version
        veil = {
            ("style" if name == "name" else name): value
            for name, value in asdict(review.style).items()
        }
        new_id = rendered_id(self._job_id, version.corrections, veil)
        job = self._client.render_again(
            self._job_id, new_id, corrections=version.corrections, changes={"veil": veil}
        )
        task.message = f"job {new_id}"
        status = self._wait(new_id, task)
        report = self._report(job, status)
        self._new_id = new_id
        self._rendered = {
            "path": str(self._client.bucket.uri(job.output_prefix)),
            "ready": True,
            "verified": None if report is None else not report.violations,
            "revision": version.number,
        }
        review.verified(report)
        if status.failure is not None:
            task.message = f"job {new_id}: {status.failure.reason}"

    def _wait(self, new_id: str, task: Task) -> Status:
        """Watch a job until it has ended. Raises InputError where it has no output to look at."""
        client, shown = self._client, -1
        with task.stage("render", None):
            while True:
                status = client.status(new_id)
                task.total = status.chunks or 0
                if status.chunks_rendered != shown:
                    shown = task.done = status.chunks_rendered
                    task.tell()
                if status.state == "completed" or _shows_a_face(status):
                    return status
                if status.has_ended:
                    raise InputError(f"job {new_id}: {status}")
                self._pause(task)

    def _pause(self, task: Task) -> None:
        until = time.monotonic() + PAUSE_SECONDS
        while (left := until - time.monotonic()) > 0:
            task.check()
            time.sleep(min(left, 0.1))

    def _report(self, job: Job, status: Status) -> Verification | None:
        """What the verification of a job found."""
        try:
            report = orjson.loads(self._client.bucket.read(job.prefix + REPORT))
        except FaceveilError:
            if status.state == "completed":
                raise
            return None
        found = report["verification"]
        return None if found is None else Verification.from_dict(found)


def rendered_id(job_id: str, corrections: Corrections, veil: dict[str, Any]) -> str:
    """Return the id of the job that renders a review: the same for the same corrections and veil.

    Rendering twice what has not changed is so one job.
    """
    content = to_json(corrections) + orjson.dumps(veil, option=orjson.OPT_SORT_KEYS)
    beginning = _RENDERED.sub("", job_id)[:_LONGEST_BEGINNING].rstrip("-")
    return f"{beginning}-review-{hashlib.sha256(content).hexdigest()[:8]}"


def open_job(client: JobClient, job_id: str, reviewer: str) -> tuple[Review, JobOutputs]:
    """Open the review of a job.

    Parameters
    ----------
    client
        The jobs of the deployment.
    job_id
        A job that has been analysed.
    reviewer
        The name that entries get.

    Raises
    ------
    InputError
        Where there is no such job, it has not been analysed yet, its frames are gone, or its
        corrections are of other frames.
    """
    job = client.job(job_id)
    analysis = client.uncorrected(job_id)
    source = JobFrames(client.bucket, job, (analysis.source.width, analysis.source.height))
    if source.frame_count != analysis.source.frame_count:
        raise InputError(
            f"{source.location.uri()}: {source.frame_count} frames, but "
            f"{analysis.source.frame_count} were analysed: the job cannot be reviewed without them"
        )
    folder = client.bucket.folder(job_prefix(job_id))
    store = CorrectionsObject(folder, client.corrections(job_id))
    review = Review(source, analysis, store, reviewer=reviewer, style=job.style)
    return review, JobOutputs(review, client, job_id)


def _shows_a_face(status: Status) -> bool:
    return status.failure is not None and status.failure.error == "VerificationError"
