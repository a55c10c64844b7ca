"""A real server process for tests: started, asked over HTTP, and stopped by its own process id."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from handler.busy import is_running
from testkit import PROJECT

HOST = "127.0.0.1"
READY_SECONDS = 60.0
IDLE_NOTE = bytes(8)


@dataclass(frozen=True)
class Answer:
    status: int
    body: bytes
    headers: Mapping[str, str]


def ask(
    port: int, method: str, path: str, body: bytes | None = None, content_type: str | None = None
) -> Answer:
    """One request on a connection of its own."""
    connection = http.client.HTTPConnection(HOST, port, timeout=60)
    headers = {"Content-Type": content_type} if content_type else {}
    try:
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        return Answer(answer.status, answer.read(), dict(answer.headers))
    finally:
        connection.close()


@dataclass
class RunningServer:
    """A server started by `start_server`. `folder` is where it keeps its own folder and its log."""

    process: subprocess.Popen[bytes]
    port: int
    folder: Path

    def get(self, path: str) -> Answer:
        return self.ask("GET", path)

    def post(self, body: bytes, content_type: str | None = "image/jpeg") -> Answer:
        return ask(self.port, "POST", "/invocations", body, content_type)

    def ask(self, method: str, path: str) -> Answer:
        return ask(self.port, method, path)

    def ping(self) -> int | None:
        """The status of /ping, or None where nothing listens."""
        with contextlib.suppress(OSError, http.client.HTTPException):
            return self.get("/ping").status
        return None

    def wait_until_ready(self, workers: int = 1) -> None:
        def look() -> bool:
            idle = [note for note in self._notes() if note.read_bytes() == IDLE_NOTE]
            if self.ping() != 200 or len(idle) < workers:
                return False
            # the plugin's ping says how many the server itself knows to be ready
            return bool(json.loads(self.get("/ping").body).get("ready", workers) >= workers)

        wait_for(look, f"{workers} ready workers", self)

    def workers(self) -> list[int]:
        """Process ids of the workers that run now."""
        return [int(note.name) for note in self._notes()]

    def _notes(self) -> list[Path]:
        notes = self.folder.glob("faceveil-serve-*/busy/*")
        return [note for note in notes if is_running(int(note.name))]

    def busy_worker(self) -> int:
        """The worker that is at a request now; waits until there is one."""
        found: list[int] = []

        def look() -> bool:
            found.extend(int(note.name) for note in self._notes() if any(note.read_bytes()))
            return bool(found)

        wait_for(look, "a busy worker", self, pause=0.002)
        return found[0]

    def jvm(self) -> int:
        """The JVM's process id: it leads the group of the workers."""
        return os.getpgid(self.workers()[0])

    def log(self) -> str:
        return (self.folder / "log").read_text()

    def terminate(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=60)


def wait_for(
    condition: Callable[[], bool], what: str, server: RunningServer, pause: float = 0.1
) -> None:
    end = time.monotonic() + READY_SECONDS
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"no {what} within {READY_SECONDS:.0f} s:\n{server.log()}")
        time.sleep(pause)


@contextlib.contextmanager
def start_server(
    command: tuple[str, ...] = ("-m", "handler.entrypoint", "serve"), **variables: str
) -> Iterator[RunningServer]:
    """A server on a free loopback port, with these environment variables; not yet ready."""
    # a short path: the server's sockets lie in it, and their paths are limited
    folder = Path(tempfile.mkdtemp(prefix="fv-"))
    port = free_port()
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("SAGEMAKER_", "FACEVEIL_")) or name == "FACEVEIL_WEIGHTS"
    }
    environment |= {
        "SAGEMAKER_BIND_TO_PORT": str(port),
        "FACEVEIL_BIND_ADDRESS": HOST,
        "TMPDIR": str(folder),
        **variables,
    }
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, *command],
            cwd=PROJECT,
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        yield RunningServer(process, port, folder)
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait(timeout=60)
        shutil.rmtree(folder, ignore_errors=True)


def free_port() -> int:
    """A free port among those multi-model-server accepts; at random, as tests run side by side."""
    for _ in range(100):
        port = random.randrange(18_000, 32_000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind((HOST, port))
            return port
    raise AssertionError("no free port")
