"""The end of a job: when the last chunk is in, one finisher brings everything together.

Each step makes the same objects however often it is done, so a finisher that dies is simply
replaced. `_SUCCESS` is written when all else is there; the event is sent after it, and again by
the next worker where there is no note that it was sent.
"""

from __future__ import annotations

import hashlib
import logging
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson

from faceveil.assure.coverage import Coverage
from faceveil.assure.report import build_report
from faceveil.assure.verification import Verification, Violation
from faceveil.errors import InputError
from faceveil.jobs import events
from faceveil.jobs.claims import Claims
from faceveil.jobs.ended import mark_ended
from faceveil.jobs.job import Job, own_detections
from faceveil.jobs.job_folder import ANNOUNCED, ERROR, FINISH_CLAIM, MANIFEST, REPORT, SUCCESS
from faceveil.jobs.job_run import JobRun
from faceveil.jobs.steps.analyse import Analysed
from faceveil.jobs.steps.assemble import assemble
from faceveil.jobs.steps.render import ChunkResult
from faceveil.media.frames import Loss, Problem
from faceveil.parallel import ordered_map

log = logging.getLogger(__name__)

VERIFICATION_FAILURES = "VerificationFailures"
"""The metric of jobs whose output shows a face; Terraform has an alarm on it."""
_READERS = 16


def missing_chunks(run: JobRun, analysed: Analysed) -> list[int]:
    """The chunks that have no result yet."""
    plan = analysed.plan
    names = {item.name for page in run.folder.folder(plan.folder).pages() for item in page}
    return [
        index
        for index in range(plan.count)
        if plan.result(index).removeprefix(plan.folder) not in names
    ]


def finish_job(run: JobRun, analysed: Analysed, claim_seconds: float) -> bool:
    """Bring the chunks together, unless another worker holds the claim. Returns whether the job is
    done.

    claim_seconds: after which this finisher counts as dead. Raises InputError when chunks
    are missing, VerificationError when a face shows and the job refuses that, OutputError when
    something cannot be kept. The claim is released then.
    """
    if run.is_done:
        announce_done(run)
        return True
    claims = Claims(run.folder, run.owner)
    if not claims.take(FINISH_CLAIM, claim_seconds):
        return False
    try:
        _finish(run, analysed)
    except BaseException:
        claims.release(FINISH_CLAIM)
        raise
    announce_done(run)
    return True


def announce_done(run: JobRun) -> None:
    """Send the event of a completed job, unless there is a note that it was sent."""
    if run.folder.find(ANNOUNCED) is not None:
        return
    own = run.job.prefix
    frames = orjson.loads(run.folder.read(SUCCESS))["frames"]
    run.announce(
        events.completed(
            run.job,
            run.bucket.bucket,
            report=own + REPORT,
            manifest=own + MANIFEST,
            frames=frames,
        )
    )
    Claims(run.folder, run.owner).remove_all()
    mark_ended(run.bucket, run.job.id)
    run.folder.write(ANNOUNCED, b"")


def _finish(run: JobRun, analysed: Analysed) -> None:
    missing = missing_chunks(run, analysed)
    if missing:
        raise InputError(
            f"{run.folder.uri(analysed.plan.folder)}: {len(missing)} of {analysed.plan.count} "
            f"chunks are missing, such as {missing[0]}: run the job again to render them"
        )
    whole = _gathered(run, analysed)
    manifest = _manifest(run.job, whole.objects)
    run.folder.write(REPORT, _report(run, analysed, whole, manifest))
    if whole.verification is not None:
        _judge(run, whole.verification)
    if run.job.video is not None:
        plan = analysed.plan
        digest = assemble(run, run.job.video, plan.first_name, plan.frame_count)
        manifest = _manifest(run.job, whole.objects, digest)
    run.folder.write(MANIFEST, manifest)
    if run.job.delete_features:
        _delete_features(run)
    run.folder.delete([ERROR])
    run.folder.write(SUCCESS, _success(manifest, len(whole.objects)))


def _judge(run: JobRun, verification: Verification) -> None:
    """Raises VerificationError where a face shows; counts it where the job only reports."""
    if run.job.verification == "fail":
        verification.require(str(run.bucket.uri(run.job.output_prefix)))
    elif verification.violations:
        log.warning("%s", verification.summary())
        run.count(VERIFICATION_FAILURES)


@dataclass(frozen=True, slots=True)
class _Whole:
    """The results of all chunks as one. objects: in the order of the frames."""

    objects: dict[str, str]
    problems: list[Problem]
    checked: int
    verification: Verification | None
    losses: list[Loss]


def _gathered(run: JobRun, analysed: Analysed) -> _Whole:
    plan = analysed.plan

    def read(index: int) -> ChunkResult:
        return ChunkResult.from_json(run.folder.read(plan.result(index)))

    objects: dict[str, str] = {}
    problems: list[Problem] = []
    losses: list[Loss] = []
    looks: list[dict[str, Any]] = []
    checked = 0
    for result in ordered_map(read, range(plan.count), _READERS):
        objects |= result.objects
        problems += [Problem(**item) for item in result.problems]
        losses += [Loss(**item) for item in result.losses]
        checked = result.checked
        looks += [result.verification] if result.verification else []
    return _Whole(objects, problems, checked, _together(looks, len(objects)), losses)


def _together(looks: list[dict[str, Any]], frames: int) -> Verification | None:
    if not looks:
        return None
    return Verification(
        frames=frames,
        looked_at=sum(look["looked_at"] for look in looks),
        veils=sum(look["veils"] for look in looks),
        recognised=all(look["recognised"] for look in looks),
        violations=[
            Violation(**{**item, "box": tuple(item["box"])})
            for look in looks
            for item in look["violations"]
        ],
        doubtful=[
            (item["frame"], tuple(item["box"])) for look in looks for item in look["doubtful"]
        ],
    )


def _manifest(job: Job, objects: dict[str, str], video: str | None = None) -> bytes:
    """Name under `jobs/<id>/` and SHA-256 of everything the job publishes."""
    prefix = job.output_prefix.removeprefix(job.prefix)
    named = {f"{prefix}{name}": digest for name, digest in objects.items()}
    if job.video is not None and video is not None:
        named[job.video.key.removeprefix(job.prefix)] = video
    document = {"format": "faceveil-manifest", "version": 1, "sha256": named}
    return orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS)


def _success(manifest: bytes, frames: int) -> bytes:
    """What `_SUCCESS` holds: which manifest it stands for."""
    digest = f"sha256:{_sha256(manifest)}"
    return orjson.dumps({"version": 1, "frames": frames, "manifest": digest})


def _report(run: JobRun, analysed: Analysed, whole: _Whole, manifest: bytes) -> bytes:
    nothing = np.zeros(0, np.int32), np.zeros((0, 4), np.float32)
    report = build_report(
        analysed.analysis,
        # A breach raises where a chunk is rendered, so there is none here.
        Coverage(whole.checked, *nothing),
        style=run.job.style,
        verification=whole.verification,
        output=run.job.output_prefix,
        output_digest=f"sha256:{_sha256(manifest)}",
        seconds={},
        problems=whole.problems,
        losses=whole.losses,
        corrections=analysed.corrections,
    )
    return orjson.dumps(report, option=orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_INDENT_2)


def _delete_features(run: JobRun) -> None:
    """Delete this job's detections, with what was found in its photos; not another job's."""
    place = run.bucket.folder(own_detections(run.job.id))
    place.delete(item.name for page in place.pages(recursive=True) for item in page)


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
