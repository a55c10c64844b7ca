"""The few calls of SageMaker, Batch and EventBridge that a job makes, answered on this machine.

Nothing is run here: what has been asked for waits in `happened`, for
`event_pipeline.Pipeline` to do. S3 is a real server beside it. Signatures are not checked.
"""

from __future__ import annotations

import json
import queue
import threading
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import quote_plus

from botocore import xform_name

REGION, ACCOUNT = "eu-west-1", "123456789012"
Call = tuple[str, dict[str, Any]]
Answer = tuple[int, dict[str, Any]]
"""Status and body."""
BATCH_PATHS = {"/v1/submitjob": "SubmitJob", "/v1/terminatejob": "TerminateJob"}


class LocalCloud:
    """A context manager.

    happened: (operation, request) of each call that starts something. states: of SageMaker jobs
    that are no longer at work, by name. has_machines: whether the account's quota allows more
    of them.
    """

    def __init__(self) -> None:
        self.happened: queue.Queue[Call] = queue.Queue()
        self.states: dict[str, str] = {}
        self.has_machines = True
        self._jobs: dict[str, dict[str, dict[str, Any]]] = {"Transform": {}, "Processing": {}}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _api(self))
        self._server.daemon_threads = True

    def __enter__(self) -> LocalCloud:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def answer(self, operation: str, request: dict[str, Any]) -> Answer:
        """The status and the body for a call."""
        handle = getattr(self, f"_{xform_name(operation)}", None)
        if handle is None:
            return 400, {"__type": "UnknownOperationException", "message": operation}
        answer: Answer = handle(request)
        return answer

    def _create_transform_job(self, request: dict[str, Any]) -> Answer:
        return self._create("Transform", request)

    def _create_processing_job(self, request: dict[str, Any]) -> Answer:
        return self._create("Processing", request)

    def _describe_transform_job(self, request: dict[str, Any]) -> Answer:
        return self._describe("Transform", request)

    def _describe_processing_job(self, request: dict[str, Any]) -> Answer:
        return self._describe("Processing", request)

    def _stop_transform_job(self, request: dict[str, Any]) -> Answer:
        return self._stop("Transform", request)

    def _stop_processing_job(self, request: dict[str, Any]) -> Answer:
        return self._stop("Processing", request)

    def _create(self, kind: str, request: dict[str, Any]) -> Answer:
        name = request[f"{kind}JobName"]
        if name in self._jobs[kind]:
            return 400, {"__type": "ResourceInUse", "message": f"{name} exists"}
        if not self.has_machines:
            return 400, {"__type": "ResourceLimitExceeded", "message": "the limit is 0 instances"}
        self._jobs[kind][name] = request
        self.happened.put((f"Create{kind}Job", request))
        return 200, {f"{kind}JobArn": arn("sagemaker", f"{kind.lower()}-job/{name}")}

    def _describe(self, kind: str, request: dict[str, Any]) -> Answer:
        name = request[f"{kind}JobName"]
        if name not in self._jobs[kind]:
            return 400, {"__type": "ResourceNotFound", "message": f"{name} does not exist"}
        state = self.states.get(name, "InProgress")
        known = {**self._jobs[kind][name], f"{kind}JobStatus": state, "CreationTime": 0}
        return 200, {**known, f"{kind}JobArn": arn("sagemaker", f"{kind.lower()}-job/{name}")}

    def _stop(self, kind: str, request: dict[str, Any]) -> Answer:
        self.states[request[f"{kind}JobName"]] = "Stopping"
        self.happened.put((f"Stop{kind}Job", request))
        return 200, {}

    def _terminate_job(self, request: dict[str, Any]) -> Answer:
        self.happened.put(("TerminateJob", request))
        return 200, {}

    def _submit_job(self, request: dict[str, Any]) -> Answer:
        job_id = str(uuid.uuid4())
        self.happened.put(("SubmitJob", {**request, "jobId": job_id}))
        return 200, {"jobName": request["jobName"], "jobId": job_id}

    def _put_events(self, request: dict[str, Any]) -> Answer:
        for entry in request["Entries"]:
            self.happened.put(("PutEvents", entry))
        entries = [{"EventId": str(uuid.uuid4())} for _ in request["Entries"]]
        return 200, {"FailedEntryCount": 0, "Entries": entries}


def arn(service: str, resource: str) -> str:
    return f"arn:aws:{service}:{REGION}:{ACCOUNT}:{resource}"


def event(source: str, detail_type: str, detail: dict[str, Any]) -> dict[str, Any]:
    """As EventBridge hands it to a function."""
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "source": source,
        "detail-type": detail_type,
        "account": ACCOUNT,
        "region": REGION,
        "time": "2026-11-20T10:00:00Z",
        "resources": [],
        "detail": detail,
    }


def delivered(entry: dict[str, Any]) -> dict[str, Any]:
    """The event of an entry of PutEvents."""
    return event(entry["Source"], entry["DetailType"], json.loads(entry["Detail"]))


def object_created(bucket: str, key: str) -> dict[str, Any]:
    """S3's own notification for an object that was written, which does not pass EventBridge."""
    entity = {
        "s3SchemaVersion": "1.0",
        "configurationId": "submit",
        "bucket": {"name": bucket, "arn": f"arn:aws:s3:::{bucket}"},
        "object": {"key": quote_plus(key, safe="/"), "size": 1},
    }
    record = {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "awsRegion": REGION,
        "eventTime": "2026-11-20T10:00:00.000Z",
        "eventName": "ObjectCreated:Put",
        "s3": entity,
    }
    return {"Records": [record]}


def title(event: dict[str, Any]) -> str:
    """What an event says has happened."""
    return str(event["Records"][0]["eventName"] if "Records" in event else event["detail-type"])


def scheduled() -> dict[str, Any]:
    """The event of a schedule."""
    return event("aws.events", "Scheduled Event", {})


def batch_ended(request: dict[str, Any], succeeded: bool) -> dict[str, Any]:
    """Batch's event for the job of a SubmitJob call."""
    detail = {
        "jobName": request["jobName"],
        "jobId": request["jobId"],
        "status": "SUCCEEDED" if succeeded else "FAILED",
        "statusReason": "" if succeeded else "Array Child Job failed",
        "arrayProperties": request.get("arrayProperties", {}),
    }
    return event("aws.batch", "Batch Job State Change", detail)


def _api(cloud: LocalCloud) -> type[BaseHTTPRequestHandler]:
    class Api(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            target = self.headers.get("X-Amz-Target") or self.path
            operation = BATCH_PATHS.get(target, target.rpartition(".")[2])
            status, answer = cloud.answer(operation, json.loads(body))
            content = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/x-amz-json-1.1")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:
            pass

    return Api
