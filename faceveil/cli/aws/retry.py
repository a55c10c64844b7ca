"""`faceveil aws retry`: try a failed job again."""

from __future__ import annotations

import argparse

from faceveil.cli.arguments import Commands, add_command
from faceveil.cli.aws.deployment import add_deployment, add_dry_run, client_of

DESCRIPTION = """\
Try a job again whose SageMaker job has failed, for example because an instance was lost.

  faceveil aws retry talk-1

The next attempt starts within five minutes, under a name of its own. Processing jobs go on with
what was detected before; a transform job detects in all of its frames again.
"""


def add_retry_parser(verbs: Commands) -> None:
    """Add `retry` to the verbs."""
    parser = add_command(verbs, "retry", "JOB", "try a failed job again", DESCRIPTION)
    parser.add_argument("job", metavar="JOB")
    add_deployment(parser)
    add_dry_run(parser)
    parser.set_defaults(func=run_retry)


def run_retry(options: argparse.Namespace) -> int:
    """`faceveil aws retry`."""
    from faceveil.jobs.retry import retry_job

    client = client_of(options)
    if options.dry_run:
        print(f"would try job {options.job} again, which is {client.status(options.job)}")
        return 0
    retry_job(client.bucket, options.job)
    print(f"job {options.job} starts again within five minutes")
    print(f"next: faceveil aws watch {options.job}")
    return 0
