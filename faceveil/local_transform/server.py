"""The server of a job: a process or container that is started and surely stopped, or a URL."""

from __future__ import annotations

import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from faceveil.errors import FaceveilError, OutputError, UsageError
from faceveil.local_transform.server_client import listens

DEFAULT_COMMAND = (sys.executable, "-m", "handler.entrypoint", "serve")
ENGINES = ("podman", "docker")
MODEL_FOLDER = "/opt/ml/model"
STOP_SECONDS = 35.0
"""Between SIGTERM and SIGKILL: a little longer than the 30 s that SageMaker gives, so that a
server that drains for so long still ends by itself."""
PORTS = range(20000, 32000)
"""multi-model-server takes none above 32766; below 20000 well-known servers live."""
LOG_TAIL_BYTES = 1500


class Server(Protocol):
    """A server that is starting or running."""

    @property
    def url(self) -> str:
        """`http://host:port`."""
        ...

    def check(self) -> None:
        """Raises FaceveilError, with the reason, when it can answer no more."""
        ...


@dataclass(frozen=True, slots=True)
class RunningServer:
    """A server that runs already; it is not started or stopped here."""

    url: str

    def check(self) -> None:
        """Nothing is known of it but what it answers."""


@dataclass(frozen=True, slots=True)
class StartedServer:
    """A process of ours; of a container, the engine's `run` command."""

    url: str
    process: subprocess.Popen[bytes]
    log: Path

    def check(self) -> None:
        code = self.process.poll()
        if code is not None:
            raise FaceveilError(f"the server ended by itself, {_ending(code)}.{_tail(self.log)}")


def check_reachable(server: Server) -> None:
    """Raises FaceveilError when a server that was healthy is gone, not only busy or failing."""
    server.check()
    if not listens(server.url):
        server.check()
        raise FaceveilError(f"the server at {server.url} does not answer any more")


@contextmanager
def serve_process(
    command: Sequence[str],
    environment: Mapping[str, str],
    model: Path | None = None,
    log: Path | None = None,
    folder: Path | None = None,
) -> Iterator[StartedServer]:
    """Run a server command on a free port of this machine for as long as the block lasts.

    environment is added to this process's own. model: the folder of an unpacked model.tar.gz,
    named `model`: the server finds it through SAGEMAKER_BASE_DIR as it would in /opt/ml.
    log: where to keep what it prints; folder: where to run it.
    Raises UsageError when the command cannot be started.
    """
    port = _free_port()
    variables = {**os.environ, **environment, "SAGEMAKER_BIND_TO_PORT": str(port)}
    if model is not None:
        variables["SAGEMAKER_BASE_DIR"] = str(model.parent)
    with _log_file(log) as path, _started(command, variables, path, folder) as process:
        yield StartedServer(_url(port), process, path)


@contextmanager
def serve_container(
    image: str,
    environment: Mapping[str, str],
    model: Path | None = None,
    log: Path | None = None,
    engine: str | None = None,
    memory: str | None = None,
) -> Iterator[StartedServer]:
    """Run `IMAGE serve` as SageMaker does for as long as the block lasts.

    The root is read-only with a tmpfs at /tmp; the model is mounted read-only at /opt/ml/model;
    memory is the engine's limit (`4g`), swap included. The container learns the port from
    SAGEMAKER_BIND_TO_PORT, so that it is reached with the host's network, too.
    Raises UsageError when there is no engine.
    """
    engine = find_engine(engine)
    port = _free_port()
    name = f"faceveil-transform-{uuid.uuid4().hex[:12]}"
    command = [engine, "run", "--rm", "--name", name, "--read-only", "--tmpfs", "/tmp"]
    command += ["--publish", f"127.0.0.1:{port}:{port}"]
    for variable, value in {**environment, "SAGEMAKER_BIND_TO_PORT": str(port)}.items():
        command += ["--env", f"{variable}={value}"]
    if memory is not None:
        command += ["--memory", memory, "--memory-swap", memory]
    if model is not None:
        command += ["--volume", f"{model}:{MODEL_FOLDER}:ro"]
    command += [image, "serve"]
    with _log_file(log) as path:
        try:
            with _started(command, os.environ, path) as process:
                yield StartedServer(_url(port), process, path)
        finally:
            # The engine's command may have been killed; the container would live on.
            for words in (["kill", name], ["rm", "--force", name]):
                subprocess.run([engine, *words], capture_output=True, check=False)


def find_engine(named: str | None) -> str:
    """The container engine: the one named, else the first there is.

    Raises UsageError when there is none.
    """
    for engine in (named,) if named else ENGINES:
        if shutil.which(engine):
            return engine
    raise UsageError(
        f"no {named or ' or '.join(ENGINES)} on this machine to run the image with: install one, "
        "or give --command or --url"
    )


@contextmanager
def _started(
    command: Sequence[str], variables: Mapping[str, str], log: Path, folder: Path | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("ab") as stream:
        try:
            # A session of its own: Ctrl-C on the terminal is ours to pass on, when we are ready.
            process = subprocess.Popen(
                command,
                cwd=folder,
                env=dict(variables),
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as error:
            raise UsageError(f"{command[0]}: cannot be started ({error.strerror})") from error
    try:
        yield process
    finally:
        _stop(process)


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End a process and what it started: politely, then not, whatever interrupts the waiting."""
    try:
        if process.poll() is None:
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(STOP_SECONDS)
    finally:
        if process.poll() is None:
            # Its children may lead groups of their own and would outlive it.
            for pid in (process.pid, *_descendants(process.pid)):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            process.wait()


def _descendants(ancestor: int) -> list[int]:
    """The processes that a process started, and those that these did; none without /proc."""
    children: dict[int, list[int]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            # pid (name) state parent …; the name may hold anything, parentheses included.
            parent = int(path.read_text(errors="replace").rpartition(")")[2].split()[1])
            children.setdefault(parent, []).append(int(path.parent.name))
    found = [ancestor]
    for pid in found:
        found.extend(children.get(pid, ()))
    return found[1:]


@contextmanager
def _log_file(kept: Path | None) -> Iterator[Path]:
    if kept is not None:
        try:
            kept.write_bytes(b"")
        except OSError as error:
            raise OutputError(f"{kept}: cannot be written ({error.strerror})") from error
        yield kept
        return
    with tempfile.TemporaryDirectory(prefix="faceveil-log-") as folder:
        yield Path(folder) / "server.log"


def _free_port() -> int:
    for port in random.sample(PORTS, len(PORTS)):
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise FaceveilError(f"every port from {PORTS[0]} to {PORTS[-1]} of this machine is in use")


def _url(port: int) -> str:
    return f"http://127.0.0.1:{port}"


def _ending(code: int) -> str:
    if code in (-signal.SIGKILL, 128 + signal.SIGKILL):
        return "killed (out of memory?)"
    return f"killed by signal {-code}" if code < 0 else f"with exit code {code}"


def _tail(log: Path) -> str:
    with suppress(OSError), log.open("rb") as stream:
        stream.seek(max(0, stream.seek(0, os.SEEK_END) - LOG_TAIL_BYTES))
        text = stream.read().decode("utf-8", "replace").strip()
        if text:
            return f" The end of its log:\n{text}"
    return ""
