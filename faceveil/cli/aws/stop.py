"""`faceveil aws stop`: end a job before its time."""

from __future__ import annotations

import argparse

from faceveil.cli.arguments import Commands, add_command
from faceveil.cli.aws.deployment import add_deployment, add_dry_run, client_of

DESCRIPTION = """\
End a job now: its transform jobs and its AWS Batch jobs are stopped, and nothing follows them.

  faceveil aws stop talk-1

What the job has made so far stays in the bucket; `faceveil aws cleanup` deletes it. A stopped job
cannot be continued: submit it under another id. Instances are paid for until they have stopped,
which takes about a minute.
"""


def add_stop_parser(verbs: Commands) -> None:
    """Add `stop` to the verbs."""
    parser = add_command(verbs, "stop", "JOB", "end a job before its time", DESCRIPTION)
    parser.add_argument("job", metavar="JOB")
    add_deployment(parser)
    add_dry_run(parser)
    parser.set_defaults(func=run_stop)


def run_stop(options: argparse.Namespace) -> int:
    """`faceveil aws stop`."""
    from faceveil.aws.clients import batch_client, sagemaker_client
    from faceveil.jobs.settings import Settings
    from faceveil.jobs.stop import stop_job

    client = client_of(options)
    status = client.status(options.job)
    if options.dry_run:
        print(f"would stop job {options.job}, which is {status}")
        return 0
    announce = Settings.of().announce()
    stopped = stop_job(client.bucket, options.job, sagemaker_client, batch_client, announce)
    print(f"job {options.job} is stopped" + "".join(f"\n  {each}" for each in stopped))
    return 0
