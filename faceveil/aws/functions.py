"""Lambda: a function called with an event, without waiting for its answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from faceveil.aws.errors import AWS_ERRORS
from faceveil.errors import OutputError

if TYPE_CHECKING:
    from types_boto3_lambda import LambdaClient


def send_event(client: LambdaClient, function: str, event: bytes) -> None:
    """Call a function as EventBridge does. Raises OutputError where Lambda does not take the event.

    function: its name or ARN. event: JSON.
    """
    try:
        client.invoke(FunctionName=function, InvocationType="Event", Payload=event)
    except AWS_ERRORS as error:
        raise OutputError(f"function {function}: does not take the event ({error})") from error
