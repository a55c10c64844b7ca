"""A small real HTTP server that follows SageMaker's contract and misbehaves on command.

It stands in for the model server where a test is about the runner: its answers are invented, its
HTTP/1.1 (kept connections, threads) is real. The first word of an object's bytes says what happens
to it:

    ok …          200, the bytes' length and what was asked for, as JSON
    once N …      N on the first request for these bytes, then as ok
    status N …    N, always
    close-once …  the connection ends without an answer the first time
    close …       … always
    leave …       … always, and the server stops listening
    slow S …      200 after S seconds
    trickle …     an endless answer, a byte at a time
    die …         the whole process ends with exit code 7 (as a process only)
    environment   200 and the SAGEMAKER_ variables it was started with, as JSON
    files F …     200 and for each path whether it can be read, and written in, as JSON
    memory N      200 after N MB were used

Run as a process it takes `serve` and SAGEMAKER_BIND_TO_PORT, as the real one does.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

PARAMETERS = {"MaxConcurrentTransforms": 4, "BatchStrategy": "SINGLE_RECORD", "MaxPayloadInMB": 6}


class StubServer(ThreadingHTTPServer):
    """Serves in a thread, and counts requests and connections."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(
        self,
        port: int = 0,
        parameters: dict[str, Any] | None = PARAMETERS,
        unhealthy_pings: int = 0,
    ) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.parameters, self.unhealthy_pings = parameters, unhealthy_pings
        self.lock = threading.Lock()
        self.bodies: Counter[bytes] = Counter()
        self.open_requests = self.most_open_requests = self.connections = self.pings = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()

    def process_request(self, request: Any, client_address: Any) -> None:
        self.connections += 1
        super().process_request(request, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Connections that clients give up are part of the tests."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: StubServer

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        if self.path == "/ping":
            self.server.pings += 1
            self.answer(503 if self.server.pings <= self.server.unhealthy_pings else 200)
        elif self.path == "/execution-parameters" and self.server.parameters is not None:
            self.answer(200, self.server.parameters)
        else:
            self.answer(404)

    def do_POST(self) -> None:
        body = self.body()
        with self.server.lock:
            self.server.bodies[body] += 1
            times = self.server.bodies[body]
            self.server.open_requests += 1
            most = max(self.server.most_open_requests, self.server.open_requests)
            self.server.most_open_requests = most
        try:
            self.misbehave(body, times)
        finally:
            with self.server.lock:
                self.server.open_requests -= 1

    def body(self) -> bytes:
        """The body of the request, also of one sent in chunks."""
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers["Content-Length"]))
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def misbehave(self, body: bytes, times: int) -> None:
        """Answer as the body says; `times` counts the requests with this body."""
        command, *words = body[:100].decode("ascii", "replace").split()
        if command == "status" or (command == "once" and times == 1):
            self.answer(int(words[0]), {"why": "told to"})
        elif command in ("close", "leave") or (command == "close-once" and times == 1):
            if command == "leave":
                self.server.socket.close()
            self.close_connection = True
        elif command == "trickle":
            self.trickle()
        elif command == "die":
            os._exit(7)
        else:
            self.answer(200, self.content(body, command, words))

    def content(self, body: bytes, command: str, words: list[str]) -> object:
        """What a successful answer holds."""
        if command == "slow":
            time.sleep(float(words[0]))
        if command == "environment":
            found = {name: text for name, text in os.environ.items() if "SAGEMAKER" in name}
            return {**found, "folder": str(Path.cwd())}
        if command == "files":
            return {name: [Path(name).exists(), os.access(name, os.W_OK)] for name in words}
        if command == "memory":
            return len(b"x" * (int(words[0]) << 20))
        return {
            "size": len(body),
            "text": body[:100].decode("ascii", "replace"),
            "content_type": self.headers.get("Content-Type"),
            "accept": self.headers.get("Accept"),
            "chunked": self.headers.get("Transfer-Encoding") == "chunked",
        }

    def trickle(self) -> None:
        """Answer without end."""
        self.send_response(200)
        self.send_header("Connection", "close")
        self.end_headers()
        while True:
            self.wfile.write(b" ")
            self.wfile.flush()
            time.sleep(0.05)

    def answer(self, status: int, content: object = None) -> None:
        """Send a status, and content as JSON."""
        data = b"" if content is None else json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


if __name__ == "__main__":
    if sys.argv[1:] != ["serve"]:
        sys.exit(f"runs as `serve`, not {sys.argv[1:]}")
    # As the first process of a container it would not end otherwise.
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    print("stub is up", flush=True)
    StubServer(int(os.environ["SAGEMAKER_BIND_TO_PORT"])).serve_forever()
