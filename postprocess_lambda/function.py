"""What the functions share: their budget, their logs and metrics, and how an error is answered."""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
from collections.abc import Callable
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from faceveil.errors import FaceveilError, VerificationError
from faceveil.jobs.chunks.budget import MIB, Budget
from faceveil.jobs.events import Stage
from faceveil.jobs.failure import fail_job
from faceveil.jobs.job_folder import UnknownJobError, load_job
from faceveil.jobs.job_run import JobRun
from faceveil.jobs.settings import Settings
from faceveil.jobs.state_changes import NotOursError
from faceveil.jobs.steps.finish import VERIFICATION_FAILURES

SERVICE = os.environ.get("POWERTOOLS_SERVICE_NAME", "postprocess")
NAMESPACE = os.environ.get("POWERTOOLS_METRICS_NAMESPACE", "faceveil")

logger = Logger(service=SERVICE)
metrics = Metrics(service=SERVICE, namespace=NAMESPACE)

# What the library says carries the job's id, too.
library = logging.getLogger("faceveil")
library.handlers = logger.handlers
library.setLevel(logging.INFO)
library.propagate = False

Answer = dict[str, Any]


def budget_of(context: LambdaContext) -> Budget:
    """What this invocation may use."""
    return Budget(
        seconds_left=lambda: context.get_remaining_time_in_millis() / 1000,
        memory=int(context.memory_limit_in_mb) * MIB,  # awslambdaric passes it as text
        scratch=shutil.disk_usage(tempfile.gettempdir()).free,
    )


def work(job_id: str, stage: Stage, owner: str, step: Callable[[JobRun], str]) -> Answer:
    """Do a step of a job. Returns the function's answer.

    An error of faceveil is final: the job is marked failed, and the function answers, so that
    Lambda does not retry in vain. Any other is raised: Lambda tries again, then the dead-letter
    queue has it. stage: where a job.json that cannot be used has stopped the job.
    """
    logger.append_keys(job_id=job_id)
    settings = Settings.of()
    bucket = settings.open_bucket()
    try:
        job = load_job(bucket, job_id)
    except UnknownJobError as error:
        return ignored(error)
    except FaceveilError as error:
        fail_job(bucket, job_id, stage, error, settings.announce())
        return _failed(job_id, error)
    try:
        outcome = step(settings.run_of(bucket, job, owner, count))
    except FaceveilError as error:
        return _failed(job_id, error)
    logger.info("job %s: %s", job_id, outcome)
    count_ended(outcome)
    return {"job_id": job_id, "outcome": outcome}


def ignored(error: NotOursError | UnknownJobError) -> Answer:
    """The answer to an event that asks for nothing."""
    logger.info("nothing to do: %s", error)
    return {"outcome": "ignored", "reason": str(error)}


def _failed(job_id: str, error: FaceveilError) -> Answer:
    logger.error("job %s has failed: %s", job_id, error)
    count_failed(error)
    return {
        "job_id": job_id,
        "outcome": "failed",
        "error": type(error).__name__,
        "reason": str(error),
    }


def count(metric: str) -> None:
    """Count one more."""
    metrics.add_metric(metric, MetricUnit.Count, 1)


def count_ended(outcome: str) -> None:
    """Count a job that is done."""
    if outcome == "completed":
        count("JobsCompleted")


def count_failed(error: FaceveilError) -> None:
    """Count a job, or an attempt at a part of one, that has failed."""
    count("JobsFailed")
    if isinstance(error, VerificationError):
        count(VERIFICATION_FAILURES)
