"""`faceveil-postprocess`: a whole job, one chunk of it, or its end, on any machine."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from faceveil.errors import FaceveilError, UsageError

if TYPE_CHECKING:
    from faceveil.jobs.job_run import Count

EXIT_INTERRUPTED = 130
ARRAY_INDEX = "AWS_BATCH_JOB_ARRAY_INDEX"
BATCH_JOB = "AWS_BATCH_JOB_ID"

DESCRIPTION = """\
Post-process a job of s3://BUCKET/jobs/JOB/: analyse its detections, veil its frames.

  faceveil-postprocess run talk-1 --bucket media     all of it, here; what is done is not done again
  faceveil-postprocess chunk --bucket B --job ID     one chunk: a child of an AWS Batch array job
  faceveil-postprocess finish --bucket B --job ID    the end of a job whose chunks are all there
  faceveil-postprocess process                       as a SageMaker Processing Job: from
                                                     /opt/ml/processing/input to …/output
"""

EXIT_CODES = """\
exit codes:
  0 done, or somebody else is at it   2 wrong usage   3 bad input   4 a face would stay visible
  5 something cannot be written   6 a network's weights cannot be had   130 interrupted
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code (see EXIT_CODES)."""
    options = build_parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(message)s")
    try:
        outcome = run(options)
    except FaceveilError as problem:
        print(f"faceveil-postprocess: {problem}", file=sys.stderr)
        return problem.exit_code
    except KeyboardInterrupt:
        print("faceveil-postprocess: interrupted; run it again to go on", file=sys.stderr)
        return EXIT_INTERRUPTED
    print(f"faceveil-postprocess: {outcome}", file=sys.stderr)
    return 0


def build_parser() -> argparse.ArgumentParser:
    """The commands and their options."""
    parser = argparse.ArgumentParser(
        prog="faceveil-postprocess",
        description=DESCRIPTION,
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    run = commands.add_parser("run", help="all of a job")
    run.add_argument("job_id", nargs="?", metavar="JOB")
    chunk = commands.add_parser("chunk", help="one chunk of a job")
    chunk.add_argument(
        "--index", type=int, help=f"which (default: ${ARRAY_INDEX}, that of the array job)"
    )
    finish = commands.add_parser("finish", help="the end of a job")
    for command in (run, chunk, finish):
        command.add_argument("--job", metavar="ID", help="the job's id")
        command.add_argument("--bucket", help="default: $FACEVEIL_BUCKET")
    process = commands.add_parser("process", help="a SageMaker Processing Job")
    process.add_argument("--input", type=Path, default=Path("/opt/ml/processing/input"))
    process.add_argument("--output", type=Path, default=Path("/opt/ml/processing/output"))
    return parser


def run(options: argparse.Namespace, count: Count | None = None) -> str:
    """Do what the options say; gives how it ended. count: as of a JobRun. Raises FaceveilError."""
    if options.command == "process":
        from faceveil.jobs.steps.processing_job import process

        return process(options.input, options.output)
    from faceveil.jobs import state_machine
    from faceveil.jobs.failure import clear_failure
    from faceveil.jobs.settings import Settings
    from faceveil.jobs.steps.analyse import load_analysed

    settings = Settings.of()
    if options.bucket:
        settings = replace(settings, bucket=options.bucket)
    job_id = options.job or getattr(options, "job_id", None)
    if not job_id:
        raise UsageError("which job? Give its id with --job")
    index = _index(options.index) if options.command == "chunk" else 0
    job_run = settings.run(job_id, owner=os.environ.get(BATCH_JOB), count=count)
    if options.command == "chunk":
        return state_machine.render_one_chunk(job_run, index)
    if options.command == "finish":
        return state_machine.finish_here(job_run, load_analysed(job_run))
    clear_failure(job_run.bucket, job_run.job.id)
    return state_machine.run_whole_job(job_run)


def _index(given: int | None) -> int:
    text = os.environ.get(ARRAY_INDEX, "") if given is None else str(given)
    if not text.isdecimal():
        raise UsageError(f"which chunk? Give --index; ${ARRAY_INDEX} is set in array jobs only")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
