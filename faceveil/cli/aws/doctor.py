"""`faceveil aws doctor`: what the account and the deployment lack."""

from __future__ import annotations

import argparse
import os
from typing import TYPE_CHECKING

from faceveil.cli import parsing
from faceveil.cli.arguments import Commands, add_command
from faceveil.cli.aws.deployment import add_deployment, read_outputs

if TYPE_CHECKING:
    from faceveil.jobs.checkup import Deployed

DESCRIPTION = """\
Check what a deployment needs of its AWS account. Nothing is changed and nothing costs money.

  faceveil aws doctor                             before the first apply: quotas, roles, network
  faceveil aws doctor --outputs outputs.json      with the deployment: bucket, images, mails, too
  faceveil aws doctor --instance-type ml.c5.2xlarge --instance-count 4

Checked are the credentials, the bucket and its region, the quotas for transform and processing
instances, Lambda's concurrency and memory, the vCPUs of rendering (Fargate or EC2), service-linked
roles, the default VPC, how the images are stored and which networks they hold, whether e-mail
addresses were confirmed, and whether the cost allocation tags are active.

Each line begins with ok, missing or unknown; the lines below say what to do, and which page of AWS
is about it. Unknown is what these credentials may not ask: the line names the permission, and
Terraform's output operator_policy has all of them. The exit code is 0 when nothing is missing, 1
when something is.
"""


def add_doctor_parser(verbs: Commands) -> None:
    """Add `doctor` to the verbs."""
    parser = add_command(
        verbs, "doctor", "", "what the account and the deployment lack", DESCRIPTION
    )
    add_deployment(parser)
    parser.add_argument(
        "--instance-type",
        action="append",
        metavar="TYPE",
        help="whose quotas are checked (may be repeated); default that of the deployment",
    )
    parser.add_argument(
        "--instance-count", type=parsing.positive, metavar="N", help="how many are needed at once"
    )
    parser.set_defaults(func=run_doctor)


def run_doctor(options: argparse.Namespace) -> int:
    """`faceveil aws doctor`: print each finding; 1 when something is missing."""
    from functools import cache

    from faceveil.aws.account import service_client
    from faceveil.jobs.checkup import check_up

    levels = []
    for finding in check_up(cache(service_client), _deployed(options)):
        print(finding, flush=True)
        levels.append(finding.level)
    counts = ", ".join(f"{levels.count(level)} {level}" for level in ("ok", "missing", "unknown"))
    print(f"\n{counts}")
    return int("missing" in levels)


def _deployed(options: argparse.Namespace) -> Deployed:
    from faceveil.jobs.checkup import Deployed
    from faceveil.jobs.transforms.request import INSTANCE_TYPE

    outputs = read_outputs(options.outputs)
    transform = outputs.get("transform", {})
    types = options.instance_type or [transform.get("instance_type", INSTANCE_TYPE)]
    return Deployed(
        bucket=options.bucket or os.environ.get("FACEVEIL_BUCKET") or outputs.get("bucket"),
        model_name=outputs.get("model_name"),
        functions=outputs.get("functions", {}),
        job_queue=outputs.get("job_queue_arn"),
        topic=outputs.get("alarms_topic_arn"),
        instance_types=tuple(types),
        instance_count=options.instance_count or transform.get("instance_count", 1),
        has_own_network=bool(outputs.get("subnet_ids")),
    )
