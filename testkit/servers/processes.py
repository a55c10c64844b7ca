"""Real servers on this machine, for tests and benchmarks: S3 by SeaweedFS."""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, TypeVar

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

READY_SECONDS = 60
TRIES = 3
GRPC_DISTANCE = 10_000
"""SeaweedFS also listens this far above each of its ports."""
FIRST_OUTGOING_PORT = 32_768
WEED = Path(sys.executable).with_name("weed")
Answer = TypeVar("Answer")


@contextmanager
def seaweedfs(
    folder: Path, identities: Mapping[str, Sequence[str]], secret: str
) -> Iterator[tuple[str, int]]:
    """An S3 server that checks signatures: its address, and its process id.

    Parameters
    ----------
    folder
        Where it keeps its objects and its log.
    identities
        What each access key may do; the first one's credentials are in the environment.
    secret
        The secret of every access key.
    """
    config = folder / "s3.json"
    known = [
        {
            "name": key,
            "credentials": [{"accessKey": key, "secretKey": secret}],
            "actions": actions,
        }
        for key, actions in identities.items()
    ]
    config.write_text(json.dumps({"identities": known}))
    for last in (False,) * (TRIES - 1) + (True,):
        command, url = _weed(folder, config)
        with running(command, folder / "log") as process:
            try:
                wait_for(client("s3", url).list_buckets, folder / "log", process)
            except ServerError:  # another program took one of its ports first
                if last:
                    raise
                continue
            yield url, process
            return


def _weed(folder: Path, config: Path) -> tuple[list[str], str]:
    """The command of an S3 server on ports that are free now, and its address."""
    ports = free_ports(4, GRPC_DISTANCE)
    names = ("master.port", "volume.port", "filer.port", "s3.port")
    command = [str(WEED), "server", f"-dir={folder}", "-ip=127.0.0.1", "-s3"]
    command += [f"-{name}={port}" for name, port in zip(names, ports, strict=True)]
    command += [f"-s3.config={config}", "-volume.max=2000", "-master.volumeSizeLimitMB=64"]
    # No fixed ports, of which several test processes would want the same; no telemetry.
    command += ["-s3.port.iceberg=0", "-s3.port.lance=0", "-master.telemetry=false"]
    return command, f"http://127.0.0.1:{ports[3]}"


def client(service: str, url: str) -> Any:
    """A boto3 client that does not repeat requests."""
    config = Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 1})
    make: Callable[..., Any] = boto3.client
    return make(service, endpoint_url=url, region_name="eu-west-1", config=config)


@contextmanager
def running(command: Sequence[str], log: Path) -> Iterator[int]:
    """A server, in a session of its own and ended with the block; its process id."""
    with log.open("wb") as stream:
        process = subprocess.Popen(
            command, stdout=stream, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        yield process.pid
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


class ServerError(RuntimeError):
    """A server of the tests did not start."""


def wait_for(ask: Callable[[], Answer], log: Path, process: int) -> Answer:
    """The server's first answer. Raises ServerError with the end of its log."""
    deadline = time.monotonic() + READY_SECONDS
    while True:
        try:
            return ask()
        except (OSError, ClientError, BotoCoreError):
            if has_ended(process) or time.monotonic() > deadline:
                tail = log.read_text(errors="replace")[-2000:]
                raise ServerError(f"a server of the tests did not start:\n{tail}") from None
        time.sleep(0.2)


def has_ended(process: int) -> bool:
    """Whether a child of this process has ended; it is not waited for."""
    return os.waitid(os.P_PID, process, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def free_ports(count: int, distance: int = 0) -> list[int]:
    """Ports that are free now, and whose neighbours `distance` above are free, too.

    They are drawn at random, as other tests search at the same time, and lie below the ports that
    the system gives to outgoing connections, one of which might take a port before its server does.
    """
    found: list[int] = []
    with ExitStack() as stack:
        for port in random.sample(range(20_000, FIRST_OUTGOING_PORT - distance), 1000):
            try:
                for each in {port, port + distance}:
                    stack.enter_context(socket.socket()).bind(("127.0.0.1", each))
            except OSError:
                continue
            found.append(port)
            if len(found) == count:
                return found
    raise RuntimeError(f"{count} free ports were not found")
