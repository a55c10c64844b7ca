"""`faceveil aws costs`: what jobs were billed, beside what was computed for them."""

from __future__ import annotations

import argparse
import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from faceveil.cli import parsing
from faceveil.cli.arguments import Commands, add_command
from faceveil.cli.aws.deployment import add_deployment, client_of
from faceveil.errors import InputError

if TYPE_CHECKING:
    from datetime import date

    from faceveil.aws.account import Clients
    from faceveil.jobs.client import JobClient
    from faceveil.jobs.costs.prices import Prices

DESCRIPTION = """\
Show what jobs were billed, by AWS's Cost Explorer, beside what faceveil computes for them.

  faceveil aws costs talk-1
  faceveil aws costs talk-1 talk-2 --json

SageMaker and AWS Batch jobs carry the tag faceveil:job-id. Cost Explorer counts by it only once the
tag is active (Billing, Cost allocation tags: `faceveil aws doctor` looks), from that day on and
about a day late. What cannot carry a job's tag is not in it: requests to S3, and the functions. The
estimate has these. AWS charges 0.01 USD for each question to Cost Explorer; --estimate-only asks
none.
"""
TAG = "faceveil:job-id"


def add_costs_parser(verbs: Commands) -> None:
    """Add `costs` to the verbs."""
    parser = add_command(verbs, "costs", "JOB [JOB …]", "what jobs were billed", DESCRIPTION)
    parser.add_argument("jobs", metavar="JOB", nargs="+")
    parser.add_argument(
        "--estimate-only",
        action="store_true",
        help="do not ask Cost Explorer, which costs 0.01 USD",
    )
    parser.add_argument("--prices", type=parsing.path, metavar="TOML", help="as for `estimate`")
    parser.add_argument("--json", action="store_true", help="print JSON")
    add_deployment(parser)
    parser.set_defaults(func=run_costs)


def run_costs(options: argparse.Namespace) -> int:
    """`faceveil aws costs`: print what each job was billed, and what was computed."""
    from faceveil.aws.clients import sagemaker_client
    from faceveil.jobs.costs.prices import prices_here

    client, prices = client_of(options), prices_here(options.prices)
    jobs = list(dict.fromkeys(options.jobs))
    submitted = [client.status(job).submitted for job in jobs]
    computed = {job: _computed(client, prices, sagemaker_client(), job) for job in jobs}
    billed: dict[str, dict[str, float]] | None = None
    notes: list[str] = []
    if not options.estimate_only:
        first = min(submitted).date()
        billed, notes = _billed(jobs, first)
    if options.json:
        document = [
            {"job_id": job, "computed": computed[job], "billed": (billed or {}).get(job)}
            for job in jobs
        ]
        print(json.dumps({"jobs": document, "notes": notes, "prices": str(prices)}, indent=2))
        return 0
    for job in jobs:
        print(_line(job, computed[job], None if billed is None else billed.get(job, {})))
    print("\n".join(["", f"computed: {prices}", *notes]))
    return 0


def _computed(
    client: JobClient,
    prices: Prices,
    sagemaker: Any,  # noqa: ANN401, boto3's
    job_id: str,
) -> float | None:
    """Dollars by the price table, None where SageMaker does not tell of its jobs."""
    from faceveil.jobs.costs.spent import dollars_so_far
    from faceveil.jobs.transforms.watch import SageMakerWatch

    machines = SageMakerWatch.of_job(sagemaker, client.bucket, job_id).look()
    return dollars_so_far(prices, client.status(job_id), machines)


def _billed(jobs: list[str], first: date) -> tuple[dict[str, dict[str, float]] | None, list[str]]:
    """What was billed, and what is to be said about it."""
    from functools import cache

    from faceveil.aws.account import NotAllowedError, service_client
    from faceveil.aws.cost_explorer import DOLLARS_A_REQUEST, costs_by_tag

    clients = cache(service_client)
    tomorrow = datetime.now(UTC).date() + timedelta(days=1)
    try:
        found = costs_by_tag(clients, TAG, jobs, first, tomorrow)
    except NotAllowedError as error:
        return None, [f"billed: not known: {error} (the output operator_policy allows it)"]
    except InputError as error:
        return None, [f"billed: not known: Cost Explorer refuses ({error})"]
    notes = [f"billed: by Cost Explorer since {first}; this question cost {DOLLARS_A_REQUEST} $"]
    if len(found.keys() & set(jobs)) < len(jobs):
        notes.append(_why_nothing(clients))
    return found, notes


def _why_nothing(clients: Clients) -> str:
    """Why some jobs have no costs, as far as the tags tell; this question is free."""
    from faceveil.aws.account import active_cost_tags

    try:
        is_active = TAG in active_cost_tags(clients, [TAG])
    except InputError:
        return (
            f"no costs of some jobs: whether the tag {TAG} is active, these credentials cannot tell"
        )
    if is_active:
        return "no costs of some jobs yet: they arrive about a day late"
    return (
        f"no costs: the tag {TAG} is not active. Activate it under Billing, Cost allocation tags, "
        "in the account that pays; it counts from then on"
    )


def _line(job: str, computed: float | None, billed: dict[str, float] | None) -> str:
    guess = "not known" if computed is None else f"{computed:.2f} $"
    text = f"{job}: computed {guess}"
    if billed is None:
        return text
    if not billed:
        return f"{text}, billed nothing that carries its tag"
    parts = ", ".join(f"{name} {dollars:.2f} $" for name, dollars in sorted(billed.items()))
    return f"{text}, billed {sum(billed.values()):.2f} $ ({parts})"
