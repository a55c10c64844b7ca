"""A child of an AWS Batch array job, a whole job, or a SageMaker Processing Job.

The work is that of `faceveil-postprocess`; here it logs and counts as the functions do, one JSON
object a line with the ids of the job and of the Batch job.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from faceveil.cli.postprocess import ARRAY_INDEX, BATCH_JOB, build_parser, run
from faceveil.errors import FaceveilError
from postprocess_lambda.function import count, count_ended, count_failed, logger, metrics


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    options = build_parser().parse_args(arguments)
    logger.append_keys(
        job_id=getattr(options, "job", None) or getattr(options, "job_id", None),
        batch_job=os.environ.get(BATCH_JOB),
        chunk=os.environ.get(ARRAY_INDEX),
    )
    code = 0
    try:
        outcome = run(options, count)
    except FaceveilError as error:
        logger.error("%s", error)
        count_failed(error)
        code = error.exit_code
    else:
        logger.info("ended: %s", outcome)
        count_ended(outcome)
    if metrics.metric_set:
        metrics.flush_metrics()
    return code
