"""A Lambda function as awslambdaric runs it, against a small Runtime API.

Real: the runtime interface client, the handler, its process, the limits of 6 MB on payloads and of
time (the process is killed at its deadline, and started anew by the next event). Simulated: the
API itself, of which only what awslambdaric uses is there; the memory limit is only told.
"""

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

from testkit import PROJECT

MAX_PAYLOAD = 6 * 1024 * 1024
ARN = "arn:aws:lambda:eu-west-1:123456789012:function:faceveil-postprocess"


@dataclass
class Answer:
    """payload: the handler's answer, or what is known of its error, which `error` names."""

    payload: dict
    error: str | None = None


class LambdaFunction:
    """A function, one event at a time as in AWS; a context manager. `log`: what it has printed."""

    def __init__(self, handler, environment, folder, timeout=60.0, memory_mb=3008):
        self._handler = handler
        self._environment = environment
        self._folder = folder
        self._timeout = timeout
        self._memory_mb = memory_mb
        self._events = queue.Queue()
        self._answers = queue.Queue()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _api(self))
        self._server.daemon_threads = True
        self._server.block_on_close = False
        self._server.handle_error = lambda *_: None  # a killed process says nothing more
        self._process = None
        self._log = folder / f"lambda-{uuid.uuid4().hex[:8]}.log"

    def __enter__(self):
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_):
        self._stop()
        self._server.shutdown()
        self._server.server_close()

    @property
    def log(self):
        return self._log.read_text(errors="replace")

    def invoke(self, event, request_id=None) -> Answer:
        body = json.dumps(event).encode()
        if len(body) > MAX_PAYLOAD:
            return Answer({"message": "too large"}, "RequestEntityTooLargeException")
        if self._process is None or self._process.poll() is not None:
            self._start()
        self._events.put((request_id or str(uuid.uuid4()), body))
        deadline = time.monotonic() + self._timeout
        while time.monotonic() < deadline:
            try:
                return self._answers.get(timeout=0.1)
            except queue.Empty:
                if self._process.poll() is not None:
                    return Answer({"code": self._process.returncode}, "Runtime.ExitError")
        self._stop()
        return Answer(
            {"errorMessage": f"Task timed out after {self._timeout} s"}, "Sandbox.Timedout"
        )

    def command(self, told):
        """What runs the function; `told`: what Lambda puts into its environment."""
        return [sys.executable, "-m", "awslambdaric", self._handler]

    def _start(self):
        port = self._server.server_port
        told = {
            "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{port}",
            "AWS_LAMBDA_FUNCTION_NAME": "faceveil-postprocess",
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(self._memory_mb),
            "LAMBDA_TASK_ROOT": str(PROJECT),
        }
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self.command(told),
                cwd=PROJECT,
                env={**os.environ, **told, **self._environment},
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def _stop(self):
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        while not self._events.empty():
            self._events.get_nowait()

    def _next(self):
        request_id, body = self._events.get()
        headers = {
            "Lambda-Runtime-Aws-Request-Id": request_id,
            "Lambda-Runtime-Deadline-Ms": str(int((time.time() + self._timeout) * 1000)),
            "Lambda-Runtime-Invoked-Function-Arn": ARN,
            "Lambda-Runtime-Trace-Id": "Root=1-0-0",
            "Content-Type": "application/json",
        }
        return body, headers

    def _answered(self, body, error):
        if len(body) > MAX_PAYLOAD:
            self._answers.put(Answer({}, "Function.ResponseSizeTooLarge"))
        else:
            self._answers.put(Answer(json.loads(body or b"null"), error))


def _api(function):
    class Api(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = 1 << 16
        disable_nagle_algorithm = True

        def do_GET(self):
            body, headers = function._next()
            self._send(200, body, headers)

        def do_POST(self):
            body = self._body()
            if self.path.endswith(("/response", "/error")):
                kind = self.headers.get("Lambda-Runtime-Function-Error-Type", "Unhandled")
                function._answered(body, kind if self.path.endswith("/error") else None)
            self._send(202, b'{"status":"OK"}', {})

        def _body(self):
            if self.headers.get("Content-Length"):
                return self.rfile.read(int(self.headers["Content-Length"]))
            parts = []
            while size := int(self.rfile.readline().strip() or b"0", 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(parts)

        def _send(self, code, body, headers):
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

        def log_message(self, *_):
            pass

    return Api
