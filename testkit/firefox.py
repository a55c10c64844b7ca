"""A real Firefox, driven by WebDriver BiDi, which it speaks itself.

Playwright drives only a Firefox of its own build; geckodriver is in no package registry.
"""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from websocket import WebSocket, create_connection

_LISTENING = re.compile(r"ws://127\.0\.0\.1:\d+")
_PATIENCE = 60.0
_DEEP = """
const deep = (selector, root = document) => root.querySelector(selector) ??
  [...root.querySelectorAll("*")].flatMap((item) => item.shadowRoot ? [item.shadowRoot] : [])
    .map((inside) => deep(selector, inside)).find(Boolean) ?? null;
"""
"""Finds an element also inside of web components."""


class FirefoxPage:
    """The page of a Firefox: evaluates scripts in it, and presses keys and the mouse."""

    def __init__(self, connection: WebSocket) -> None:
        self._connection = connection
        self._number = 0
        self._send("session.new", capabilities={})
        (tree,) = self._send("browsingContext.getTree")["contexts"]
        self._context = tree["context"]

    def goto(self, url: str, width: int = 1366, height: int = 768) -> None:
        """Open an address, and wait until it is loaded."""
        size = {"width": width, "height": height}
        self._send("browsingContext.setViewport", context=self._context, viewport=size)
        self._send("browsingContext.navigate", context=self._context, url=url, wait="complete")

    def evaluate(self, expression: str) -> Any:
        """Return what an expression of JavaScript becomes; `deep(selector)` finds elements."""
        answer = self._send(
            "script.evaluate",
            expression=f"(async () => {{{_DEEP} return JSON.stringify(await ({expression})); }})()",
            target={"context": self._context},
            awaitPromise=True,
        )
        if answer["type"] == "exception":
            raise RuntimeError(answer["exceptionDetails"]["text"])
        text = answer["result"].get("value")
        return None if text is None else json.loads(text)

    def wait_for(self, expression: str) -> Any:
        """Wait until an expression is true; returns its value."""
        until = time.monotonic() + _PATIENCE
        while not (found := self.evaluate(expression)):
            if time.monotonic() > until:
                raise RuntimeError(f"it did not happen in Firefox: {expression}")
            time.sleep(0.1)
        return found

    def press(self, *keys: str) -> None:
        """Press keys together, in this order, and let them go."""
        down = [{"type": "keyDown", "value": key} for key in keys]
        up = [{"type": "keyUp", "value": key} for key in reversed(keys)]
        self._act({"type": "key", "id": "keyboard", "actions": [*down, *up]})

    def drag(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        """Press the mouse at one point of the window, and let it go at another."""
        (x1, y1), (x2, y2) = ((round(x), round(y)) for x, y in (start, end))
        actions = [
            {"type": "pointerMove", "x": x1, "y": y1},
            {"type": "pointerDown", "button": 0},
            {"type": "pointerMove", "x": (x1 + x2) // 2, "y": (y1 + y2) // 2, "duration": 50},
            {"type": "pointerMove", "x": x2, "y": y2, "duration": 50},
            {"type": "pointerUp", "button": 0},
        ]
        self._act({"type": "pointer", "id": "mouse", "actions": actions})

    def _act(self, source: dict[str, Any]) -> None:
        self._send("input.performActions", context=self._context, actions=[source])

    def _send(self, method: str, **parameters: Any) -> dict[str, Any]:
        self._number += 1
        command = {"id": self._number, "method": method, "params": parameters}
        self._connection.send(json.dumps(command))
        while (answer := json.loads(self._connection.recv())).get("id") != self._number:
            pass  # an event
        if answer["type"] == "error":
            raise RuntimeError(f"{method}: {answer['error']}: {answer['message']}")
        result: dict[str, Any] = answer["result"]
        return result


@contextmanager
def firefox(executable: Path, profile: Path) -> Iterator[FirefoxPage]:
    """A headless Firefox with an empty profile, until the end of the block."""
    words = [str(executable), "--headless", "--no-remote", "--profile", str(profile)]
    words += ["--remote-debugging-port", "0"]
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        try:
            address = next(filter(None, map(_LISTENING.search, process.stderr)), None)
            if address is None:
                raise RuntimeError("Firefox did not say where it listens")
            connection = create_connection(
                f"{address.group()}/session", timeout=_PATIENCE, suppress_origin=True
            )
            yield FirefoxPage(connection)
            connection.close()
        finally:
            process.terminate()
            process.wait(30)
