"""A backend in one file: a person is picked by a click, and the job is rendered again without
detecting again. The page lies in backend.html.

    python examples/backend.py --local talk.mp4              all of AWS's parts on this machine
    python examples/backend.py --bucket B --job talk-1       a job of a deployment
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import os
import re
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import cached_property
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from PIL import Image as Picture

from faceveil.analysis import Analysis
from faceveil.aws.s3 import S3Location
from faceveil.errors import FaceveilError, InputError
from faceveil.jobs.client import JobClient
from faceveil.media.open import open_source
from faceveil.media.s3_keys import FrameKeys, list_frames

if TYPE_CHECKING:
    from testkit.servers.event_pipeline import Pipeline

PAGE = Path(__file__).with_suffix(".html")
MODES = ("keep", "only")
LONGEST_BODY = 1000
LOOK_SECONDS = 0.5


class Backend:
    """What the page can ask: about one job, and the choices made of it."""

    def __init__(self, client: JobClient, job_id: str) -> None:
        self.client = client
        self.job_id = job_id

    @cached_property
    def frames(self) -> FrameKeys:
        job = self.client.job(self.job_id)
        return list_frames(self.client.bucket.folder(job.frames_prefix))

    @cached_property
    def analysis(self) -> Analysis:
        """Raises InputError, and is asked for again, until the job is analysed."""
        return self.client.analysis(self.job_id)

    def job(self) -> dict[str, Any]:
        return {"id": self.job_id, "frames": len(self.frames), **self.status(self.job_id)}

    def status(self, job_id: str) -> dict[str, Any]:
        status = self.client.status(self._own(job_id))
        return {"state": status.state, "text": str(status), "has_ended": status.has_ended}

    def faces(self, frame: int) -> dict[str, Any]:
        """Everybody on a frame: x1, y1, x2, y2 in its pixels, and the number of the person."""
        analysis = self.analysis
        boxes = [sequence.box_at(frame) for sequence in analysis.sequences]
        people = zip(analysis.identities.tolist(), boxes, strict=True)
        return {
            "width": analysis.source.width,
            "height": analysis.source.height,
            "faces": [
                {"identity": identity, "box": box.tolist()}
                for identity, box in people
                if box is not None
            ],
        }

    def picture(self, frame: int, job_id: str | None) -> str:
        """Where a browser finds a frame: as it was, or as a job has veiled it."""
        if not 0 <= frame < len(self.frames):
            raise InputError(f"there is no frame {frame}")
        job = self.client.job(self._own(job_id or self.job_id))
        folder = job.output_prefix if job_id else job.frames_prefix
        return self.client.url(folder + self.frames.listed(frame).name)

    def choose(self, mode: str, frame: int, x: float, y: float) -> dict[str, Any]:
        """Start a job that keeps, or veils, only who is at that place; gives its id.

        The id is made of the choice: who clicks twice gets the same job.
        """
        selection = {"mode": mode, "points": [{"frame": frame, "x": x, "y": y}]}
        digest = hashlib.sha256(json.dumps(selection).encode()).hexdigest()
        new_id = f"{self.job_id}-{mode}-{digest[:8]}"
        self.client.render_again(self.job_id, new_id, selection)
        return {"job": new_id}

    def _own(self, job_id: str) -> str:
        """Other jobs of the bucket are not for those who see this page."""
        if job_id != self.job_id and not job_id.startswith(f"{self.job_id}-"):
            raise InputError(f"{job_id!r} is no job of this page")
        return job_id


def handler_of(backend: Backend) -> type[BaseHTTPRequestHandler]:
    """The routes. A real backend would ask who is there: this one listens on 127.0.0.1 only."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            address = urlsplit(self.path)
            if address.path == "/":
                self._send(HTTPStatus.OK, PAGE.read_bytes(), "text/html; charset=utf-8")
            elif address.path == "/job":
                self._answer(backend.job)
            elif match := re.fullmatch(r"/jobs/([\w-]+)", address.path):
                self._answer(backend.status, match[1])
            elif match := re.fullmatch(r"/faces/(\d{1,9})", address.path):
                self._answer(backend.faces, int(match[1]))
            elif match := re.fullmatch(r"/frames/(\d{1,9})", address.path):
                job_id = parse_qs(address.query).get("job", [None])[0]
                self._answer(backend.picture, int(match[1]), job_id)
            else:
                self._json(HTTPStatus.NOT_FOUND, {"error": "there is nothing here"})

        def do_POST(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            is_json = self.headers.get_content_type() == "application/json"
            if self.path != "/choices" or not is_json or length > LONGEST_BODY:
                self._json(HTTPStatus.BAD_REQUEST, {"error": "post JSON to /choices"})
                return
            try:
                body = json.loads(self.rfile.read(length))
                mode, frame = body["mode"], int(body["frame"])
                x, y = float(body["x"]), float(body["y"])
            except (ValueError, TypeError, KeyError):
                mode = None
            if mode not in MODES:
                self._json(HTTPStatus.BAD_REQUEST, {"error": "mode (keep, only), frame, x, y"})
                return
            self._answer(backend.choose, mode, frame, x, y)

        def _answer(self, ask: Callable[..., dict[str, Any] | str], *words: object) -> None:
            """A dictionary is answered as JSON, an address as where to go."""
            try:
                answer = ask(*words)
            except FaceveilError as problem:
                self._json(HTTPStatus.CONFLICT, {"error": str(problem)})
                return
            if isinstance(answer, dict):
                self._json(HTTPStatus.OK, answer)
                return
            self.send_response(HTTPStatus.FOUND)
            self.send_header("Location", answer)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def _json(self, status: HTTPStatus, document: dict[str, Any]) -> None:
            self._send(status, json.dumps(document).encode(), "application/json")

        def _send(self, status: HTTPStatus, content: bytes, kind: str) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            self.send_header("Cache-Control", "no-store")
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:
            pass

    return Handler


@contextmanager
def local_cloud(clip: Path, job_id: str) -> Iterator[JobClient]:
    """A cloud on this machine with the clip, and a job that veils everyone.

    A thread does what AWS would do when a job.json is written. The parts are the real ones
    (testkit/servers/event_pipeline.py, in a checkout with the development install).
    """
    from testkit.servers.event_pipeline import BUCKET, event_pipeline

    with event_pipeline(print) as pipeline:
        client = JobClient(BUCKET, endpoint_url=pipeline.url)
        prefix = f"frames/{job_id}/"
        bring(clip, client.bucket.folder(prefix))
        client.submit({"version": 1, "id": job_id, "frames": {"prefix": prefix}})
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
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    cloud = local_cloud(options.local, options.job) if options.local else None
    with cloud or nullcontext(JobClient(options.bucket)) as client:
        handler = handler_of(Backend(client, options.job))
        with ThreadingHTTPServer(("127.0.0.1", options.port), handler) as server:
            print(
                f"http://127.0.0.1:{server.server_port} shows job {options.job}; "
                f"stop it with Ctrl-C, or kill {os.getpid()}",
                flush=True,
            )
            server.serve_forever()


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="backend.py", description=__doc__.partition("\n")[0])
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--local", type=Path, metavar="CLIP", help="a cloud on this machine")
    where.add_argument("--bucket", help="of a deployment (Terraform's output `bucket`)")
    parser.add_argument("--job", default="talk", help="the job to choose from (talk)")
    parser.add_argument("--port", type=int, default=8000, help="on 127.0.0.1 (8000)")
    return parser


if __name__ == "__main__":
    try:
        main()
    except FaceveilError as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        pass
