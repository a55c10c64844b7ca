"""Python runs this first in a process whose PYTHONPATH has this folder: each call of boto3 is
written down, a line of JSON each, in $FACEVEIL_RECORDED_CALLS, as one of $FACEVEIL_ROLE."""

import json
import os
from pathlib import Path

import boto3


def record(params, model, **_):
    plain = {name: value for name, value in params.items() if name != "Body"}
    call = {
        "role": os.environ["FACEVEIL_ROLE"],
        "service": model.service_model.service_name,
        "operation": model.name,
        "parameters": plain,
    }
    with Path(os.environ["FACEVEIL_RECORDED_CALLS"]).open("a") as log:
        log.write(json.dumps(call, default=str) + "\n")


boto3.setup_default_session()
boto3.DEFAULT_SESSION.events.register("before-parameter-build.*.*", record)
