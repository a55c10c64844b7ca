"""What SageMaker starts: `python -m handler.entrypoint serve`.

Opens the networks once, in a process of their own, before anything listens; then starts the
server and stays with it: kills workers that hang, passes on SIGTERM, and ends when it ends.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path

from faceveil.errors import FaceveilError, UsageError
from handler import frontend
from handler.busy import overdue_workers
from handler.plugin.build import build, has_compiler
from handler.server_options import ServerOptions
from handler.weights import WEIGHTS_VARIABLE, choose_weights_folder

PLUGIN_VARIABLE = "FACEVEIL_MMS_PLUGIN"
"""The compiled plugin; set in the image."""
LONGEST_FOLDER = 107 - len("/.mms.sock.9999")
"""A socket's path has at most 107 bytes."""
STOPPING = (signal.SIGTERM, signal.SIGINT)
TICK_SECONDS = 0.25
KILL_AFTER_DRAIN_SECONDS = 5
PING_SECONDS = 2.0


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="serve", description=__doc__)
    parser.add_argument("command", choices=["serve"])
    parser.parse_args(arguments)
    try:
        return serve(os.environ)
    except FaceveilError as problem:
        say(str(problem))
        return problem.exit_code


def say(message: str) -> None:
    print(f"faceveil serve: {message}", file=sys.stderr, flush=True)


def serve(values: Mapping[str, str]) -> int:
    """Run the server until it is told to stop (0) or ends by itself (not 0)."""
    began = time.monotonic()
    for name in STOPPING:
        # until the server runs; the first process of a container ignores what it has no handler for
        signal.signal(name, lambda *_: sys.exit(0))
    options = ServerOptions.from_environment(values)
    if not frontend.is_free(options.bind_address, options.port):
        raise UsageError(
            f"port {options.port} is in use: stop what listens there, or set "
            "SAGEMAKER_BIND_TO_PORT to another"
        )
    with _own_folder() as folder:
        environment = frontend.environment(values, options, folder)
        if weights := choose_weights_folder(values):
            environment[WEIGHTS_VARIABLE] = weights
        if code := _check(environment):
            return code
        frontend.write_configuration(options, folder)
        plugin = _plugin(values, folder)
        with _Server(options, folder, plugin, environment) as server:
            return server.watch(began)


def _check(environment: Mapping[str, str]) -> int:
    """Open the networks once; the exit code is 0 when that works."""
    done = subprocess.run(
        [sys.executable, "-m", "handler.check"], env=environment, check=False
    ).returncode
    if done < 0:
        say(f"opening the networks ended by signal {-done}")
        return 1
    return done


def _plugin(values: Mapping[str, str], folder: Path) -> Path | None:
    if configured := values.get(PLUGIN_VARIABLE):
        if not Path(configured).is_file():
            raise UsageError(f"{PLUGIN_VARIABLE}={configured!r}: no such file")
        return Path(configured)
    if has_compiler():
        return build(folder / "plugin.jar")
    say(
        "no plugin and no javac: /execution-parameters is not served, /ping does not wait for the "
        "model and SIGTERM drops requests in flight"
    )
    return None


@contextlib.contextmanager
def _own_folder() -> Iterator[Path]:
    """Where the server keeps sockets and notes; nothing outside it is written."""
    folder = Path(tempfile.mkdtemp(prefix="faceveil-serve-"))
    try:
        if len(str(folder)) > LONGEST_FOLDER:
            raise UsageError(
                f"TMPDIR={folder.parent}: the path is too long, sockets are made in it; "
                "name a shorter one"
            )
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class _Server:
    """The running JVM and, in its process group, the workers."""

    def __init__(
        self,
        options: ServerOptions,
        folder: Path,
        plugin: Path | None,
        environment: Mapping[str, str],
    ) -> None:
        self._options = options
        self._busy = folder / "busy"
        self._told_to_stop = False
        self._stopping_since: float | None = None
        for name in STOPPING:
            signal.signal(name, self._stop)
        self._process = subprocess.Popen(
            frontend.command(options, folder, plugin),
            env=environment,
            cwd=folder,
            start_new_session=True,
        )

    def __enter__(self) -> _Server:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def watch(self, began: float) -> int:
        ready = False
        while self._process.poll() is None:
            time.sleep(TICK_SECONDS)
            self._kill_hung_workers()
            if self._told_to_stop and self._stopping_since is None:
                self._stopping_since = time.monotonic()
                self._process.terminate()
            if self._stopping_since is not None:
                if self._drained_too_long():
                    say(f"still not stopped after {self._options.drain_seconds} s: killed")
                    return 1
            elif not ready:
                ready = self._answers_ping()
                waited = time.monotonic() - began
                if ready:
                    say(f"ready after {waited:.1f} s, {self._options.workers} workers")
                elif waited > self._options.startup_seconds:
                    say(f"no worker was ready within {self._options.startup_seconds} s")
                    return 1
        if self._stopping_since is not None:
            return 0
        say(f"the server ended by itself, exit code {self._process.returncode}")
        return 1

    def _stop(self, _signal: int, _frame: object) -> None:
        self._told_to_stop = True

    def _drained_too_long(self) -> bool:
        limit = self._options.drain_seconds + KILL_AFTER_DRAIN_SECONDS
        return time.monotonic() - (self._stopping_since or 0) > limit

    def _kill_hung_workers(self) -> None:
        for process in overdue_workers(self._busy, self._options.request_seconds):
            with contextlib.suppress(ProcessLookupError):
                # the number may have been given to another process meanwhile
                if os.getpgid(process) == self._process.pid:
                    say(f"worker {process} hangs: killed, another takes its place")
                    os.kill(process, signal.SIGKILL)

    def _answers_ping(self) -> bool:
        address = f"http://{frontend.LOOPBACK}:{self._options.port}/ping"
        try:
            with urllib.request.urlopen(address, timeout=PING_SECONDS):
                return True
        except (urllib.error.URLError, OSError):
            return False


if __name__ == "__main__":
    raise SystemExit(main())
