"""A backend in one file: the review studio over jobs in the cloud, with users and their rights.

    python examples/backend.py --bucket B --users users.json    jobs of a deployment
    python examples/backend.py --local talk.mp4                 all of AWS's parts on this machine

users.json says who may review what: {"ada": {"password": "…", "jobs": ["talk-1"]}}. A real backend
asks its own sign-in instead. Everything else is in S3: frames, analyses, corrections, results.
"""

from __future__ import annotations

import argparse
import base64
import hmac
import html
import io
import json
import secrets
import signal
import sys
import threading
from collections.abc import AsyncIterator, Collection, Iterator
from contextlib import asynccontextmanager, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import uvicorn
from PIL import Image as Picture
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from faceveil.aws.s3 import S3Location
from faceveil.errors import FaceveilError, InputError
from faceveil.jobs.client import JobClient
from faceveil.media.open import open_source
from faceveil.media.s3_keys import list_frames
from faceveil.review.app import STATIC, review_app
from faceveil.review.cloud import open_job
from faceveil.review.listening import LOOPBACK, listen
from faceveil.review.session import Review

if TYPE_CHECKING:
    from testkit.servers.event_pipeline import Pipeline

URL_SECONDS = 60
"""An address of an original frame shows faces: it is good for one look."""
PAGE = """<!doctype html>
<html lang="en">
  <meta charset="utf-8">
  <title>Review {job}</title>
  <link rel="stylesheet" href="/studio/page.css">
  <script type="module" src="/studio/faceveil-review.js"></script>
  <faceveil-review base="{base}" token="{token}"></faceveil-review>
</html>
"""
NOT_YET = """<!doctype html>
<html lang="en">
  <meta charset="utf-8">
  <meta http-equiv="refresh" content="2">
  <title>{job}</title>
  <p>{job} can be reviewed once it is analysed: {status}
</html>
"""
LOCAL_JOB, LOCAL_USER = "talk", "reviewer"
LOOK_SECONDS = 0.5


class ReviewBackend:
    """Opens a review for each user and job, and answers only who may see it."""

    def __init__(self, client: JobClient, users: dict[str, Any], hosts: Collection[str]) -> None:
        self.client, self.users, self.hosts = client, users, hosts
        self.app = Starlette(
            routes=[
                Route("/jobs/{job}", self.page),
                Route("/jobs/{job}/frames/{number:int}", self.frame),
                Mount("/studio", StaticFiles(directory=STATIC)),
            ],
            exception_handlers={FaceveilError: _faceveil_error},
            lifespan=self._lifespan,
        )
        self._open: dict[tuple[str, str], tuple[Review, str]] = {}
        self._lock = threading.Lock()

    async def page(self, request: Request) -> Response:
        """The studio. Its token is this user's, for this job alone, until the backend ends."""
        user, job = self._checked(request)
        try:
            base, token = await run_in_threadpool(self._review, user, job)
        except InputError:
            status = await run_in_threadpool(self.client.status, job)
            if status.has_ended:
                raise
            words = {"job": job, "status": str(status)}
            return HTMLResponse(_filled(NOT_YET, words), 202)
        names = {"job": job, "base": base, "token": token}
        return HTMLResponse(_filled(PAGE, names))

    async def frame(self, request: Request) -> Response:
        """Where a browser finds a frame in S3: of the job's input, or `?rendered=JOB` as veiled."""
        _, job_id = self._checked(request)
        number = request.path_params["number"]
        rendered = request.query_params.get("rendered")
        if rendered is not None and not rendered.startswith(f"{job_id}-review-"):
            raise HTTPException(403, "no result of this review")
        address = await run_in_threadpool(self._address, job_id, number, rendered)
        return RedirectResponse(address, 302)

    def _address(self, job_id: str, number: int, rendered: str | None) -> str:
        job = self.client.job(rendered or job_id)
        frames = list_frames(self.client.bucket.folder(job.frames_prefix))
        if number >= len(frames):
            raise HTTPException(404, f"the job has {len(frames)} frames")
        folder = job.output_prefix if rendered else job.frames_prefix
        return self.client.url(folder + frames.listed(number).name, URL_SECONDS)

    def _checked(self, request: Request) -> tuple[str, str]:
        """The user and the job. Every route asks: who is there, and may they?"""
        kind, _, told = request.headers.get("authorization", "").partition(" ")
        try:
            name, _, password = base64.b64decode(told).decode().partition(":")
        except ValueError:
            name, password = "", ""
        known = self.users.get(name, {"password": secrets.token_hex(), "jobs": []})
        right = hmac.compare_digest(known["password"].encode(), password.encode())
        if kind.lower() != "basic" or not right:
            raise HTTPException(401, headers={"WWW-Authenticate": 'Basic realm="reviews"'})
        job = str(request.path_params["job"])
        if job not in known["jobs"]:
            raise HTTPException(403, f"{name} may not review {job}")
        return name, job

    def _review(self, user: str, job: str) -> tuple[str, str]:
        """The address and the token of the review of a user, opened when it is first asked for."""
        base = f"/reviews/{job}/{user}"
        with self._lock:
            if (user, job) not in self._open:
                review, outputs = open_job(self.client, job, user)
                token = secrets.token_urlsafe(32)
                app = review_app(review, outputs, token=token, hosts=self.hosts)
                self.app.routes.append(Mount(base, app=app))
                self._open[user, job] = review, token
            return base, self._open[user, job][1]

    @asynccontextmanager
    async def _lifespan(self, _: Starlette) -> AsyncIterator[None]:
        yield
        for review, _ in self._open.values():
            review.events.close()
            await run_in_threadpool(review.close)


async def _faceveil_error(_: Request, error: Exception) -> Response:
    return Response(str(error), 409)


def _filled(page: str, words: dict[str, str]) -> str:
    return page.format(**{name: html.escape(word) for name, word in words.items()})


@contextmanager
def local_cloud(clip: Path) -> Iterator[JobClient]:
    """A cloud on this machine with the clip, and a job that veils everyone.

    A thread does what AWS would do when a job.json is written. The parts are the real ones
    (testkit/servers/event_pipeline.py, in a checkout with the development install).
    """
    from testkit.servers.event_pipeline import BUCKET, event_pipeline

    with event_pipeline(print) as pipeline:
        client = JobClient(BUCKET, endpoint_url=pipeline.url)
        prefix = f"frames/{LOCAL_JOB}/"
        bring(clip, client.bucket.folder(prefix))
        client.submit({"version": 1, "id": LOCAL_JOB, "frames": {"prefix": prefix}})
        stopped = threading.Event()
        worker = threading.Thread(target=deploy, args=(pipeline, stopped))
        worker.start()
        try:
            yield client
        finally:
            print("stopping when the present step is done", flush=True)
            stopped.set()
            worker.join()


def bring(clip: Path, place: S3Location) -> None:
    """Split a video into frames in S3."""
    source = open_source(clip)
    for frame in source:
        with io.BytesIO() as stream:
            Picture.fromarray(frame.rgb()).save(stream, "PNG", compress_level=1)
            place.write(f"img{frame.number + 1:07d}.png", stream.getvalue())
    print(f"{clip} is in S3 as {source.frame_count} frames", flush=True)


def deploy(pipeline: Pipeline, stopped: threading.Event) -> None:
    """Work on each new job.json, one after the other."""
    from testkit.servers.event_pipeline import BUCKET, PipelineError
    from testkit.servers.local_cloud import object_created

    known: set[str] = set()
    while not stopped.wait(LOOK_SECONDS):
        pages = pipeline.bucket.folder("jobs/").pages(recursive=True)
        keys = {item.name for page in pages for item in page if item.name.endswith("/job.json")}
        for key in sorted(keys - known):
            known.add(key)
            try:
                pipeline.invoke("submit", "submit", object_created(BUCKET, f"jobs/{key}"))
                pipeline.run_until_job_ends()
            except PipelineError as error:
                print(f"job failed: {error}", flush=True)
                while not pipeline.cloud.happened.empty():
                    pipeline.cloud.happened.get()


def main() -> None:
    options = build_parser().parse_args()
    if options.local:
        users = {LOCAL_USER: {"password": secrets.token_urlsafe(8), "jobs": [LOCAL_JOB]}}
        cloud = local_cloud(options.local)
    elif options.users:
        users = json.loads(options.users.read_bytes())
        cloud = nullcontext(JobClient(options.bucket))
    else:
        raise InputError("--bucket needs --users: who may review which jobs")
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # uvicorn passes it on at its end
    with cloud as client:
        place = listen(LOOPBACK, options.port)
        backend = ReviewBackend(client, users, place.hosts)
        job = LOCAL_JOB if options.local else "JOB"
        print(
            f"http://{LOOPBACK}:{place.port}/jobs/{job} is the review; Ctrl-C ends it", flush=True
        )
        if options.local:
            print(f"user {LOCAL_USER}, password {users[LOCAL_USER]['password']}", flush=True)
        config = uvicorn.Config(backend.app, log_level="warning", timeout_graceful_shutdown=5)
        with place.listener as listener:
            uvicorn.Server(config).run([listener])


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="backend.py")
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--local", type=Path, metavar="CLIP", help="a cloud on this machine")
    where.add_argument("--bucket", help="of a deployment (Terraform's output `bucket`)")
    parser.add_argument("--users", type=Path, metavar="JSON", help="who may review which jobs")
    parser.add_argument("--port", type=int, default=8000, help="on 127.0.0.1 (8000)")
    return parser


if __name__ == "__main__":
    try:
        main()
    except FaceveilError as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        pass
