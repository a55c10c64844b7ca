"""A Lambda function as awslambdaric runs it, against a small Runtime API.

Real: the runtime interface client, the handler, its process, the limits of 6 MB on payloads and of
time (the process is killed at its deadline, and started again by the next event). Simulated: the
API itself, reduced to what awslambdaric uses; the memory limit is reported and not enforced.
"""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
import time
import uuid
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

from testkit import PROJECT

MAX_PAYLOAD = 6 * 1024 * 1024
ARN = "arn:aws:lambda:eu-west-1:123456789012:function:faceveil-postprocess"


@dataclass
class Answer:
    """What the function answers: `payload` describes the error where `error` names one."""

    payload: dict[str, Any]
    error: str | None = None


class _Server(ThreadingHTTPServer):
    def handle_error(self, *_: object) -> None:
        """Connections of killed processes end without an answer."""


class LambdaFunction:
    """A function, one event at a time as in AWS; a context manager.

    Parameters
    ----------
    handler
        The handler's dotted name.
    environment
        The function's variables.
    folder
        Where its log is written.
    timeout
        Seconds, the function's limit.
    memory_mb
        The memory limit that the function is told.
    """

    def __init__(
        self,
        handler: str,
        environment: dict[str, str],
        folder: Path,
        timeout: float = 60.0,
        memory_mb: int = 3008,
    ) -> None:
        self.handler = handler
        self.environment = environment
        self._timeout = timeout
        self._memory_mb = memory_mb
        self._events: queue.Queue[tuple[str, bytes]] = queue.Queue()
        self._answers: queue.Queue[Answer] = queue.Queue()
        self._server = _Server(("127.0.0.1", 0), _api(self))
        self._server.daemon_threads = True
        self._server.block_on_close = False
        self._process: subprocess.Popen[bytes] | None = None
        self._log = folder / f"lambda-{uuid.uuid4().hex[:8]}.log"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()
        self._server.shutdown()
        self._server.server_close()

    @property
    def log(self) -> str:
        """What the function has printed."""
        return self._log.read_text(errors="replace")

    def invoke(self, event: object, request_id: str | None = None) -> Answer:
        """Send an event and wait for the answer, as long as the function's limit allows."""
        body = json.dumps(event).encode()
        if len(body) > MAX_PAYLOAD:
            return Answer({"message": "too large"}, "RequestEntityTooLargeException")
        process = self._process
        if process is None or process.poll() is not None:
            process = self._start()
        self._events.put((request_id or str(uuid.uuid4()), body))
        deadline = time.monotonic() + self._timeout
        while time.monotonic() < deadline:
            try:
                return self._answers.get(timeout=0.1)
            except queue.Empty:
                if process.poll() is not None:
                    return Answer({"code": process.returncode}, "Runtime.ExitError")
        self._stop()
        return Answer(
            {"errorMessage": f"Task timed out after {self._timeout} s"}, "Sandbox.Timedout"
        )

    def command(self, variables: dict[str, str]) -> list[str]:
        """The command that runs the function; Lambda itself sets `variables`."""
        return [sys.executable, "-m", "awslambdaric", self.handler]

    def _start(self) -> subprocess.Popen[bytes]:
        port = self._server.server_port
        variables = {
            "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{port}",
            "AWS_LAMBDA_FUNCTION_NAME": "faceveil-postprocess",
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(self._memory_mb),
            "LAMBDA_TASK_ROOT": str(PROJECT),
        }
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self.command(variables),
                cwd=PROJECT,
                env={**os.environ, **variables, **self.environment},
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        return self._process

    def _stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        while not self._events.empty():
            self._events.get_nowait()

    def next_event(self) -> tuple[bytes, dict[str, str]]:
        """Wait for an event. Returns its body and its headers."""
        request_id, body = self._events.get()
        headers = {
            "Lambda-Runtime-Aws-Request-Id": request_id,
            "Lambda-Runtime-Deadline-Ms": str(int((time.time() + self._timeout) * 1000)),
            "Lambda-Runtime-Invoked-Function-Arn": ARN,
            "Lambda-Runtime-Trace-Id": "Root=1-0-0",
            "Content-Type": "application/json",
        }
        return body, headers

    def take_answer(self, body: bytes, error: str | None) -> None:
        """Keep an answer of the runtime for `invoke`."""
        if len(body) > MAX_PAYLOAD:
            self._answers.put(Answer({}, "Function.ResponseSizeTooLarge"))
        else:
            self._answers.put(Answer(json.loads(body or b"null"), error))


def _api(function: LambdaFunction) -> type[BaseHTTPRequestHandler]:
    class Api(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = 1 << 16
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            body, headers = function.next_event()
            self._send(200, body, headers)

        def do_POST(self) -> None:
            body = self._body()
            if self.path.endswith(("/response", "/error")):
                kind = self.headers.get("Lambda-Runtime-Function-Error-Type", "Unhandled")
                function.take_answer(body, kind if self.path.endswith("/error") else None)
            self._send(202, b'{"status":"OK"}', {})

        def _body(self) -> bytes:
            if self.headers.get("Content-Length"):
                return self.rfile.read(int(self.headers["Content-Length"]))
            parts: list[bytes] = []
            while size := int(self.rfile.readline().strip() or b"0", 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(parts)

        def _send(self, code: int, body: bytes, headers: dict[str, str]) -> None:
            try:
                self.send_response(code)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)
                self.wfile.flush()
            except OSError:
                pass

        def log_message(self, *_: object) -> None:
            pass

    return Api
