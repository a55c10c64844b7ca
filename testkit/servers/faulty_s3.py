"""An HTTP proxy in front of the tests' S3 that counts requests and makes some of them fail."""

from __future__ import annotations

import http.client
import re
import socket
import threading
from collections import Counter
from collections.abc import Callable, Collection, Iterable
from http.server import BaseHTTPRequestHandler
from typing import NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

from testkit.servers.local_server import LocalServer

SLOW_DOWN = "slow_down"
"""503 SlowDown, nothing is done."""
DROP = "drop"
"""The connection is closed, nothing is done."""
DROP_ANSWER = "drop_answer"
"""The request is carried out, then the connection is closed without an answer."""
TRUNCATE = "truncate"
"""Half of the answer's body, then the connection is closed."""


class Request(NamedTuple):
    """What a client asks for: operation is GET, HEAD, PUT, COPY, LIST, DELETE or another method.

    `index` is how many requests of that operation and key (LIST: prefix) came before, repeated
    ones included.
    """

    operation: str
    key: str
    index: int  # type: ignore[assignment]  # takes the place of a tuple's method


Fault = str | tuple[int, str] | None
Rule = Callable[[Request], Fault]


class FaultyS3(LocalServer):
    """A proxy at `url`, a context manager. Signatures stay valid: nothing is changed on the way.

    Parameters
    ----------
    upstream
        The address of the real S3.
    rule
        Called with each request. Returns a fault of this module, a tuple (status, code) to be
        answered as an error of S3, or None to let the request pass.

    Attributes
    ----------
    requests
        How many requests were made, by operation.
    headers
        Those of the last request of each operation.
    replaced
        Headers of answers by name in lower case, in place of what the real S3 says.
    connections
        How many clients' connections there were.
    """

    def __init__(self, upstream: str, rule: Rule = lambda request: None) -> None:
        self.rule = rule
        self.requests: Counter[str] = Counter()
        self.headers: dict[str, dict[str, str]] = {}
        self.replaced: dict[str, str] = {}
        self.connections = 0
        self._seen: Counter[tuple[str, str]] = Counter()
        self._lock = threading.Lock()
        self._upstream = urlsplit(upstream).netloc
        super().__init__(_handler(self))

    def judge(self, handler: BaseHTTPRequestHandler) -> Fault:
        """Count a request. Returns the fault that it meets, if any."""
        address = urlsplit(handler.path)
        key = unquote(address.path).lstrip("/").partition("/")[2]
        query = parse_qs(address.query)
        operation = handler.command
        if operation == "PUT" and handler.headers.get("x-amz-copy-source"):
            operation = "COPY"
        elif operation == "GET" and "list-type" in query:
            operation, key = "LIST", query.get("prefix", [""])[0]
        with self._lock:
            index = self._seen[operation, key]
            self._seen[operation, key] += 1
            self.requests[operation] += 1
            self.headers[operation] = dict(handler.headers)
        return self.rule(Request(operation, key, index))

    def forward(
        self, connection: http.client.HTTPConnection, handler: BaseHTTPRequestHandler, body: bytes
    ) -> tuple[http.client.HTTPResponse, bytes]:
        """Pass a request on. Returns the answer and its body."""
        headers = {k: v for k, v in handler.headers.items() if k.lower() != "expect"}
        connection.request(handler.command, handler.path, body, headers)
        answer = connection.getresponse()
        return answer, answer.read()

    def connect(self) -> http.client.HTTPConnection:
        """A connection to the real S3."""
        connection = http.client.HTTPConnection(self._upstream, timeout=60)
        connection.connect()
        assert connection.sock
        connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection


def fail_first(
    fault: Fault,
    times: int = 1,
    operations: Collection[str] = ("GET", "PUT", "COPY", "LIST"),
    key: str = "",
) -> Rule:
    """A rule: the first `times` requests of each operation and matching key fail."""

    def rule(request: Request) -> Fault:
        matches = request.operation in operations and re.search(key, request.key)
        return fault if matches and request.index < times else None

    return rule


def _handler(proxy: FaultyS3) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1
        disable_nagle_algorithm = True
        upstream: http.client.HTTPConnection | None = None

        def setup(self) -> None:
            super().setup()
            proxy.connections += 1

        def handle_expect_100(self) -> bool:
            answered = super().handle_expect_100()
            self.wfile.flush()
            return answered

        def serve(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            fault = proxy.judge(self)
            if fault == DROP:
                self.close_connection = True
                return
            if fault == SLOW_DOWN:
                fault = (503, "SlowDown")
            if isinstance(fault, tuple):
                status, code = fault
                text = f"<?xml version='1.0'?><Error><Code>{code}</Code></Error>".encode()
                self.answer(status, [], b"" if self.command == "HEAD" else text)
                return
            self.upstream = self.upstream or proxy.connect()
            answer, content = proxy.forward(self.upstream, self, body)
            if fault == DROP_ANSWER:
                self.close_connection = True
                return
            left_out = {*_OWN_HEADERS, *proxy.replaced}
            kept = [(k, v) for k, v in answer.getheaders() if k.lower() not in left_out]
            kept += proxy.replaced.items()
            length = int(answer.headers.get("Content-Length") or 0)
            self.answer(answer.status, kept, content, length, fault == TRUNCATE)

        def answer(
            self,
            status: int,
            headers: Iterable[tuple[str, str]],
            content: bytes,
            length: int = 0,
            truncate: bool = False,
        ) -> None:
            self.send_response_only(status)
            for name, value in headers:
                self.send_header(name, value)
            # The answer to HEAD states a length and has no body.
            self.send_header("Content-Length", str(len(content) or length))
            self.end_headers()
            self.wfile.write(content[: len(content) // 2] if truncate else content)
            self.wfile.flush()
            self.close_connection = self.close_connection or truncate

        def finish(self) -> None:
            if self.upstream is not None:
                self.upstream.close()
            super().finish()

        def log_message(self, *_: object) -> None:
            pass

        do_GET = do_PUT = do_HEAD = do_POST = do_DELETE = serve  # noqa: N815, the base class's names

    return Handler


_OWN_HEADERS = {"content-length", "transfer-encoding", "connection"}
