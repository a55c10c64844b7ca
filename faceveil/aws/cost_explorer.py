"""Cost Explorer: what was billed, by the values of a cost allocation tag."""

from __future__ import annotations

from datetime import date
from typing import Any

from faceveil.aws.account import Clients, ask

DOLLARS_A_REQUEST = 0.01
"""What AWS charges for each request to Cost Explorer."""
_METRIC = "UnblendedCost"


def costs_by_tag(
    clients: Clients, key: str, values: list[str], first: date, end: date
) -> dict[str, dict[str, float]]:
    """Return dollars by value of a tag, then by service; values without costs are left out.

    Parameters
    ----------
    clients
        A client of boto3 for the name of a service.
    key, values
        The tag, and those of its values that are asked for.
    first, end
        The days, `end` excluded.

    Raises
    ------
    NotAllowedError
        When these credentials lack ce:GetCostAndUsage.
    InputError
        When Cost Explorer refuses: it is not enabled, or does not reach so far back.
    """
    found: dict[str, dict[str, float]] = {}
    request: dict[str, Any] = {
        "TimePeriod": {"Start": first.isoformat(), "End": end.isoformat()},
        "Granularity": "MONTHLY",
        "Metrics": [_METRIC],
        "Filter": {"Tags": {"Key": key, "Values": values}},
        "GroupBy": [{"Type": "TAG", "Key": key}, {"Type": "DIMENSION", "Key": "SERVICE"}],
    }
    client = clients("ce")
    while True:
        answer = ask(client, "get_cost_and_usage", "ce:GetCostAndUsage", **request)
        for period in answer["ResultsByTime"]:
            for group in period["Groups"]:
                tag, service = group["Keys"]
                # KEY$VALUE, and KEY$ for what has no such tag
                by_service = found.setdefault(tag.partition("$")[2], {})
                dollars = float(group["Metrics"][_METRIC]["Amount"])
                by_service[service] = by_service.get(service, 0.0) + dollars
        if not answer.get("NextPageToken"):
            return found
        request["NextPageToken"] = answer["NextPageToken"]
