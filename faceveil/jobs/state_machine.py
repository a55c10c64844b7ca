"""What is done at each event: the state machine of post-processing.

    a transform job has ended           on_transform_ended: create the refine pass of a sampled job
                                        and wait for its end; else analyse, then render and finish
                                        here, or submit the analysis or the chunks to AWS Batch
    submitted over detections of        on_transform_ended, too
    another job
    the analysis in Batch               analyse_here
    one chunk in Batch                  render_one_chunk; the one that finds no chunk missing
                                        finishes the job
    a Batch job has ended               on_array_job_ended: submit the chunks of an analysed job,
                                        finish what the children could not, or mark the job failed
    by hand                             run_whole_job: all of it, here

Every function may be called again at any time, from several workers at once.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import orjson

from faceveil.aws.sagemaker import CapacityError
from faceveil.errors import FaceveilError, InputError
from faceveil.jobs.chunks.batch_queue import (
    ANALYSIS_DIGEST,
    ANALYSIS_NOTE,
    BatchQueue,
    forget_batch_jobs,
)
from faceveil.jobs.chunks.budget import Budget, encode_seconds
from faceveil.jobs.claims import Claims
from faceveil.jobs.events import Stage
from faceveil.jobs.failure import fail_job, has_failed
from faceveil.jobs.job_folder import REFINE
from faceveil.jobs.job_run import JobRun
from faceveil.jobs.state_changes import BatchEnd, TransformEnd
from faceveil.jobs.steps.analyse import Analysed, analyse_job, load_analysed
from faceveil.jobs.steps.finish import announce_done, finish_job, missing_chunks
from faceveil.jobs.steps.render import render_chunk
from faceveil.jobs.transforms.refine import SecondPass, forget_refine, start_refine
from faceveil.jobs.waiting import wait_for_machines

log = logging.getLogger(__name__)

JobOutcome = Literal[
    "completed", "refining", "waiting", "analysing", "rendering", "elsewhere", "failed"
]
START = "start"
FINISH_SECONDS = 3600.0
"""A finisher outside a function counts as dead after this long."""
GRACE_SECONDS = 5.0
_NAMED = 3


@contextmanager
def failing(run: JobRun, stage: Stage) -> Iterator[None]:
    """An error of faceveil inside marks the job failed before it goes on."""
    try:
        yield
    except FaceveilError as error:
        fail_job(run.bucket, run.job.id, stage, error, run.announce)
        raise


def on_transform_ended(
    run: JobRun,
    ended: TransformEnd,
    budget: Budget,
    batch: BatchQueue | None,
    second: SecondPass | None = None,
) -> JobOutcome:
    """Continue after a transform job. Without `batch`, all is done here; without `second`, no
    transform job follows another.

    Raises FaceveilError when the job has failed, after it is marked so.
    """
    if ended.is_reuse and not run.job.has_detections:
        return "elsewhere"  # its own transform job is at work
    with failing(run, "analyse"):
        outcome = settled(run)
        if outcome:
            return outcome
    with failing(run, "detect"):
        detecting = _still_detecting(run, ended, budget, second)
        if detecting:
            return detecting
    with failing(run, "analyse"):
        claims = Claims(run.folder, run.owner)
        if not claims.take(START, budget.seconds_left() + GRACE_SECONDS):
            return "elsewhere"
    with failing(run, "detect"):
        _check_transform(run, ended)
    try:
        return _analyse_and_render(run, budget, batch)
    except BaseException:
        claims.release(START)
        raise


def _analyse_and_render(run: JobRun, budget: Budget, batch: BatchQueue | None) -> JobOutcome:
    """Do here what fits into the budget, and submit the rest to Batch."""
    with failing(run, "analyse"):
        if batch is not None and not budget.has_time_to_analyse(run):
            log.info("analysed in Batch: %s", batch.submit_analysis(run))
            return "analysing"
        analysed = analyse_job(run)
    with failing(run, "render"):
        if batch is not None and not _rendered_here(run, analysed, budget):
            log.info("sent to Batch: %s", batch.submit_chunks(run, analysed.plan))
            return "rendering"
        if batch is None:
            _render_all(run, analysed)
    with failing(run, "finish"):
        is_done = finish_job(run, analysed, budget.seconds_left() + GRACE_SECONDS)
    return "completed" if is_done else "elsewhere"


def render_one_chunk(run: JobRun, index: int) -> JobOutcome:
    """Render one chunk, as a child of the array job; the last one finishes the job."""
    outcome = settled(run)
    if outcome:
        return outcome
    analysed = load_analysed(run)
    try:
        render_chunk(run, analysed, index)
    except FaceveilError as error:
        note = {"error": type(error).__name__, "reason": str(error)}
        run.folder.write(analysed.plan.error(index), orjson.dumps(note))
        raise
    if missing_chunks(run, analysed):
        return "rendering"
    return finish_here(run, analysed)


def analyse_here(run: JobRun) -> JobOutcome:
    """Analyse a job on this machine; the end of its Batch job then has the chunks rendered."""
    outcome = settled(run)
    if outcome:
        return outcome
    with failing(run, "analyse"):
        analyse_job(run)
    return "analysing"


def finish_here(run: JobRun, analysed: Analysed) -> JobOutcome:
    """Finish a job on this machine, whatever time it takes."""
    with failing(run, "finish"):
        seconds = max(FINISH_SECONDS, 2 * encode_seconds(analysed.analysis.source))
        return "completed" if finish_job(run, analysed, seconds) else "elsewhere"


def on_array_job_ended(
    run: JobRun, end: BatchEnd, budget: Budget, batch: BatchQueue | None
) -> JobOutcome:
    """Finish what the children could not, or mark the job failed where chunks are missing."""
    if end.digest == ANALYSIS_DIGEST:
        return _on_analysis_ended(run, end, batch)
    with failing(run, "render"):
        outcome = settled(run)
        if outcome:
            return outcome
        analysed = load_analysed(run)
        plan = analysed.plan
        if plan.digest != end.digest:
            log.info("%s is not the array job of the analysis as it is now", end.digest)
            return "elsewhere"
        missing = missing_chunks(run, analysed)
        if missing:
            forget_batch_jobs(run, plan)
            raise InputError(
                f"{len(missing)} of {plan.count} chunks could not be rendered "
                f"({end.reason}): {_notes(run, analysed, missing)}"
            )
    with failing(run, "finish"):
        if batch is not None and not budget.can_finish(run, analysed):
            log.info("finished in Batch: %s", batch.submit_finish(run, plan))
            return "rendering"
        is_done = finish_job(run, analysed, budget.seconds_left() + GRACE_SECONDS)
    return "completed" if is_done else "elsewhere"


def _on_analysis_ended(run: JobRun, end: BatchEnd, batch: BatchQueue | None) -> JobOutcome:
    outcome = settled(run)
    if outcome:
        return outcome
    with failing(run, "analyse"):
        if not end.succeeded or batch is None:
            run.folder.delete([ANALYSIS_NOTE])
            raise InputError(f"the analysis in AWS Batch ended without a message ({end.reason})")
        analysed = load_analysed(run)
    with failing(run, "render"):
        log.info("sent to Batch: %s", batch.submit_chunks(run, analysed.plan))
    return "rendering"


def run_whole_job(run: JobRun) -> JobOutcome:
    """Do all of a job here: what is done already is not done again."""
    if run.is_done:
        announce_done(run)
        return "completed"
    with failing(run, "analyse"):
        analysed = analyse_job(run)
    with failing(run, "render"):
        _render_all(run, analysed)
    return finish_here(run, analysed)


def settled(run: JobRun) -> JobOutcome | None:
    """How the job has ended; None when it has not."""
    if run.is_done:
        announce_done(run)
        return "completed"
    return "failed" if has_failed(run.bucket, run.job.id) else None


def _still_detecting(
    run: JobRun, ended: TransformEnd, budget: Budget, second: SecondPass | None
) -> JobOutcome | None:
    """Create the refine pass after a whole coarse pass, or wait for machines where there were none.

    None where the analysis is next.
    """
    if second is not None and ended.lacked_capacity:
        _wait(run, ended.is_refine, ended.reason)
        return "waiting"
    is_first = not (ended.is_refine or ended.is_reuse)
    if second is None or run.job.coarse_step is None or not (is_first and ended.is_whole):
        return None
    claims = Claims(run.folder, run.owner)
    if not claims.take(REFINE, budget.seconds_left() + GRACE_SECONDS):
        return "elsewhere"
    try:
        return "refining" if start_refine(run, second) else None
    except CapacityError as error:
        claims.release(REFINE)
        _wait(run, True, str(error))
        return "waiting"
    except BaseException:
        claims.release(REFINE)
        raise


def _wait(run: JobRun, is_refine: bool, reason: str) -> None:
    if is_refine:
        forget_refine(run)
    wait_for_machines(run.bucket, run.job.id, "refine" if is_refine else "detect", reason)


def start_waiting_refine(run: JobRun, second: SecondPass) -> None:
    """Create the refine pass of a job that has waited for machines.

    Raises CapacityError where it has to wait on, another FaceveilError after marking it failed.
    """
    try:
        start_refine(run, second)
    except CapacityError:
        raise
    except FaceveilError as error:
        fail_job(run.bucket, run.job.id, "detect", error, run.announce)
        raise


def _check_transform(run: JobRun, ended: TransformEnd) -> None:
    if ended.is_whole or run.job.on_failure == "veil_unknown":
        return
    raise InputError(
        f"the transform job has {ended.status.lower()} ({ended.reason}), and the job refuses to go "
        'on with what it left: repeat it, or set on_failure to "veil_unknown"'
    )


def _render_all(run: JobRun, analysed: Analysed) -> None:
    for index in range(analysed.plan.count):
        render_chunk(run, analysed, index)


def _rendered_here(run: JobRun, analysed: Analysed, budget: Budget) -> bool:
    """Render as long as it fits; False when chunks are left for others."""
    if not budget.fits(run, analysed):
        return not missing_chunks(run, analysed) and budget.can_finish(run, analysed)
    longest = 0.0
    for index in range(analysed.plan.count):
        if not budget.has_time_for(longest):
            return False
        began = time.monotonic()
        render_chunk(run, analysed, index)
        longest = max(longest, time.monotonic() - began)
    return True


def _notes(run: JobRun, analysed: Analysed, missing: list[int]) -> str:
    """Why chunks are missing, by the notes they have left."""
    reasons = []
    for index in missing[:_NAMED]:
        name = analysed.plan.error(index)
        if run.folder.find(name) is None:
            reasons.append(f"chunk {index} ended without a message")
        else:
            reasons.append(f"chunk {index}: {orjson.loads(run.folder.read(name))['reason']}")
    return "; ".join(reasons)
