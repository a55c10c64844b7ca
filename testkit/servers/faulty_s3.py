"""An HTTP proxy in front of the tests' S3 that counts requests and makes some of them fail."""

import http.client
import re
import socket
import threading
from collections import Counter
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

    index counts the requests of that operation and key (LIST: prefix), repeated ones included.
    """

    operation: str
    key: str
    index: int


class FaultyS3(LocalServer):
    """A proxy at `url`, a context manager. Signatures stay valid: nothing is changed on the way.

    rule(request) answers a fault of this module, a tuple (status, code) to be answered as an
    error of S3, or None to let the request pass. `requests` counts what was asked, by operation;
    `headers` are those of the last request of each operation.
    """

    def __init__(self, upstream, rule=lambda request: None):
        self.rule = rule
        self.requests = Counter()
        self.headers = {}
        self._seen = Counter()
        self._lock = threading.Lock()
        self._upstream = urlsplit(upstream).netloc
        super().__init__(_handler(self))

    def judge(self, handler):
        """Count a request and say what happens to it."""
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

    def forward(self, connection, handler, body):
        headers = {k: v for k, v in handler.headers.items() if k.lower() != "expect"}
        connection.request(handler.command, handler.path, body, headers)
        answer = connection.getresponse()
        return answer, answer.read()

    def connect(self):
        connection = http.client.HTTPConnection(self._upstream, timeout=60)
        connection.connect()
        connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection


def fail_first(fault, times=1, operations=("GET", "PUT", "COPY", "LIST"), key=""):
    """A rule: the first `times` requests of each operation and matching key fail."""

    def rule(request):
        matches = request.operation in operations and re.search(key, request.key)
        return fault if matches and request.index < times else None

    return rule


def _handler(proxy):
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1
        disable_nagle_algorithm = True
        upstream = None

        def handle_expect_100(self):
            answered = super().handle_expect_100()
            self.wfile.flush()
            return answered

        def serve(self):
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
            kept = [(k, v) for k, v in answer.getheaders() if k.lower() not in _OWN_HEADERS]
            length = int(answer.headers.get("Content-Length") or 0)
            self.answer(answer.status, kept, content, length, fault == TRUNCATE)

        def answer(self, status, headers, content, length=0, truncate=False):
            self.send_response_only(status)
            for name, value in headers:
                self.send_header(name, value)
            # The answer to HEAD states a length and has no body.
            self.send_header("Content-Length", str(len(content) or length))
            self.end_headers()
            self.wfile.write(content[: len(content) // 2] if truncate else content)
            self.wfile.flush()
            self.close_connection = self.close_connection or truncate

        def finish(self):
            if self.upstream is not None:
                self.upstream.close()
            super().finish()

        def log_message(self, *_):
            pass

        do_GET = do_PUT = do_HEAD = do_POST = do_DELETE = serve  # noqa: N815, the base class's names

    return Handler


_OWN_HEADERS = {"content-length", "transfer-encoding", "connection"}
