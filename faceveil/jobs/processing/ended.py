"""What follows the end of a Processing job: the next one, or the end of the job."""

from __future__ import annotations

import logging

from faceveil.aws.sagemaker import CapacityError
from faceveil.errors import FaceveilError, InputError
from faceveil.jobs.chunks.batch_queue import BatchQueue
from faceveil.jobs.chunks.budget import Budget
from faceveil.jobs.failure import fail_job
from faceveil.jobs.job_folder import ANALYSIS
from faceveil.jobs.job_run import JobRun
from faceveil.jobs.processing.create import Processing, create_render
from faceveil.jobs.processing.problem import read_message
from faceveil.jobs.state_changes import ProcessingEnd
from faceveil.jobs.state_machine import (
    GRACE_SECONDS,
    JobOutcome,
    failing,
    settled,
)
from faceveil.jobs.steps.analyse import analysed_event, load_analysed
from faceveil.jobs.steps.finish import finish_job, missing_chunks
from faceveil.jobs.waiting import wait_for_machines

log = logging.getLogger(__name__)


def on_processing_ended(
    run: JobRun,
    ended: ProcessingEnd,
    budget: Budget,
    batch: BatchQueue | None,
    processing: Processing,
) -> JobOutcome:
    """Continue after a Processing job; the same end may be told several times.

    Raises FaceveilError when the job has failed, after it is marked so.
    """
    with failing(run, ended.which):
        outcome = settled(run)
        if outcome:
            return outcome
        if ended.lacked_capacity:
            wait_for_machines(run.bucket, run.job.id, ended.which, ended.reason)
            return "waiting"
        _check_end(run, ended)
    if not ended.is_whole or run.folder.find(ANALYSIS) is None:
        return _start_render(run, processing)
    return _finish(run, budget, batch)


def _check_end(run: JobRun, ended: ProcessingEnd) -> None:
    """Raise what the containers say has failed.

    Where hosts that detect fail, a job that veils what is unknown goes on with what they left.
    """
    if ended.is_whole:
        return
    problem = read_message(ended.message)
    if ended.which == "detect" and run.job.on_failure == "veil_unknown" and problem is None:
        log.warning("the Processing job has %s: %s", ended.status.lower(), ended.reason)
        return
    if problem is not None:
        raise problem
    raise InputError(
        f"the Processing job has {ended.status.lower()} ({ended.reason}); its log tells more. What "
        f"was detected is kept: continue with `faceveil aws retry {ended.job_id}`"
    )


def _start_render(run: JobRun, processing: Processing) -> JobOutcome:
    try:
        create_render(processing, run.bucket, run.job)
    except CapacityError as error:
        wait_for_machines(run.bucket, run.job.id, "render", str(error))
        return "waiting"
    except FaceveilError as error:
        fail_job(run.bucket, run.job.id, "render", error, run.announce)
        raise
    return "rendering"


def start_waiting_render(run: JobRun, processing: Processing) -> None:
    """Create the Processing job that renders, of a job that has waited for machines.

    Raises CapacityError where it has to wait on, another FaceveilError after marking it failed.
    """
    try:
        create_render(processing, run.bucket, run.job)
    except CapacityError:
        raise
    except FaceveilError as error:
        fail_job(run.bucket, run.job.id, "render", error, run.announce)
        raise


def _finish(run: JobRun, budget: Budget, batch: BatchQueue | None) -> JobOutcome:
    """Bring the results of the hosts together, as those of chunks."""
    with failing(run, "render"):
        analysed = load_analysed(run)
        missing = missing_chunks(run, analysed)
        if missing:
            raise InputError(
                f"{len(missing)} of {analysed.plan.count} hosts have left no result of this "
                f"analysis, such as host {missing[0] + 1}: they do not agree, or it was changed"
            )
    with failing(run, "finish"):
        run.announce(analysed_event(run, analysed.analysis, analysed.plan))
        if batch is not None and not budget.can_finish(run, analysed):
            log.info("finished in Batch: %s", batch.submit_finish(run, analysed.plan))
            return "rendering"
        is_done = finish_job(run, analysed, budget.seconds_left() + GRACE_SECONDS)
    return "completed" if is_done else "elsewhere"
