"""The event-driven pipeline on this machine: each part of AWS's is started when its event comes.

    job.json in S3 -> submit function -> transform job -> state change -> post-processing function
      -> array job in Batch -> finish -> "FaceVeil Job Completed"
    or, where job.json says so, Processing jobs instead of the transform job and the array job

Real: S3 (SeaweedFS), the functions in AWS's runtime client, the detection server under the local
Batch Transform runner, the Batch children, all networks; each as a process or in the image that AWS
would run. Simulated: that AWS starts them (`Pipeline` does), and that S3 and EventBridge deliver.

    with event_pipeline(print) as pipeline:
        pipeline.submit({"version": 1, "id": "talk", "frames": {"prefix": "frames/talk/"}})
        pipeline.run_until_job_ends()
"""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

from faceveil.aws.s3 import S3Location
from faceveil.jobs.state_changes import PROCESSING_CHANGE
from testkit import PROJECT
from testkit.servers import container
from testkit.servers.lambda_runtime_api import LambdaFunction
from testkit.servers.local_cloud import (
    LocalCloud,
    batch_ended,
    delivered,
    event,
    object_created,
    title,
)
from testkit.servers.processes import client, seaweedfs
from testkit.servers.processing import LocalProcessing, as_process, in_image

BUCKET = "faceveil-demo"
KEY, SECRET = "faceveil-demo", "faceveil-demo-secret"
FUNCTION_SECONDS = 300
SMALL_MEMORY = 512
"""MB of the functions: too few to render in, so that the frames go to Batch."""
PATIENCE_SECONDS = 60
PROCESSING_ROLE = "arn:aws:iam::123456789012:role/faceveil-eu-west-1-processing"
SERVER_IMAGE, POSTPROCESS_IMAGE = container.IMAGE, "localhost/faceveil-postprocess"


class PipelineError(Exception):
    """A step failed; the text says which and why."""


@contextmanager
def event_pipeline(
    narrate: Callable[[str], None], containers: bool = False, calls: Path | None = None
) -> Iterator[Pipeline]:
    """A pipeline with an empty bucket, removed at the end. Nothing in it can reach AWS."""
    with (
        tempfile.TemporaryDirectory(prefix="faceveil-pipeline-") as scratch,
        patch.dict(os.environ),
        ExitStack() as stack,
    ):
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            del os.environ[name]
        os.environ |= {"AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET}
        os.environ |= {"AWS_REGION": "eu-west-1", "AWS_EC2_METADATA_DISABLED": "true"}
        folder = Path(scratch)
        (folder / "s3").mkdir()
        url, _ = stack.enter_context(seaweedfs(folder / "s3", {KEY: ["Admin"]}, SECRET))
        client("s3", url).create_bucket(Bucket=BUCKET)
        narrate(f"S3 listens at {url}, as a process (SeaweedFS)")
        cloud = stack.enter_context(LocalCloud())
        yield Pipeline(url, cloud, folder, narrate, containers, calls)


@dataclass
class Pipeline:
    """What AWS does between the parts: each part is started when its event comes.

    Parameters
    ----------
    url
        The address of S3.
    cloud
        SageMaker, Batch and EventBridge; it keeps the calls that start something.
    folder
        Scratch space for logs and events.
    narrate
        Called with one line for each step.
    containers
        Whether the parts run in their images instead of as processes.
    calls
        A file to which every call of boto3 is appended as a line of JSON.
    """

    url: str
    cloud: LocalCloud
    folder: Path
    narrate: Callable[[str], None]
    containers: bool = False
    calls: Path | None = None

    def run_until_job_ends(self) -> None:
        """Carry out the calls of the parts until an event says that the job has ended."""
        while True:
            try:
                operation, request = self.cloud.happened.get(timeout=PATIENCE_SECONDS)
            except queue.Empty:
                raise PipelineError(
                    f"no part has called AWS for {PATIENCE_SECONDS} s, and the job has not ended"
                ) from None
            if operation == "CreateTransformJob":
                self.invoke("postprocess", "app", self.transform(request))
            elif operation == "CreateProcessingJob":
                self.invoke("postprocess", "app", self.processing(request))
            elif operation == "SubmitJob":
                self.invoke("finish", "finish", batch_ended(request, self.render(request)))
            elif operation == "PutEvents" and self.ends_job(request):
                return

    def submit(self, job: dict[str, Any]) -> None:
        """Write a job.json, as a backend does, and start the submit function with S3's event."""
        key = f"jobs/{job['id']}/job.json"
        self.bucket.write(key, json.dumps(job).encode())
        self.narrate(f"s3://{BUCKET}/{key} is written: S3 tells the submit function")
        self.invoke("submit", "submit", object_created(BUCKET, key))

    def ends_job(self, entry: dict[str, Any]) -> bool:
        """Deliver an event of faceveil's. Returns whether it announces the end of a job."""
        detail = json.loads(entry["Detail"])
        self.narrate(f"event: {entry['DetailType']}")
        if entry["DetailType"] == "FaceVeil Job Failed":
            raise PipelineError(detail["reason"])
        if detail.get("transform_job", "") is None:
            self.invoke("postprocess", "app", delivered(entry))
        return bool(entry["DetailType"] == "FaceVeil Job Completed")

    def transform(self, request: dict[str, Any]) -> dict[str, Any]:
        """As SageMaker: every object is posted to the server. Returns its event."""
        source = request["TransformInput"]["DataSource"]["S3DataSource"]
        name, event = request["TransformJobName"], self.folder / "transform.json"
        self.narrate(f"transform job {name}: starting the server")
        words = [source["S3Uri"], request["TransformOutput"]["S3OutputPath"], "--job-name", name]
        words += ["--endpoint-url", self.url, "--progress", "none", "--event", str(event)]
        words += ["--max-concurrent-transforms", str(request["MaxConcurrentTransforms"])]
        words += ["--max-payload-in-mb", str(request["MaxPayloadInMB"])]
        words += ["--manifest"] if source["S3DataType"] == "ManifestFile" else []
        words += ["--image", SERVER_IMAGE] if self.containers else []
        words += ["--env", f"SAGEMAKER_MODEL_SERVER_WORKERS={min(2, os.cpu_count() or 1)}"]
        script = [sys.executable, str(PROJECT / "scripts" / "batch_transform.py")]
        done = self.process("model", [*script, *words], {})
        self.narrate(done.stderr.strip().rpartition("\n")[2])
        if not event.exists():
            raise PipelineError(done.stderr[-2000:])
        change: dict[str, Any] = json.loads(event.read_bytes())
        return change

    def processing(self, request: dict[str, Any]) -> dict[str, Any]:
        """As SageMaker Processing: the hosts of a job. Returns its event."""
        name = request["ProcessingJobName"]
        count = request["ProcessingResources"]["ClusterConfig"]["InstanceCount"]
        words = request["AppSpecification"]["ContainerArguments"]
        self.narrate(f"Processing job {name}: {count} hosts, each `{' '.join(words)}`")
        command = in_image(POSTPROCESS_IMAGE) if self.containers else as_process
        hosts = LocalProcessing(self.bucket, self.folder / "processing", command)
        detail = hosts.run(request)
        self.cloud.states[name] = detail["ProcessingJobStatus"]
        self.narrate(f"Processing job {name}: {detail['ProcessingJobStatus']}")
        if detail["ProcessingJobStatus"] == "Failed":
            self.narrate("".join(hosts.told)[-2000:])
        return event("aws.sagemaker", PROCESSING_CHANGE, detail)

    def render(self, request: dict[str, Any]) -> bool:
        """As Batch: the children of an array job, two at once. Returns whether all went well."""
        size = request.get("arrayProperties", {}).get("size", 1)
        words = request["containerOverrides"]["command"]
        self.narrate(f"Batch job {request['jobName']}: {size} children, each `{' '.join(words)}`")

        def child(index: int) -> bool:
            variables = {"AWS_BATCH_JOB_ID": f"{request['jobId']}:{index}"}
            if size > 1:
                variables["AWS_BATCH_JOB_ARRAY_INDEX"] = str(index)
            program = [sys.executable, "-m", "postprocess_lambda"]
            if self.containers:
                program = in_container(self.environment("render") | variables)
            done = self.process("render", [*program, *words], variables)
            self.narrate(f"child {index} ended with exit code {done.returncode}")
            if done.returncode:
                self.narrate((done.stdout + done.stderr)[-2000:])
            return done.returncode == 0

        with ThreadPoolExecutor(2) as pool:
            return all(list(pool.map(child, range(size))))

    def invoke(self, role: str, module: str, event: dict[str, Any]) -> None:
        """As EventBridge and Lambda: run a function, in a process of its own, on an event."""
        handler = f"postprocess_lambda.{module}.handler"
        self.narrate(f"event: {title(event)} -> {handler}")
        kind = ContainerFunction if self.containers else LambdaFunction
        variables = self.environment(role)
        with kind(handler, variables, self.folder, FUNCTION_SECONDS, SMALL_MEMORY) as function:
            answer = function.invoke(event)
            if answer.error:
                raise PipelineError(f"{handler}: {answer.error} {answer.payload}\n{function.log}")
        self.narrate(f"{handler} answers {json.dumps(answer.payload)}")
        if answer.payload["outcome"] == "failed":
            raise PipelineError(answer.payload["reason"])

    def process(
        self, role: str, words: list[str], variables: dict[str, str]
    ) -> subprocess.CompletedProcess[str]:
        """Run a command with the variables of a role, in the checkout."""
        environment = {**os.environ, **self.environment(role), **variables}
        return subprocess.run(
            words, cwd=PROJECT, env=environment, capture_output=True, text=True, check=False
        )

    def environment(self, role: str) -> dict[str, str]:
        """The variables that Terraform sets for the functions, and the addresses of AWS here."""
        variables = {
            "AWS_ENDPOINT_URL_S3": self.url,
            "AWS_ENDPOINT_URL_SAGEMAKER": self.cloud.url,
            "AWS_ENDPOINT_URL_BATCH": self.cloud.url,
            "AWS_ENDPOINT_URL_EVENTBRIDGE": self.cloud.url,
            "FACEVEIL_BUCKET": BUCKET,
            "FACEVEIL_EVENT_BUS": "default",
            "FACEVEIL_DEPLOYMENT": "faceveil",
            "FACEVEIL_MODEL_NAME": "faceveil",
            "FACEVEIL_INSTANCE_TYPE": "ml.m5.large",
            "FACEVEIL_PROCESSING_IMAGE": POSTPROCESS_IMAGE,
            "FACEVEIL_PROCESSING_ROLE": PROCESSING_ROLE,
            "FACEVEIL_BATCH_QUEUE": "faceveil-render",
            "FACEVEIL_BATCH_JOB_DEFINITION": "faceveil-render",
        }
        if self.calls:
            recorder = PROJECT / "testkit" / "servers" / "recorder"
            variables |= {
                "FACEVEIL_RECORDED_CALLS": str(self.calls.resolve()),
                "FACEVEIL_ROLE": role,
                "PYTHONPATH": f"{recorder}{os.pathsep}{PROJECT}",
            }
        return variables

    @property
    def bucket(self) -> S3Location:
        """The bucket of the deployment."""
        return S3Location.open(f"s3://{BUCKET}", self.url)


class ContainerFunction(LambdaFunction):
    """A function in its image."""

    def command(self, variables: dict[str, str]) -> list[str]:
        """The function's image, run with the variables that Lambda sets."""
        return [*in_container({**self.environment, **variables}), self.handler]


def in_container(environment: dict[str, str]) -> list[str]:
    """The start of a command that runs the post-processing image."""
    inherited = {name: value for name, value in os.environ.items() if name.startswith("AWS_")}
    settings = [f"--env={name}={value}" for name, value in {**inherited, **environment}.items()]
    limits = ["--read-only", "--tmpfs", "/tmp:rw,size=512m", "--memory", "3g"]
    return ["podman", "run", "--rm", "--network", "host", *limits, *settings, POSTPROCESS_IMAGE]


def build_images(narrate: Callable[[str], None]) -> None:
    """Build both images. Raises PipelineError where this machine lacks a program for it."""
    os.environ.setdefault("CONTAINERS_CONF", str(PROJECT / ".ci" / "containers.conf"))
    reason = container.missing()
    if reason:
        raise PipelineError(reason)
    targets = {SERVER_IMAGE: "server", POSTPROCESS_IMAGE: "postprocess"}
    for image, target in targets.items():
        container.build(image, target)
        narrate(f"image {image} is built")
