"""`faceveil-postprocess`: a whole job, one chunk of it, or its end, on any machine."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from faceveil.cli import parsing
from faceveil.cli.arguments import Commands, add_command
from faceveil.cli.program import EXIT_CODES, run_program
from faceveil.errors import UsageError

if TYPE_CHECKING:
    from faceveil.jobs.job_run import Count, JobRun

PROGRAM = "faceveil-postprocess"
ARRAY_INDEX = "AWS_BATCH_JOB_ARRAY_INDEX"
BATCH_JOB = "AWS_BATCH_JOB_ID"

DESCRIPTION = """\
Post-process a job of s3://BUCKET/jobs/JOB/: analyse its detections, veil its frames.

  faceveil-postprocess run talk-1 --bucket media     all of it, on this machine; finished work is
                                                     not repeated
  faceveil-postprocess analyse --bucket B --job ID   its analysis only: a job of AWS Batch, whose
                                                     end has the chunks rendered
  faceveil-postprocess chunk --bucket B --job ID     one chunk: a child of an AWS Batch array job
  faceveil-postprocess finish --bucket B --job ID    the end of a job whose chunks are complete
  faceveil-postprocess process                       a whole job between two folders: from
                                                     /opt/ml/processing/input to …/output
  faceveil-postprocess host --step all               the share of this host in a SageMaker
                                                     Processing job of `aws submit --as processing`

The exit code is 0, too, when another worker is processing the job.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code (see `program.EXIT_CODES`)."""
    options = build_parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(message)s")

    def work() -> int:
        print(f"{PROGRAM}: {run(options)}", file=sys.stderr)
        return 0

    return run_program(PROGRAM, work, interrupted="run it again to continue", debug=options.debug)


def run(options: argparse.Namespace, count: Count | None = None) -> str:
    """Run the command that was chosen; returns how it ended.

    Parameters
    ----------
    options
        What `build_parser` parsed.
    count
        Told what is counted while the job runs, as by a `JobRun`.

    Raises
    ------
    FaceveilError
        Where the job, its bucket or its frames cannot be used.
    """
    outcome: str = options.func(options, count)
    return outcome


def build_parser() -> argparse.ArgumentParser:
    """Build the commands; `options.func(options, count)` runs the one that was chosen."""
    parser = argparse.ArgumentParser(
        prog=PROGRAM,
        description=DESCRIPTION,
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _add_run_parser(commands)
    _add_analyse_parser(commands)
    _add_chunk_parser(commands)
    _add_finish_parser(commands)
    _add_process_parser(commands)
    _add_host_parser(commands)
    return parser


def _add_run_parser(commands: Commands) -> None:
    parser = add_command(commands, "run", "[JOB]", "all of a job")
    parser.add_argument("job_id", nargs="?", metavar="JOB")
    _add_job(parser)
    parser.set_defaults(func=run_job)


def run_job(options: argparse.Namespace, count: Count | None) -> str:
    """`faceveil-postprocess run`."""
    from faceveil.jobs import state_machine
    from faceveil.jobs.failure import clear_failure

    job_run = _job_run(options, count)
    clear_failure(job_run.bucket, job_run.job.id)
    return state_machine.run_whole_job(job_run)


def _add_analyse_parser(commands: Commands) -> None:
    parser = add_command(commands, "analyse", "--job ID", "the analysis of a job")
    _add_job(parser)
    parser.set_defaults(func=run_analyse)


def run_analyse(options: argparse.Namespace, count: Count | None) -> str:
    """`faceveil-postprocess analyse`."""
    from faceveil.jobs import state_machine

    return state_machine.analyse_here(_job_run(options, count))


def _add_chunk_parser(commands: Commands) -> None:
    parser = add_command(commands, "chunk", "--job ID", "one chunk of a job")
    parser.add_argument(
        "--index", type=int, help=f"its number (default: ${ARRAY_INDEX}, set in an array job)"
    )
    _add_job(parser)
    parser.set_defaults(func=run_chunk)


def run_chunk(options: argparse.Namespace, count: Count | None) -> str:
    """`faceveil-postprocess chunk`."""
    from faceveil.jobs import state_machine

    text = os.environ.get(ARRAY_INDEX, "") if options.index is None else str(options.index)
    if not text.isdecimal():
        raise UsageError(f"no chunk named: give --index; ${ARRAY_INDEX} is set in array jobs only")
    return state_machine.render_one_chunk(_job_run(options, count), int(text))


def _add_finish_parser(commands: Commands) -> None:
    parser = add_command(commands, "finish", "--job ID", "the end of a job")
    _add_job(parser)
    parser.set_defaults(func=run_finish)


def run_finish(options: argparse.Namespace, count: Count | None) -> str:
    """`faceveil-postprocess finish`."""
    from faceveil.jobs import state_machine
    from faceveil.jobs.steps.analyse import load_analysed

    job_run = _job_run(options, count)
    return state_machine.finish_here(job_run, load_analysed(job_run))


def _add_process_parser(commands: Commands) -> None:
    parser = add_command(commands, "process", "", "a whole job between two folders")
    parser.add_argument("--input", type=parsing.path, default=Path("/opt/ml/processing/input"))
    parser.add_argument("--output", type=parsing.path, default=Path("/opt/ml/processing/output"))
    parser.set_defaults(func=run_process)


def run_process(options: argparse.Namespace, count: Count | None) -> str:
    """`faceveil-postprocess process`; nothing is counted."""
    from faceveil.jobs.steps.processing_job import process

    return process(options.input, options.output)


def _add_host_parser(commands: Commands) -> None:
    parser = add_command(
        commands, "host", "--step STEP", "the share of a host in a SageMaker Processing job"
    )
    parser.add_argument(
        "--step",
        choices=("detect", "render", "all"),
        required=True,
        help="detect in the frames that this host was given; analyse all and render a range; or, "
        "as the only host, all of it",
    )
    parser.add_argument(
        "--root", type=parsing.path, default=Path("/opt/ml"), help="default: /opt/ml"
    )
    parser.set_defaults(func=run_host)


def run_host(options: argparse.Namespace, count: Count | None) -> str:
    """`faceveil-postprocess host`; nothing is counted. An error is left as SageMaker's message."""
    from faceveil.jobs.processing.host import Host
    from faceveil.jobs.processing.problem import write_message
    from faceveil.jobs.processing.work import work_as_host

    try:
        return work_as_host(Host.here(options.root), options.step)
    except Exception as error:
        write_message(options.root, error)
        raise


def _add_job(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--job", metavar="ID", help="the job's id")
    parser.add_argument("--bucket", help="default: $FACEVEIL_BUCKET")


def _job_run(options: argparse.Namespace, count: Count | None) -> JobRun:
    """The job that the options name. Raises UsageError where they name none."""
    from dataclasses import replace

    from faceveil.jobs.settings import Settings

    settings = Settings.of()
    if options.bucket:
        settings = replace(settings, bucket=options.bucket)
    job_id = options.job or getattr(options, "job_id", None)
    if not job_id:
        raise UsageError("no job named: give its id with --job")
    return settings.run(job_id, owner=os.environ.get(BATCH_JOB), count=count)


if __name__ == "__main__":
    sys.exit(main())
