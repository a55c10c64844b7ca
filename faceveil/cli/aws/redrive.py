"""`faceveil aws redrive`: deliver the events of the dead-letter queue again."""

from __future__ import annotations

import argparse

from faceveil.cli.arguments import Commands, add_command
from faceveil.cli.aws.deployment import add_deployment, add_dry_run, read_outputs
from faceveil.errors import UsageError

DESCRIPTION = """\
Deliver again the events that the functions could not take: those in the deployment's queue of dead
letters. Do this once the cause, which the functions' logs name, is gone. An event that was handled
already changes nothing.

  faceveil aws redrive --outputs outputs.json

Timers are deleted, as the next one comes anyway. Messages that are no events of the deployment are
named and stay in the queue. Needs sqs:ReceiveMessage, sqs:DeleteMessage,
sqs:ChangeMessageVisibility and lambda:InvokeFunction.
"""


def add_redrive_parser(verbs: Commands) -> None:
    """Add `redrive` to the verbs."""
    parser = add_command(
        verbs, "redrive", "--outputs JSON", "deliver lost events again", DESCRIPTION
    )
    add_deployment(parser)
    add_dry_run(parser)
    parser.set_defaults(func=run_redrive)


def run_redrive(options: argparse.Namespace) -> int:
    """`faceveil aws redrive`."""
    from faceveil.aws.clients import lambda_client, sqs_client
    from faceveil.jobs.redrive import redrive

    outputs = read_outputs(options.outputs)
    queue, functions = outputs.get("queues", {}).get("dead-letters"), outputs.get("functions")
    if not queue or not functions:
        raise UsageError("no deployment named: give --outputs with its queues and functions")
    if options.dry_run:
        print(f"would deliver the events of {queue} to {', '.join(sorted(functions))}")
        return 0
    result = redrive(sqs_client(), lambda_client(), queue, functions)
    for name, count in sorted(result.delivered.items()):
        print(f"{count} events delivered to {name}")
    if result.timers:
        print(f"{result.timers} timers deleted")
    for start in result.unknown:
        print(f"left in the queue, as it is no event of this deployment: {start}")
    if not (result.delivered or result.timers or result.unknown):
        print("the queue is empty")
    return 0
