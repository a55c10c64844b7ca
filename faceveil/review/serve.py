"""The review server of one process: from the first look to a clean end on Ctrl-C."""

from __future__ import annotations

import asyncio
import threading
import webbrowser
from collections.abc import Callable
from types import FrameType

import uvicorn

from faceveil.errors import UsageError
from faceveil.review.app import review_app
from faceveil.review.listening import LOOPBACK, listen
from faceveil.review.output import ReviewOutputs
from faceveil.review.session import Review

_LEAVE_SECONDS = 5


def serve(
    review: Review,
    outputs: ReviewOutputs,
    *,
    host: str = LOOPBACK,
    port: int = 0,
    browser: bool = True,
    say: Callable[[str], None] = print,
) -> None:
    """Serve a review until Ctrl-C or SIGTERM; then everything is saved and closed.

    Parameters
    ----------
    review, outputs
        What is served; the review is closed at the end.
    host
        The address that is listened on: this machine only, unless another is named.
    port
        The port; 0 takes a free one.
    browser
        Whether to open the page in the browser.
    say
        Is given lines for the user.

    Raises
    ------
    UsageError
        Where the address cannot be listened on.
    """
    try:
        place = listen(host, port)
    except UsageError:
        review.close()
        raise
    app = review_app(review, outputs, token=place.token, hosts=place.hosts)
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=_LEAVE_SECONDS,
        lifespan="on",
    )
    server = _Server(config, review)
    say(f"Review at {place.address}")
    say("It ends with Ctrl-C; every change is saved as it is made.")
    if browser:
        threading.Thread(target=webbrowser.open, args=(place.address,), daemon=True).start()
    try:
        asyncio.run(server.serve(sockets=[place.listener]))
    except KeyboardInterrupt:
        pass  # uvicorn has ended in order, and passes the signal on
    finally:
        place.listener.close()
        review.close()
    say(f"Saved in {review.place}")


class _Server(uvicorn.Server):
    """Tells all pages that it ends, so that their event streams do not hold it up."""

    def __init__(self, config: uvicorn.Config, review: Review) -> None:
        super().__init__(config)
        self._review = review

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._review.events.close()
        super().handle_exit(sig, frame)
