"""The review server of one process: from the first look to a clean end on Ctrl-C."""

from __future__ import annotations

import asyncio
import secrets
import socket
import threading
import webbrowser
from collections.abc import Callable
from types import FrameType

import uvicorn

from faceveil.errors import UsageError
from faceveil.review.app import review_app
from faceveil.review.output import Outputs
from faceveil.review.session import Review

LOOPBACK = "127.0.0.1"
_LEAVE_SECONDS = 5


def serve(
    review: Review,
    outputs: Outputs,
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
        listener = _listen(host, port)
    except UsageError:
        review.close()
        raise
    port = listener.getsockname()[1]
    token = secrets.token_urlsafe(32)
    shown = f"[{host}]" if ":" in host else host
    hosts = {f"{shown}:{port}"}
    if host in (LOOPBACK, "::1", "localhost"):
        hosts |= {f"{name}:{port}" for name in (LOOPBACK, "localhost", "[::1]")}
    address = f"http://{shown}:{port}/?token={token}"
    app = review_app(review, outputs, token=token, hosts=hosts)
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=_LEAVE_SECONDS,
        lifespan="on",
    )
    server = _Server(config, review)
    say(f"Review at {address}")
    say("It ends with Ctrl-C; every change is saved as it is made.")
    if browser:
        threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()
    try:
        asyncio.run(server.serve(sockets=[listener]))
    except KeyboardInterrupt:
        pass  # uvicorn has ended in order, and passes the signal on
    finally:
        listener.close()
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


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen()
    except (OSError, OverflowError) as error:
        listener.close()
        raise UsageError(
            f"{host}:{port}: cannot be listened on ({error}); choose another --port"
        ) from error
    return listener
