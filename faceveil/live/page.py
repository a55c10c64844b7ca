"""The page of a live run: the veiled picture, who is seen in it, and a click that keeps or veils.

Nothing unveiled leaves the run by it: the picture is the one that the sink is given, and of a face
only its place and the number of its person are told.
"""

from __future__ import annotations

import asyncio
import threading
import time
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from faceveil.errors import InputError
from faceveil.live.broadcast import Broadcast
from faceveil.live.choices import Choice, Choices
from faceveil.live.page_sink import MIME_TYPE, PageSink
from faceveil.live.scene import Scene
from faceveil.review.answers import AnswerError, body_of, error_answer, json_answer
from faceveil.review.events import Events
from faceveil.review.listening import LOOPBACK, listen
from faceveil.review.security import POLICY, Guard

STATIC = Path(__file__).parent / "static"
NO_PAGE = """\
The page of live runs is not built. In a checkout, run

    make page

and open this address again; the wheels of faceveil bring the page along.
"""
_CHOICES: dict[object, Choice | None] = {"keep": "keep", "veil": "veil", None: None}
_LEAVE_SECONDS = 2


class Page:
    """Serves the page in a thread of its own, until it is closed.

    Parameters
    ----------
    name
        The name of the source, shown as the title.
    choices
        Takes the clicks.
    host
        The address that is listened on: this machine only, unless another is named.
    port
        The port; 0 takes a free one.

    Attributes
    ----------
    address
        What to open in a browser; it holds the token.
    sink
        Takes the veiled pictures.

    Raises
    ------
    UsageError
        Where the address cannot be listened on.
    """

    def __init__(self, name: str, choices: Choices, *, host: str = LOOPBACK, port: int = 0) -> None:
        place = listen(host, port)
        self.address = place.address
        self._broadcast = Broadcast()
        self.sink = PageSink(self._broadcast)
        self._events = Events()
        self._name = name
        self._choices = choices
        self._values: dict[str, float] = {}
        guard = Middleware(
            Guard,
            token=place.token,
            hosts=place.hosts,
            policy=f"{POLICY}; media-src blob:",
        )
        routes = [Mount("/api/v1", routes=self._routes()), _page()]
        app = Starlette(
            routes=routes, middleware=[guard], exception_handlers={AnswerError: _answer_error}
        )
        self._server = uvicorn.Server(
            uvicorn.Config(
                app,
                log_level="warning",
                access_log=False,
                server_header=False,
                timeout_graceful_shutdown=_LEAVE_SECONDS,
                lifespan="off",
            )
        )
        self._listener = place.listener
        self._thread = threading.Thread(target=self._serve, name="faceveil-page", daemon=True)
        self._thread.start()

    def tell(self, values: dict[str, float]) -> None:
        """Show the values of the metrics."""
        self._values = values
        self._events.emit("state", self._state())

    def show(self, scene: Scene, seconds: float, width: int, height: int) -> None:
        """Show the faces of a frame of that size that has just left, shown at these seconds."""
        if self.sink.start is None:
            return
        self._events.emit(
            "faces",
            {
                "seconds": seconds - self.sink.start,
                "width": width,
                "height": height,
                "faces": [
                    {"person": person, "veiled": veiled, "reason": reason, "box": box}
                    for person, veiled, reason, box in zip(
                        scene.people,
                        scene.veiled,
                        scene.reasons,
                        scene.boxes.tolist(),
                        strict=True,
                    )
                ],
            },
        )

    def close(self) -> None:
        """Tell the pages that the run has ended, and stop serving."""
        self._events.close()
        self._broadcast.close()
        self._server.should_exit = True
        self._thread.join(2 * _LEAVE_SECONDS)
        self._listener.close()

    def _serve(self) -> None:
        asyncio.run(self._server.serve(sockets=[self._listener]))

    def _routes(self) -> list[BaseRoute]:
        return [
            Route("/state", self._answer_state),
            Route("/events", self._answer_events),
            Route("/stream", self._answer_stream),
            Route("/people/{person:int}", self._answer_person, methods=["PUT"]),
        ]

    def _state(self) -> dict[str, Any]:
        start = self.sink.start
        chosen = self._choices.chosen()
        return {
            "name": self._name,
            "mime_type": MIME_TYPE,
            "now": None if start is None else time.monotonic() - start,
            "metrics": self._values,
            "kept": sorted(chosen.kept),
            "veiled": sorted(chosen.veiled),
        }

    async def _answer_state(self, _: Request) -> Response:
        return json_answer(self._state())

    async def _answer_events(self, _: Request) -> Response:
        return StreamingResponse(self._events.stream(), media_type="text/event-stream")

    async def _answer_stream(self, _: Request) -> Response:
        return StreamingResponse(self._broadcast.stream(), media_type="video/mp4")

    async def _answer_person(self, request: Request) -> Response:
        choice = (await body_of(request)).get("choice", "")
        if isinstance(choice, list | dict) or choice not in _CHOICES:
            raise AnswerError(422, "choice", 'The choice must be "keep", "veil" or null.')
        try:
            self._choices.choose(request.path_params["person"], _CHOICES[choice])
        except InputError as error:
            raise AnswerError(404, "person", str(error)) from error
        self._events.emit("state", self._state())
        return json_answer(self._state())


def _page() -> BaseRoute:
    if not (STATIC / "index.html").is_file():
        return Route("/{path:path}", lambda _: PlainTextResponse(NO_PAGE, 503))
    return Mount("/", StaticFiles(directory=STATIC, html=True))


async def _answer_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, AnswerError)
    return error_answer(error.status, error.code, error.message, **error.more)
