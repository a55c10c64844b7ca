"""Python imports this first in a process whose PYTHONPATH names this folder: each call of boto3 is
appended to $FACEVEIL_RECORDED_CALLS, a line of JSON each, as a call of $FACEVEIL_ROLE."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import boto3


def record(params: dict[str, Any], model: Any, **_: object) -> None:
    """Append one call; bodies are left out."""
    call = {
        "role": os.environ["FACEVEIL_ROLE"],
        "service": model.service_model.service_name,
        "operation": model.name,
        "parameters": {name: value for name, value in params.items() if name != "Body"},
    }
    with Path(os.environ["FACEVEIL_RECORDED_CALLS"]).open("a") as log:
        log.write(json.dumps(call, default=str) + "\n")


boto3.setup_default_session()
assert boto3.DEFAULT_SESSION
boto3.DEFAULT_SESSION.events.register("before-parameter-build.*.*", record)
