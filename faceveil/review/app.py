"""The review server as a Starlette application: the page, and its API under /api/v1.

What each route takes and answers is in openapi.json beside this file, which the server answers,
too, and which a test compares with real answers.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from faceveil.errors import FaceveilError, InputError, UsageError
from faceveil.faces import Floats
from faceveil.review.answers import AnswerError, body_of, error_answer, json_answer, number_of
from faceveil.review.output import ReviewOutputs
from faceveil.review.security import Guard
from faceveil.review.session import Review
from faceveil.review.timeline import within
from faceveil.veils.styles import STYLE_NAMES

STATIC = Path(__file__).parent / "static"
OPENAPI = Path(__file__).parent / "openapi.json"
MOST_BOX_FRAMES = 600
MOST_ROWS = 1000
MOST_BUCKETS = 10_000
WIDEST = 4096
NO_PAGE = """\
The page of the review studio is not built. In a checkout, run

    make page

and open this address again; the wheels of faceveil bring the page along.
"""
_Answer = Callable[[Request], Any]


def review_app(
    review: Review,
    outputs: ReviewOutputs,
    *,
    token: str,
    hosts: Collection[str],
    secure: bool = False,
) -> Starlette:
    """Build the application of one review.

    Parameters
    ----------
    review
        What is reviewed; it is closed when the application ends.
    outputs
        Renders it.
    token
        The secret without which nothing is answered.
    hosts
        The values of the Host header that are answered, such as 127.0.0.1:8000.
    secure
        Whether pages come over HTTPS.
    """
    api = Api(review, outputs)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        await run_in_threadpool(review.close)

    guard = Middleware(Guard, token=token, hosts=hosts, secure=secure)
    handlers: dict[Any, Any] = {
        AnswerError: _answer_error,
        FaceveilError: _faceveil_error,
        HTTPException: _http_error,
    }
    return Starlette(
        routes=[Mount("/api/v1", routes=api.routes()), _page()],
        middleware=[guard],
        exception_handlers=handlers,
        lifespan=lifespan,
    )


def _page() -> BaseRoute:
    if not (STATIC / "index.html").is_file():
        return Route("/{path:path}", lambda _: PlainTextResponse(NO_PAGE, 503))
    return Mount("/", StaticFiles(directory=STATIC, html=True))


async def _answer_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, AnswerError)
    return error_answer(error.status, error.code, error.message, **error.more)


async def _faceveil_error(_: Request, error: Exception) -> Response:
    status = 422 if isinstance(error, InputError | UsageError) else 500
    return error_answer(status, type(error).__name__.removesuffix("Error").lower(), str(error))


async def _http_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    text = {404: "There is nothing at this address.", 405: "This address takes no such request."}
    return error_answer(error.status_code, "http", text.get(error.status_code, error.detail))


class Api:
    """The routes of the API; each method answers one."""

    def __init__(self, review: Review, outputs: ReviewOutputs) -> None:
        self._review, self._outputs = review, outputs
        self._last = review.frame_count - 1

    def routes(self) -> list[Route]:
        """Return all routes, below /api/v1."""
        get: dict[str, _Answer] = {
            "/state": self.state,
            "/people": self.people,
            "/people/{identity:int}/sequences": self.sequences,
            "/sequences/{sequence:int}": self.sequence,
            "/crops/{frame:int}.jpg": self.crop,
            "/frames/{frame:int}.jpg": self.frame,
            "/boxes": self.boxes,
            "/timeline": self.timeline,
            "/next": self.next,
            "/findings": lambda _: self._outputs.findings(),
            "/keyframes.json": lambda _: self._outputs.keyframes(),
            "/tasks/{task}": self.task,
            "/openapi.json": lambda _: orjson.loads(OPENAPI.read_bytes()),
        }
        downloads = ("output", "matte", "report.html", "report.json")
        post: dict[str, Callable[[dict[str, Any]], Any]] = {
            "/corrections": self.correct,
            "/undo": lambda body: {"revision": self._review.undo(_revision(body))},
            "/redo": lambda body: {"revision": self._review.redo(_revision(body))},
            "/looked": self.looked,
            "/render": self.render,
        }
        return [
            *(Route(path, _getting(answer), methods=["GET"]) for path, answer in get.items()),
            *(Route(path, _posting(answer), methods=["POST"]) for path, answer in post.items()),
            *(Route(f"/{name}", partial(self.download, name=name)) for name in downloads),
            Route("/corrections.json", self.corrections),
            Route("/tasks/{task}", _getting(self.cancel), methods=["DELETE"]),
            Route("/events", self.events),
        ]

    # Looking

    def state(self, _: Request) -> dict[str, Any]:
        output = self._outputs.describe()
        return {**self._review.state(), "styles": list(STYLE_NAMES), "output": output}

    def people(self, request: Request) -> dict[str, Any]:
        offset, limit = _page_of(request)
        version = self._review.version
        page = version.table.people(offset, limit, self._review.timeline.risk)
        return {"revision": version.number, **page}

    def sequences(self, request: Request) -> dict[str, Any]:
        offset, limit = _page_of(request)
        table = self._review.version.table
        page = table.sequences_of(request.path_params["identity"], offset, limit)
        if not page["total"]:
            raise AnswerError(404, "identity", "There is no such person.")
        return page

    def sequence(self, request: Request) -> dict[str, Any]:
        table, row = self._review.version.table, request.path_params["sequence"]
        if row >= len(table.sequences):
            raise AnswerError(404, "sequence", "There is no such sequence.")
        return table.sequence(row)

    def crop(self, request: Request) -> Response:
        size = number_of(request, "size", 96, 16, 512)
        box = _box_of(request)
        return _jpeg(self._review.pictures.crop(self._frame_of(request), box, size))

    def frame(self, request: Request) -> Response:
        width = number_of(request, "width", 960, 16, WIDEST)
        view = request.query_params.get("view", "input")
        frame = self._frame_of(request)
        if view == "veiled":
            return _jpeg(self._review.veiled(frame, width))
        if view != "input":
            raise AnswerError(422, "query", "view must be input or veiled.")
        return _jpeg(self._review.pictures.frame(frame, width))

    def boxes(self, request: Request) -> dict[str, Any]:
        first = number_of(request, "first", None, 0, self._last)
        last = number_of(request, "last", None, first, self._last)
        if last - first >= MOST_BOX_FRAMES:
            raise AnswerError(422, "query", f"Ask for {MOST_BOX_FRAMES} frames at most.")
        version = self._review.version
        return {"revision": version.number, **version.table.boxes(first, last)}

    # Where to look

    def timeline(self, request: Request) -> dict[str, Any]:
        first = number_of(request, "first", 0, 0, self._last)
        last = number_of(request, "last", self._last, first, self._last)
        buckets = number_of(request, "buckets", 1200, 1, MOST_BUCKETS)
        shots = self._review.analysis.shot_starts
        found = sorted({int(item["frame"]) for item in self._outputs.findings()})
        return {
            **self._review.timeline.buckets(first, last, buckets),
            "shots": within(shots, first, last),
            "findings": within(np.array(found, np.int32), first, last),
        }

    def next(self, _: Request) -> dict[str, Any]:
        return self._review.timeline.next()

    def looked(self, body: dict[str, Any]) -> dict[str, Any]:
        first, last = body.get("first"), body.get("last")
        if not (type(first) is int and type(last) is int and 0 <= first <= last <= self._last):
            raise AnswerError(422, "fields", "first and last must be frames of the video.")
        self._review.look(first, last)
        return {}

    # Correcting and rendering

    def correct(self, body: dict[str, Any]) -> dict[str, Any]:
        return self._review.correct(_revision(body), body)

    def render(self, body: dict[str, Any]) -> dict[str, Any]:
        style, matte = body.get("style"), body.get("matte", False)
        if style is not None and style not in STYLE_NAMES:
            raise AnswerError(422, "style", f"style must be one of {', '.join(STYLE_NAMES)}.")
        if not isinstance(matte, bool):
            raise AnswerError(422, "matte", "matte must be true or false.")
        return self._outputs.start(style, matte)

    def task(self, request: Request) -> dict[str, Any]:
        task = self._review.tasks.get(request.path_params["task"])
        if task is None:
            raise AnswerError(404, "task", "There is no such task.")
        return task.describe()

    def cancel(self, request: Request) -> dict[str, Any]:
        self.task(request)
        task = self._review.tasks.get(request.path_params["task"])
        if task is not None:
            task.cancel()
        return {}

    def download(self, _: Request, *, name: str) -> Response:
        path = self._outputs.file(name)
        if path.is_dir():
            raise AnswerError(422, name, f"The frames lie in the folder {path} of this machine.")
        return FileResponse(path, filename=path.name)

    def corrections(self, _: Request) -> Response:
        name = f"{Path(self._review.analysis.source.name).stem}.corrections.json"
        return Response(
            self._review.corrections_json(),
            media_type="application/json",
            headers={"Content-Disposition": f'attachment; filename="{_ascii(name)}"'},
        )

    async def events(self, _: Request) -> Response:
        return StreamingResponse(self._review.events.stream(), media_type="text/event-stream")

    def _frame_of(self, request: Request) -> int:
        frame = int(request.path_params["frame"])
        if frame > self._last:
            raise AnswerError(404, "frame", f"The video has no frame {frame}.")
        return frame


def _getting(answer: _Answer) -> Callable[[Request], Awaitable[Response]]:
    """A route that answers in JSON, worked out in a thread."""

    async def route(request: Request) -> Response:
        return await run_in_threadpool(lambda: _as_response(answer(request)))

    return route


def _posting(
    answer: Callable[[dict[str, Any]], Any],
) -> Callable[[Request], Awaitable[Response]]:
    """A route that takes a JSON object and answers in JSON."""

    async def route(request: Request) -> Response:
        body = await body_of(request)
        return await run_in_threadpool(lambda: _as_response(answer(body)))

    return route


def _as_response(content: object) -> Response:
    return content if isinstance(content, Response) else json_answer(content)


def _jpeg(content: bytes) -> Response:
    return Response(content, media_type="image/jpeg")


def _page_of(request: Request) -> tuple[int, int]:
    return number_of(request, "offset", 0, 0), number_of(request, "limit", 200, 1, MOST_ROWS)


def _box_of(request: Request) -> Floats:
    text = request.query_params.get("box", "")
    try:
        box = np.array([float(part) for part in text.split(",")], np.float32)
    except ValueError:
        box = np.zeros(0, np.float32)
    if box.shape != (4,) or not np.isfinite(box).all() or not (box[:2] < box[2:]).all():
        raise AnswerError(422, "query", "box must be x1,y1,x2,y2 with x1 < x2 and y1 < y2.")
    if np.abs(box).max() > 1e5:
        raise AnswerError(422, "query", "The box lies outside of every picture.")
    return box


def _revision(body: dict[str, Any]) -> int:
    revision = body.get("revision")
    if type(revision) is not int:
        raise AnswerError(422, "revision", "revision must be the number of the state shown.")
    return revision


def _ascii(name: str) -> str:
    return "".join(c if c.isascii() and c.isprintable() and c not in '"\\' else "_" for c in name)
