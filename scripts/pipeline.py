"""One job through the whole event-driven pipeline, on this machine (`make pipeline`).

    job.json in S3 -> submit function -> transform job -> state change -> post-processing function
      -> array job in Batch -> finish -> "FaceVeil Job Completed"

Real: S3 (SeaweedFS), the three functions in AWS's runtime client, the detection server under the
local Batch Transform runner, the Batch children, all networks; each as a process, or with
--containers in the image that AWS would run, built first.
Simulated: that AWS starts them, which this script does, and EventBridge's delivery.
"""

from __future__ import annotations

import argparse
import json
import os
import queue
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image as Picture
from PIL import ImageDraw

from faceveil.aws.s3 import S3Location
from testkit.clips import make_clip, write_frames
from testkit.portraits import PORTRAITS, portrait_path
from testkit.servers import container
from testkit.servers.lambda_runtime_api import LambdaFunction
from testkit.servers.local_cloud import (
    LocalCloud,
    batch_ended,
    delivered,
    object_created,
    scheduled,
)
from testkit.servers.processes import client, seaweedfs

ROOT = Path(__file__).resolve().parents[1]

JOB, BUCKET = "demo", "faceveil-demo"
FRAMES, OUT = f"frames/{JOB}/", f"jobs/{JOB}/"
KEPT = "obama3"
"""A photo that is not in the clip: the clip shows two other ones of the same person."""
KEY, SECRET = "faceveil-demo", "faceveil-demo-secret"
FUNCTION_SECONDS = 300
SMALL_MEMORY = 512
"""MB of the functions: too few to render in, so that the frames go to Batch."""
PATIENCE_SECONDS = 60
COLUMNS, TILE_WIDTH = 4, 400


SERVER_IMAGE, IMAGE = container.IMAGE, "localhost/faceveil-postprocess"


class PipelineError(Exception):
    """A step did not do what it should; the text says which and why."""


def main() -> int:
    options = build_parser().parse_args()
    said = Narrator()
    with on_this_machine(said, options.containers, options.calls) as run:
        fields = {"sampling": {"mode": "coarse_then_refine"}} if options.sampled else {}
        try:
            if options.containers:
                build_images(said)
            run.bring(options.frames, fields)
            run.until_the_end()
            run.invoke("sweep", "sweep", scheduled())
        except PipelineError as problem:
            said(f"failed: {problem}")
            return 1
        run.show(options.output)
    return 0


@contextmanager
def on_this_machine(
    said: Callable[[str], None], containers: bool = False, calls: Path | None = None
) -> Iterator[Pipeline]:
    """A pipeline with an empty bucket, all of it gone in the end. Nothing reaches AWS from here."""
    with tempfile.TemporaryDirectory(prefix="faceveil-pipeline-") as scratch, ExitStack() as stack:
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            del os.environ[name]
        os.environ |= {"AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET}
        os.environ |= {"AWS_REGION": "eu-west-1", "AWS_EC2_METADATA_DISABLED": "true"}
        folder = Path(scratch)
        (folder / "s3").mkdir()
        url, _ = stack.enter_context(seaweedfs(folder / "s3", {KEY: ["Admin"]}, SECRET))
        client("s3", url).create_bucket(Bucket=BUCKET)
        said(f"S3 listens at {url}, as a process (SeaweedFS)")
        cloud = stack.enter_context(LocalCloud())
        yield Pipeline(url, cloud, folder, said, containers, calls)


@dataclass
class Narrator:
    """Prints each step with the seconds since the start."""

    began: float = field(default_factory=time.monotonic)

    def __call__(self, line: str) -> None:
        print(f"{time.monotonic() - self.began:6.1f} s  {line}", flush=True)


@dataclass
class Pipeline:
    """What AWS would do between the parts: it starts each when its event comes."""

    url: str
    cloud: LocalCloud
    folder: Path
    said: Callable[[str], None]
    containers: bool = False
    calls: Path | None = None

    def bring(self, frame_count: int, fields: dict[str, Any]) -> None:
        """Put frames, a photo and then job.json, with these fields, too, into S3."""
        clip = make_clip(480, 270, frame_count)
        frames = self.folder / "frames"
        write_frames(clip, frames)
        paths = sorted(frames.iterdir())
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda p: self.bucket.write(FRAMES + p.name, p.read_bytes()), paths))
        photo = portrait_path(KEPT)
        person = PORTRAITS[KEPT].person
        self.bucket.write(f"{OUT}references/kept/{photo.name}", photo.read_bytes())
        self.said(f"{len(paths)} frames and a photo of {person}, who is kept, are in S3")
        job = {
            "version": 1,
            "id": JOB,
            "frames": {"prefix": FRAMES, "rate": 25},
            "selection": {"mode": "keep", "references": {person: f"{OUT}references/kept/"}},
            **fields,
        }
        self.submit(job)

    def until_the_end(self) -> None:
        """Do what the parts ask of AWS, until an event says that the job has ended."""
        while True:
            try:
                operation, request = self.cloud.happened.get(timeout=PATIENCE_SECONDS)
            except queue.Empty:
                raise PipelineError("nobody asks for anything, and the job has not ended") from None
            if operation == "CreateTransformJob":
                self.invoke("postprocess", "app", self.transform(request))
            elif operation == "SubmitJob":
                self.invoke("finish", "finish", batch_ended(request, self.render(request)))
            elif operation == "PutEvents" and self.told(request):
                return

    def submit(self, job: dict[str, Any]) -> None:
        """Write a job.json: S3 tells the submit function."""
        key = f"jobs/{job['id']}/job.json"
        self.bucket.write(key, json.dumps(job).encode())
        self.said(f"s3://{BUCKET}/{key} is written: S3 tells the submit function")
        self.invoke("submit", "submit", object_created(BUCKET, key))

    def told(self, entry: dict[str, Any]) -> bool:
        """Tell of an event of faceveil's; True for the one that ends a job."""
        detail = json.loads(entry["Detail"])
        self.said(f"event: {entry['DetailType']}")
        if entry["DetailType"] == "FaceVeil Job Failed":
            raise PipelineError(detail["reason"])
        if detail.get("transform_job", "") is None:
            self.invoke("postprocess", "app", delivered(entry))
        return bool(entry["DetailType"] == "FaceVeil Job Completed")

    def transform(self, request: dict[str, Any]) -> dict[str, Any]:
        """What SageMaker does: every object to the server; gives its event."""
        source = request["TransformInput"]["DataSource"]["S3DataSource"]
        name, event = request["TransformJobName"], self.folder / "transform.json"
        self.said(f"transform job {name}: starting the server")
        words = [source["S3Uri"], request["TransformOutput"]["S3OutputPath"], "--job-name", name]
        words += ["--endpoint-url", self.url, "--progress", "none", "--event", str(event)]
        words += ["--max-concurrent-transforms", str(request["MaxConcurrentTransforms"])]
        words += ["--max-payload-in-mb", str(request["MaxPayloadInMB"])]
        words += ["--manifest"] if source["S3DataType"] == "ManifestFile" else []
        words += ["--image", SERVER_IMAGE] if self.containers else []
        words += ["--env", f"SAGEMAKER_MODEL_SERVER_WORKERS={min(2, os.cpu_count() or 1)}"]
        script = [sys.executable, str(ROOT / "scripts" / "batch_transform.py")]
        done = self.process("model", [*script, *words], {})
        self.said(done.stderr.strip().rpartition("\n")[2])
        if not event.exists():
            raise PipelineError(done.stderr[-2000:])
        change: dict[str, Any] = json.loads(event.read_bytes())
        return change

    def render(self, request: dict[str, Any]) -> bool:
        """What Batch does: the children of an array job, two at once; whether all went well."""
        size = request.get("arrayProperties", {}).get("size", 1)
        words = request["containerOverrides"]["command"]
        self.said(f"Batch job {request['jobName']}: {size} children, each `{' '.join(words)}`")

        def child(index: int) -> bool:
            told = {"AWS_BATCH_JOB_ID": f"{request['jobId']}:{index}"}
            if size > 1:
                told["AWS_BATCH_JOB_ARRAY_INDEX"] = str(index)
            program = [sys.executable, "-m", "postprocess_lambda"]
            if self.containers:
                program = in_container(self.environment("render") | told)
            done = self.process("render", [*program, *words], told)
            self.said(f"child {index} ended with exit code {done.returncode}")
            if done.returncode:
                self.said((done.stdout + done.stderr)[-2000:])
            return done.returncode == 0

        with ThreadPoolExecutor(2) as pool:
            return all(list(pool.map(child, range(size))))

    def invoke(self, role: str, module: str, event: dict[str, Any]) -> None:
        """What EventBridge and Lambda do: the function, in a process of its own, on an event."""
        handler = f"postprocess_lambda.{module}.handler"
        self.said(f"event: {event['detail-type']} -> {handler}")
        told = self.environment(role)
        kind = ContainerFunction if self.containers else LambdaFunction
        lambda_function = kind(handler, told, self.folder, FUNCTION_SECONDS, SMALL_MEMORY)
        with lambda_function as function:
            answer = function.invoke(event)
            if answer.error:
                raise PipelineError(f"{handler}: {answer.error} {answer.payload}\n{function.log}")
        self.said(f"{handler} answers {json.dumps(answer.payload)}")
        if answer.payload["outcome"] == "failed":
            raise PipelineError(answer.payload["reason"])

    def process(
        self, role: str, words: list[str], told: dict[str, str]
    ) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, **self.environment(role), **told}
        return subprocess.run(
            words,
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def environment(self, role: str) -> dict[str, str]:
        """The variables that Terraform gives the functions, and where this machine's AWS is."""
        told = {f"AWS_ENDPOINT_URL_{name}": self.cloud.url for name in ("SAGEMAKER", "BATCH")}
        told |= {"AWS_ENDPOINT_URL_EVENTBRIDGE": self.cloud.url, "AWS_ENDPOINT_URL_S3": self.url}
        told |= {"FACEVEIL_BUCKET": BUCKET, "FACEVEIL_EVENT_BUS": "default"}
        told |= {"FACEVEIL_MODEL_NAME": "faceveil", "FACEVEIL_INSTANCE_TYPE": "ml.m5.large"}
        told |= {"FACEVEIL_BATCH_QUEUE": "faceveil-render"}
        told |= {"FACEVEIL_BATCH_JOB_DEFINITION": "faceveil-render"}
        if self.calls:
            told |= {"FACEVEIL_RECORDED_CALLS": str(self.calls.resolve()), "FACEVEIL_ROLE": role}
            told["PYTHONPATH"] = str(ROOT / "testkit" / "servers" / "recorder")
        return told

    @property
    def bucket(self) -> S3Location:
        return S3Location.open(f"s3://{BUCKET}", self.url)

    def show(self, output: Path) -> None:
        """Bring the veiled frames here, with a contact sheet of before and after."""
        place, veiled = self.bucket.folder(f"{OUT}veiled/"), output / "veiled"
        shutil.rmtree(veiled, ignore_errors=True)
        veiled.mkdir(parents=True)
        for page in place.pages():
            for item in page:
                (veiled / item.name).write_bytes(place.read(item.name))
        for name in ("analysis.json", "report.json"):
            (output / name).write_bytes(self.bucket.read(OUT + name))
        draw_before_after(self.folder / "frames", veiled, output / "contact_sheet.png")
        count = len(list(veiled.iterdir()))
        self.said(f"{count} veiled frames lie in {veiled}, and {output / 'contact_sheet.png'}")


class ContainerFunction(LambdaFunction):  # type: ignore[misc]
    """A function in its image."""

    def command(self, told: dict[str, str]) -> list[str]:
        return [*in_container({**self._environment, **told}), self._handler]


def in_container(environment: dict[str, str]) -> list[str]:
    """The start of a command that runs the post-processing image."""
    mine = {name: value for name, value in os.environ.items() if name.startswith("AWS_")}
    settings = [f"--env={name}={value}" for name, value in {**mine, **environment}.items()]
    limits = ["--read-only", "--tmpfs", "/tmp:rw,size=512m", "--memory", "3g"]
    return ["podman", "run", "--rm", "--network", "host", *limits, *settings, IMAGE]


def build_images(said: Narrator) -> None:
    """Raises PipelineError where this machine cannot."""
    os.environ.setdefault("CONTAINERS_CONF", str(ROOT / ".ci" / "containers.conf"))
    reason = container.missing()
    if reason:
        raise PipelineError(reason)
    for image, file in ((SERVER_IMAGE, "Dockerfile"), (IMAGE, "postprocess_lambda/Dockerfile")):
        container.build(image, file)
        said(f"image {image} is built")


def draw_before_after(before: Path, after: Path, target: Path) -> None:
    """Frames spread over the video: the input's above the output's."""
    names = sorted(path.name for path in after.iterdir())
    middles = (np.arange(COLUMNS) + 0.5) * len(names) / COLUMNS
    tiles = []
    for folder in (before, after):
        for middle in middles.astype(int):
            picture = Picture.open(folder / names[middle])
            height = TILE_WIDTH * picture.height // picture.width
            tile = picture.convert("RGB").resize((TILE_WIDTH, height))
            title = f"{'before' if folder == before else 'after'}, {names[middle]}"
            ImageDraw.Draw(tile).text((6, 4), title, fill="white", font_size=13)
            tiles.append(np.asarray(tile))
    rows = [np.hstack(tiles[:COLUMNS]), np.hstack(tiles[COLUMNS:])]
    Picture.fromarray(np.vstack(rows)).save(target)


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="pipeline.py", description=__doc__.partition("\n")[0])
    parser.add_argument("--frames", type=int, default=60, metavar="N", help="of the clip (60)")
    parser.add_argument(
        "--containers", action="store_true", help="run the images instead of processes (podman)"
    )
    parser.add_argument(
        "--sampled", action="store_true", help="look at every 6th frame first, then where needed"
    )
    parser.add_argument("--output", type=Path, default=ROOT / "demo" / "pipeline")
    parser.add_argument("--calls", type=Path, help="write down each call of boto3, a line each")
    return parser


if __name__ == "__main__":
    sys.exit(main())
