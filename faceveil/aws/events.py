"""EventBridge: one event, put on a bus."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import orjson

from faceveil.aws.errors import AWS_ERRORS
from faceveil.errors import OutputError

if TYPE_CHECKING:
    from types_boto3_events import EventBridgeClient


class NotTakenError(OutputError):
    """The bus was reached and did not take the event: it may the next time."""


def put_event(
    client: EventBridgeClient,
    bus: str,
    source: str,
    detail_type: str,
    detail: dict[str, Any],
    *,
    resources: Sequence[str] = (),
    time: datetime | None = None,
) -> None:
    """Put an event on a bus.

    Raises NotTakenError, an OutputError, when the bus does not take it, OutputError when it cannot
    be reached.
    """
    entry: dict[str, Any] = {
        "Source": source,
        "DetailType": detail_type,
        "Detail": orjson.dumps(detail).decode(),
        "EventBusName": bus,
    }
    if resources:
        entry["Resources"] = list(resources)
    if time is not None:
        entry["Time"] = time
    try:
        answer = client.put_events(Entries=[entry])  # type: ignore[list-item]
    except AWS_ERRORS as error:
        raise OutputError(f"event bus {bus}: cannot be reached ({error})") from error
    if answer["FailedEntryCount"]:
        reason = answer["Entries"][0].get("ErrorMessage", "no reason given")
        raise NotTakenError(f"event bus {bus}: did not take {detail_type!r} ({reason})")
