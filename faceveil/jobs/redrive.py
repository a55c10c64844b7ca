"""Events that could not be delivered, or whose function failed each time, delivered again.

They lie in the deployment's queue of dead letters as they came, from EventBridge and from Lambda
alike. Every function may be called again at any time, so delivering one twice does no harm.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import orjson

from faceveil.aws.functions import send_event
from faceveil.aws.queues import delete_message, receive_all, release_message

if TYPE_CHECKING:
    from types_boto3_lambda import LambdaClient
    from types_boto3_sqs import SQSClient

_FUNCTIONS = {
    "SageMaker Transform Job State Change": "postprocess",
    "SageMaker Processing Job State Change": "postprocess",
    "FaceVeil Job Submitted": "postprocess",
    "Batch Job State Change": "finish",
}
_TIMERS = ("Scheduled Event",)


@dataclass(slots=True)
class Redriven:
    """What became of the messages of a queue.

    delivered: how many for each function. timers: deleted, as the next one comes anyway. unknown:
    the start of each that is no event of this deployment, which stays in the queue.
    """

    delivered: dict[str, int] = field(default_factory=dict)
    timers: int = 0
    unknown: list[str] = field(default_factory=list)


def function_of(event: Mapping[str, Any]) -> str | None:
    """The name of the function that an event is for, None where it is for none."""
    records = event.get("Records")
    if isinstance(records, list) and records and isinstance(records[0], dict):
        return "submit" if records[0].get("eventSource") == "aws:s3" else None
    return _FUNCTIONS.get(str(event.get("detail-type")))


def redrive(
    sqs: SQSClient, functions: LambdaClient, queue_url: str, arns: Mapping[str, str]
) -> Redriven:
    """Deliver the events of a queue again, each deleted once its function has taken it.

    Parameters
    ----------
    sqs, functions
        Clients of SQS and of Lambda.
    queue_url
        The queue of dead letters.
    arns
        The deployment's functions by name: submit, postprocess and finish.

    Returns
    -------
    Redriven
        What became of the messages.

    Raises
    ------
    OutputError
        Where SQS or Lambda refuses; the events that are left stay in the queue.
    """
    result = Redriven()
    for message in receive_all(sqs, queue_url):
        event = _parsed(message.body)
        if event.get("detail-type") in _TIMERS:
            result.timers += 1
            delete_message(sqs, queue_url, message)
            continue
        name = function_of(event)
        if name is None or name not in arns:
            result.unknown.append(message.body[:200])
            continue
        try:
            send_event(functions, arns[name], message.body.encode())
        except BaseException:
            release_message(sqs, queue_url, message)
            raise
        delete_message(sqs, queue_url, message)
        result.delivered[name] = result.delivered.get(name, 0) + 1
    return result


def _parsed(body: str) -> dict[str, Any]:
    try:
        event = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return event if isinstance(event, dict) else {}
