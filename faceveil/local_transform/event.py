"""The event that SageMaker sends to EventBridge when a Batch Transform job changes its state.

Fields and their form are those of "SageMaker transform job state change" in the SageMaker
developer guide ("Events that Amazon SageMaker AI sends to Amazon EventBridge"), and
ModelClientConfig and DataProcessing those of DescribeTransformJob. EventBridge may deliver an
event several times; consumers must not mind.
"""

from __future__ import annotations

import sys
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import orjson

from faceveil.aws.clients import is_s3
from faceveil.aws.events import put_event
from faceveil.files import replace_file
from faceveil.local_transform.parameters import Parameters, TransformJob

if TYPE_CHECKING:
    from types_boto3_events import EventBridgeClient

Status = Literal["Completed", "Failed", "Stopped"]
Event = dict[str, Any]
Announce = Callable[[Event], None]

SOURCE = "aws.sagemaker"
DETAIL_TYPE = "SageMaker Transform Job State Change"
NO_ACCOUNT = "000000000000"
"""In place of an account's number: the job ran on this machine."""
REASON_LENGTH = 1024
"""SageMaker's limit of FailureReason."""


def state_change(
    job: TransformJob,
    status: Status,
    failure_reason: str | None,
    parameters: Parameters | None,
    times: tuple[datetime, datetime | None, datetime],
    region: str,
) -> Event:
    """The event of a job that has ended.

    parameters: what held, None when the server never said; times: created, first request (None:
    there was none), ended. Addresses on this machine appear as file: URIs.
    """
    created, started, ended = times
    arn = f"arn:aws:sagemaker:{region}:{NO_ACCOUNT}:transform-job/{job.name}"
    detail: dict[str, Any] = {
        "TransformJobName": job.name,
        "TransformJobArn": arn,
        "TransformJobStatus": status,
        "FailureReason": failure_reason and failure_reason[:REASON_LENGTH],
        "ModelName": job.model_name,
        "MaxConcurrentTransforms": parameters.max_concurrent if parameters else job.max_concurrent,
        "MaxPayloadInMB": parameters.max_payload_mb if parameters else job.max_payload_mb,
        "BatchStrategy": job.batch_strategy,
        "ModelClientConfig": {
            "InvocationsTimeoutInSeconds": job.timeout_seconds,
            "InvocationsMaxRetries": job.max_retries,
        },
        "Environment": dict(job.environment),
        "TransformInput": {
            "DataSource": {
                "S3DataSource": {
                    "S3DataType": "ManifestFile" if job.manifest else "S3Prefix",
                    "S3Uri": _uri(job.input),
                }
            },
            "ContentType": job.content_type,
            "CompressionType": "None",
            "SplitType": "None",
        },
        "TransformOutput": {
            "S3OutputPath": _uri(job.output),
            "Accept": job.accept,
            "AssembleWith": "None",
            "KmsKeyId": "",
        },
        "TransformResources": {"InstanceType": "local", "InstanceCount": 1},
        "DataProcessing": {"InputFilter": "$", "OutputFilter": "$", "JoinSource": "None"},
        "CreationTime": _time(created),
        "TransformStartTime": started and _time(started),
        "TransformEndTime": _time(ended),
        "Tags": {},
    }
    # SageMaker leaves out what a job does not have.
    detail = {name: value for name, value in detail.items() if value is not None}
    if job.accept is None:
        del detail["TransformOutput"]["Accept"]
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": DETAIL_TYPE,
        "source": SOURCE,
        "account": NO_ACCOUNT,
        "time": _time(ended),
        "region": region,
        "resources": [arn],
        "detail": detail,
    }


def to_stdout(event: Event) -> None:
    """Print an event as one line of JSON."""
    print(orjson.dumps(event).decode(), file=sys.stdout, flush=True)


def to_file(path: Path) -> Announce:
    """Keeps an event in a file. Raises OutputError when it cannot be written."""
    return lambda event: replace_file(path, orjson.dumps(event, option=orjson.OPT_INDENT_2))


def to_bus(client: EventBridgeClient, bus: str, source: str = SOURCE) -> Announce:
    """Puts an event on a bus, in the name of `source`.

    AWS keeps names that begin with `aws.` to itself: only an endpoint of one's own takes
    aws.sagemaker. Raises OutputError when the bus does not take it.
    """

    return lambda event: put_event(
        client,
        bus,
        source,
        event["detail-type"],
        event["detail"],
        resources=event["resources"],
        time=datetime.fromisoformat(event["time"]),
    )


def _uri(address: str) -> str:
    return address if is_s3(address) else Path(address).resolve().as_uri()


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
