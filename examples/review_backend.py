"""A backend that embeds the review studio over jobs in the cloud, with users and rights of its own.

    python examples/review_backend.py --bucket B --users users.json

users.json says who may review what: {"ada": {"password": "…", "jobs": ["talk-1"]}}. A real backend
asks its own sign-in instead. Everything else is in S3: frames, analyses, corrections, results.
"""

from __future__ import annotations

import argparse
import base64
import hmac
import html
import json
import secrets
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from faceveil.errors import FaceveilError
from faceveil.jobs.client import JobClient
from faceveil.media.s3_keys import list_frames
from faceveil.review.app import STATIC, review_app
from faceveil.review.cloud import open_job
from faceveil.review.session import Review

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


class ReviewBackend:
    """Opens a review for each user and job, and answers only who may see it."""

    def __init__(self, client: JobClient, users: dict[str, Any], hosts: list[str]) -> None:
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
        base, token = await run_in_threadpool(self._review, user, job)
        names = {"job": job, "base": base, "token": token}
        return HTMLResponse(
            PAGE.format(**{name: html.escape(text) for name, text in names.items()})
        )

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


def main() -> None:
    parser = argparse.ArgumentParser(prog="review_backend.py")
    parser.add_argument("--bucket", required=True, help="of a deployment")
    parser.add_argument("--users", type=Path, required=True, metavar="JSON")
    parser.add_argument("--port", type=int, default=8000, help="on 127.0.0.1 (8000)")
    options = parser.parse_args()
    users = json.loads(options.users.read_bytes())
    hosts = [f"127.0.0.1:{options.port}", f"localhost:{options.port}"]
    backend = ReviewBackend(JobClient(options.bucket), users, hosts)
    uvicorn.run(backend.app, host="127.0.0.1", port=options.port, timeout_graceful_shutdown=5)


if __name__ == "__main__":
    main()
