"""A child of an AWS Batch array job, a whole job, or a SageMaker Processing Job.

The work is that of `faceveil-postprocess`; here it logs as the functions do, one JSON object a line
with the ids of the job and of the Batch job.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from faceveil.aws.postprocess.command import ARRAY_INDEX, BATCH_JOB, build_parser
from faceveil.aws.postprocess.command import main as run_command
from postprocess_lambda.function import logger


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    options = build_parser().parse_args(arguments)
    logger.append_keys(
        job_id=getattr(options, "job", None) or getattr(options, "job_id", None),
        batch_job=os.environ.get(BATCH_JOB),
        chunk=os.environ.get(ARRAY_INDEX),
    )
    code = run_command(arguments)
    logger.info("ended", exit_code=code)
    return code
