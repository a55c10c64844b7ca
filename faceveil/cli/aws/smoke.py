"""`faceveil aws smoke`: a job of two frames through everything, with what it cost."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from faceveil.cli import parsing
from faceveil.cli.arguments import Commands, add_command
from faceveil.cli.aws.deployment import add_deployment, add_dry_run, client_of

if TYPE_CHECKING:
    from faceveil.jobs.client import JobClient, Status

DESCRIPTION = """\
Run a job of two frames through the deployment, look at what came of it, and delete it again.

  faceveil aws smoke portrait.jpg --outputs outputs.json

The photo must show a face, such as your own. It is drawn into two frames; the job then takes the
usual way: frames and job.json into the bucket, a transform job, post-processing, verification.
Checked is that a face was detected in both frames, that it is veiled and all else is unchanged,
that the output was verified, and that the features are gone. About ten minutes, most of which
SageMaker takes to start a machine, and less than a tenth of a dollar, which is printed.

Frames, results and photo are deleted at the end, whatever comes of it, unless --keep is given; a
job that does not end in time is stopped first, and answers that SageMaker still writes expire. It
needs a backend's and an operator's rights (Terraform's outputs backend_policy and
operator_policy). The exit code is 0 when everything held, 5 when something did not.
"""
PATIENCE_SECONDS = 1800.0


def add_smoke_parser(verbs: Commands) -> None:
    """Add `smoke` to the verbs."""
    parser = add_command(
        verbs, "smoke", "PHOTO", "a job of two frames through everything", DESCRIPTION
    )
    parser.add_argument("photo", type=parsing.path, metavar="PHOTO")
    parser.add_argument(
        "--timeout",
        type=float,
        default=PATIENCE_SECONDS,
        metavar="S",
        help="seconds to wait (1800)",
    )
    parser.add_argument(
        "--every", type=float, default=5.0, metavar="S", help="seconds between two queries (5)"
    )
    parser.add_argument("--keep", action="store_true", help="leave the job in the bucket")
    parser.add_argument("--prices", type=parsing.path, metavar="TOML", help="as for `estimate`")
    add_deployment(parser)
    add_dry_run(parser)
    parser.set_defaults(func=run_smoke)


def run_smoke(options: argparse.Namespace) -> int:
    """`faceveil aws smoke`. Raises OutputError when something did not hold."""
    from faceveil.errors import OutputError
    from faceveil.jobs import smoke

    client, job_id = client_of(options), smoke.new_id()
    smoke.frames_of(options.photo)
    if options.dry_run:
        print(f"would run job {job_id} in s3://{client.bucket.bucket} and delete it")
        return 0
    try:
        found = smoke.run_smoke(
            client, options.photo, job_id, options.timeout, _Told(), options.every
        )
        for line in found.proven:
            print(f"ok       {line}")
        for line in found.failed:
            print(f"FAILED   {line}")
        print(f"{found.seconds:.0f} s, {_cost(client, options, job_id)}")
    finally:
        if not options.keep:
            _stop(client, job_id)
            print(f"deleted {smoke.remove_smoke(client, job_id)} objects of job {job_id}")
    if found.failed:
        raise OutputError(f"job {job_id}: {'; '.join(found.failed)}")
    return 0


def _stop(client: JobClient, job_id: str) -> None:
    """Stop a job that has not ended, so that nothing is written where all is deleted."""
    from faceveil.aws.clients import batch_client, sagemaker_client
    from faceveil.jobs.job_folder import UnknownJobError
    from faceveil.jobs.settings import Settings
    from faceveil.jobs.stop import stop_job

    try:
        if client.status(job_id).has_ended:
            return
    except UnknownJobError:
        return  # its frames could not be written
    stop_job(client.bucket, job_id, sagemaker_client, batch_client, Settings.of().announce())
    print(f"job {job_id} is stopped")


def _cost(client: JobClient, options: argparse.Namespace, job_id: str) -> str:
    """What the job has cost, in words."""
    from faceveil.aws.clients import sagemaker_client
    from faceveil.jobs.costs.prices import prices_here
    from faceveil.jobs.costs.spent import dollars_so_far
    from faceveil.jobs.transforms.watch import SageMakerWatch

    prices = prices_here(options.prices)
    machines = SageMakerWatch.of_job(sagemaker_client(), client.bucket, job_id).look()
    dollars = dollars_so_far(prices, client.status(job_id), machines)
    if dollars is None:
        return "cost not known: SageMaker does not tell of the transform job"
    return f"about {dollars:.4f} $ ({prices})"


class _Told:
    """Prints each state of the job once."""

    def __init__(self) -> None:
        self._last = ""

    def __call__(self, status: Status) -> None:
        if str(status) != self._last:
            self._last = str(status)
            print(f"{status.job_id}: {status}", file=sys.stderr, flush=True)
