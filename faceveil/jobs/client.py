"""What a backend does with jobs in the cloud: submit, watch, read the results, choose again.

    client = JobClient("the-bucket")
    client.submit({"version": 1, "id": "talk-1", "frames": {"prefix": "frames/talk-1/"}})
    client.wait("talk-1", progress=print)
    client.render_again("talk-1", "talk-1-ann", {"mode": "keep", "identities": [2]})
    client.render_again("talk-1", "talk-1-corrected", corrections=read_corrections(path))

It uses S3 only, with the rights of the policy for a backend (docs/guides/backend.md), and
needs the extra `aws`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson

from faceveil.analysis import Analysis, parse_analysis
from faceveil.corrections.document import Corrections, to_json
from faceveil.errors import InputError, UsageError
from faceveil.faces import Provenance

try:
    from faceveil.aws.clients import presigning_client
    from faceveil.aws.s3 import S3Location
    from faceveil.aws.s3_errors import LostObjectError
    from faceveil.jobs.corrections import JobCorrections, corrections_key
    from faceveil.jobs.failure import failure_of
    from faceveil.jobs.job import Job, job_prefix, read_job
    from faceveil.jobs.job_folder import (
        ANALYSIS,
        JOB,
        MANIFEST,
        REPORT,
        STARTED,
        UnknownJobError,
        frames_of,
        load_job,
    )
    from faceveil.jobs.status import JobFailure, State, Status, read_status
    from faceveil.media.s3_keys import list_frames
except ModuleNotFoundError as error:
    raise UsageError("faceveil.jobs.client needs boto3: pip install 'faceveil[aws]'") from error

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

__all__ = ["Identity", "JobClient", "JobFailure", "Results", "State", "Status", "UnknownJobError"]

PAUSE_SECONDS = 5.0
"""Between two readings of the status of a job that is waited for."""
URL_SECONDS = 3600
_ANALYSED_AT = ("analyse", "render", "finish")
"""Stages that a job reaches with all of its detections there."""


@dataclass(frozen=True, slots=True)
class Identity:
    """One person of a job, to show and to pick from.

    person: the name of the reference that matched, None without one. frames: boxes in all of the
    sequences together. sample_frame and sample_box: the largest detected face, x1, y1, x2, y2 in
    pixels.
    """

    number: int
    person: str | None
    sequences: int
    veiled_sequences: int
    frames: int
    first_frame: int
    last_frame: int
    sample_frame: int
    sample_box: tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Results:
    """The results of a completed job.

    report: report.json. sha256: of each object that the job publishes, by key, in the order of the
    frames; the veiled frames lie under output_prefix. video_key: None where no video was asked for.
    """

    job_id: str
    report: dict[str, Any]
    identities: tuple[Identity, ...]
    output_prefix: str
    sha256: Mapping[str, str]
    video_key: str | None


class JobClient:
    """The jobs of a bucket. May be used from many threads.

    Every method raises InputError where S3 refuses to read (no such bucket, no right, no
    credentials) and UnknownJobError, an InputError, when there is no such job.
    """

    def __init__(
        self,
        bucket: str,
        *,
        endpoint_url: str | None = None,
        bucket_owner: str | None = None,
        input_buckets: Mapping[str, str] | None = None,
    ) -> None:
        """endpoint_url: of an S3 of one's own. bucket_owner: the account that the bucket must
        belong to; S3 refuses any other. input_buckets: the accounts of other buckets that frames
        lie in, by bucket. Nothing is asked of S3 yet."""
        self.bucket = S3Location.open(
            f"s3://{bucket}", endpoint_url, expected_owner=bucket_owner, owners=input_buckets
        )
        self._endpoint_url = endpoint_url

    def submit(self, job: Mapping[str, Any] | bytes) -> Job:
        """Write jobs/<id>/job.json, which starts the job. job: its content, see job.schema.json.

        A job that is there already is left as it is, whatever has become of it; another one takes
        its id only where that one could not be started. Raises InputError that names the field for
        a job that cannot be used, and when the id is another job's; OutputError where S3 refuses
        to write.
        """
        content = job if isinstance(job, bytes) else _to_json(job)
        read = read_job(content, JOB)
        folder = self.bucket.folder(read.prefix)
        if not folder.put_if_absent(JOB, content) and not self._is_there(read):
            if not self._could_not_start(read.id):
                raise InputError(
                    f"{folder.uri(JOB)}: another job has this id: give the new one an id of its own"
                )
            folder.write(JOB, content)
        return read

    def status(self, job_id: str) -> Status:
        """How far the job is. Counting frames takes a request per 1,000 until it is analysed."""
        return read_status(self.bucket, job_id)

    def wait(
        self,
        job_id: str,
        timeout: float | None = None,
        progress: Callable[[Status], object] | None = None,
        pause: float = PAUSE_SECONDS,
    ) -> Status:
        """Read the status every `pause` seconds until the job has ended or `timeout` seconds pass.

        Returns the last status: completed, failed, or neither in time (see `has_ended`). progress
        is called with each status.
        """
        until = None if timeout is None else time.monotonic() + timeout
        frames = None
        while True:
            status = read_status(self.bucket, job_id, frames)
            if progress is not None:
                progress(status)
            left = pause if until is None else until - time.monotonic()
            if status.has_ended or left <= 0:
                return status
            frames = status.frames
            time.sleep(min(pause, left))

    def job(self, job_id: str) -> Job:
        """Return the job as its job.json describes it."""
        return load_job(self.bucket, job_id)

    def analysis(self, job_id: str) -> Analysis:
        """Who is where, veiled or not, and why, with the job's corrections applied.

        Raises InputError before the job is analysed.
        """
        corrections = JobCorrections.of(self.bucket, self.job(job_id))
        analysis = self.uncorrected(job_id)
        return analysis if corrections is None else corrections.apply(analysis).analysis

    def uncorrected(self, job_id: str) -> Analysis:
        """As `analysis`, without the corrections: what jobs/<id>/analysis.json holds."""
        content = self._read(job_id, ANALYSIS)
        return parse_analysis(content, str(self._folder(job_id).uri(ANALYSIS)))

    def corrections(self, job_id: str) -> Corrections | None:
        """The corrections that a job renders with; None where it has none."""
        corrections = JobCorrections.of(self.bucket, self.job(job_id))
        return None if corrections is None else corrections.document

    def identities(self, job_id: str) -> tuple[Identity, ...]:
        """The people of a job, those in most frames first; there once it is analysed."""
        return identities_of(self.analysis(job_id))

    def results(self, job_id: str) -> Results:
        """Raises InputError unless the job has completed."""
        status = self.status(job_id)
        if status.state != "completed":
            raise InputError(f"{self._folder(job_id).uri()}: has no results: the job is {status}")
        job, prefix = self.job(job_id), job_prefix(job_id)
        manifest = orjson.loads(self._read(job_id, MANIFEST))
        return Results(
            job_id=job_id,
            report=orjson.loads(self._read(job_id, REPORT)),
            identities=self.identities(job_id),
            output_prefix=job.output_prefix,
            sha256={prefix + name: digest for name, digest in manifest["sha256"].items()},
            video_key=job.video.key if job.video else None,
        )

    def url(self, key: str, seconds: int = URL_SECONDS) -> str:
        """Return an address at which a browser can read an object for a while, without credentials.

        S3 is not asked: it holds as long as the credentials here do, and for what they may read.
        """
        return self._signing.generate_presigned_url(
            "get_object", Params={"Bucket": self.bucket.bucket, "Key": key}, ExpiresIn=seconds
        )

    def render_again(
        self,
        job_id: str,
        new_id: str,
        selection: Mapping[str, Any] | None = None,
        *,
        corrections: Corrections | None = None,
        changes: Mapping[str, Any] | None = None,
    ) -> Job:
        """Submit a job over the detections of a job: nothing is detected.

        selection: as in job.json, photos lie under jobs/<new_id>/; None keeps the job's own.
        corrections: in place of the job's own, which hold otherwise. changes: further fields of
        job.json to replace, such as `veil`. The rest stays as it is, and what lay under
        jobs/<job_id>/ is written under jobs/<new_id>/. Raises as `submit` does, and InputError when
        the detections are not all there yet, or deleted, and for corrections of other frames.
        """
        job = self.job(job_id)
        self._require_detections(job)
        corrections = corrections or self.corrections(job_id)
        document = again(orjson.loads(self._read(job_id, JOB)), job, new_id, selection)
        document |= changes or {}
        if corrections is not None:
            document["corrections"] = corrections_key(new_id, corrections)
        new = read_job(_to_json(document), JOB)
        if corrections is not None:
            place = frames_of(self.bucket, new)
            frames = list_frames(place)
            digest = new.frames_digest or frames.digest()
            corrections.check_input(digest, str(place.uri()), len(frames))
            self.bring_corrections(new_id, corrections)
        if selection is None:
            self._copy_photos(job, new)
        return self.submit(document)

    def bring_corrections(self, job_id: str, corrections: Corrections) -> None:
        """Store corrections for a job at their key (`jobs.corrections.corrections_key`)."""
        self.bucket.put_if_absent(corrections_key(job_id, corrections), to_json(corrections))

    def _copy_photos(self, job: Job, new: Job) -> None:
        """Copy the photos of a job's selection to where those of the new one are looked for."""
        for (_, old), (_, place) in zip(
            job.selection.references, new.selection.references, strict=True
        ):
            source, target = self.bucket.folder(old), self.bucket.folder(place)
            for page in source.pages(recursive=True):
                for listed in page:
                    target.copy(source, listed)

    def _is_there(self, job: Job) -> bool:
        try:
            return load_job(self.bucket, job.id) == job
        except InputError:
            return False

    def _could_not_start(self, job_id: str) -> bool:
        failure = failure_of(self.bucket, job_id)
        if failure is None or failure["stage"] != "submit":
            return False
        return self._folder(job_id).find(STARTED) is None

    def _require_detections(self, job: Job) -> None:
        folder = self.bucket.folder(job.prefix)
        if job.delete_features and not job.has_detections:
            raise InputError(
                f"{folder.uri()}: its detections are deleted when it succeeds "
                "(retention.delete_features), so another selection needs new detections: submit it "
                "without `detections`"
            )
        if folder.find(ANALYSIS) is not None:
            return
        status = self.status(job.id)
        if status.failure is None or status.failure.stage not in _ANALYSED_AT:
            raise InputError(
                f"{folder.uri()}: its detections are not complete: the job is {status}"
            )

    def _folder(self, job_id: str) -> S3Location:
        return self.bucket.folder(job_prefix(job_id))

    def _read(self, job_id: str, name: str) -> bytes:
        try:
            return self._folder(job_id).read(name)
        except LostObjectError as error:
            status = self.status(job_id)
            raise InputError(
                f"{self._folder(job_id).uri(name)}: is not there: the job is {status}"
            ) from error

    @cached_property
    def _signing(self) -> S3Client:
        return presigning_client(self.bucket.client, self._endpoint_url)


def identities_of(analysis: Analysis) -> tuple[Identity, ...]:
    """The people of an analysis, those in most frames first."""
    numbers = np.unique(analysis.identities).tolist()
    found = [_identity(analysis, number) for number in numbers]
    return tuple(sorted(found, key=lambda identity: -identity.frames))


def again(
    document: Mapping[str, Any], job: Job, new_id: str, selection: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """job.json of a job over the detections of another, with its selection or a new one.

    document: the job.json that `job` was read from.
    """
    new = {name: value for name, value in document.items() if name != "transform"}
    new["id"] = new_id
    if selection is not None:
        new["selection"] = dict(selection)
    elif job.selection.references:
        people = {
            name: job_prefix(new_id) + prefix.removeprefix(job.prefix)
            for name, prefix in job.selection.references
        }
        new["selection"] = {**document["selection"], "references": people}
    new["detections"] = {"prefix": job.detections_prefix}
    if "output" in document:
        new["output"] = _moved(document["output"], job.prefix, job_prefix(new_id))
    return new


def _moved(output: Mapping[str, Any], old: str, new: str) -> dict[str, Any]:
    """The output of a job, in the folder of another."""

    def place(key: str) -> str:
        return new + key.removeprefix(old)

    moved = dict(output)
    if "prefix" in moved:
        moved["prefix"] = place(moved["prefix"])
    if "video" in moved:
        moved["video"] = {**moved["video"], "key": place(moved["video"]["key"])}
    return moved


def _identity(analysis: Analysis, number: int) -> Identity:
    members = np.flatnonzero(analysis.identities == number).tolist()
    sequences = [analysis.sequences[member] for member in members]
    decisions = [analysis.decisions[member] for member in members]
    frames = np.concatenate([sequence.frames for sequence in sequences])
    boxes = np.concatenate([sequence.boxes for sequence in sequences])
    provenance = np.concatenate([sequence.provenance for sequence in sequences])
    sides = boxes[:, 2:] - boxes[:, :2]
    # A box that was filled in is shown only where there is no other.
    best = np.lexsort((sides.prod(axis=1), provenance == Provenance.DETECTED))[-1]
    x1, y1, x2, y2 = boxes[best].tolist()
    return Identity(
        number=number,
        person=next((decision.person for decision in decisions if decision.person), None),
        sequences=len(members),
        veiled_sequences=sum(decision.veil for decision in decisions),
        frames=len(frames),
        first_frame=int(frames.min()),
        last_frame=int(frames.max()),
        sample_frame=int(frames[best]),
        sample_box=(x1, y1, x2, y2),
    )


def _to_json(job: Mapping[str, Any]) -> bytes:
    try:
        return orjson.dumps(dict(job), option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS)
    except orjson.JSONEncodeError as error:
        raise InputError(f"{JOB}: cannot be written as JSON ({error})") from error
