"""Real servers on this machine, for tests and benchmarks: S3 by SeaweedFS."""

import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

READY_SECONDS = 60
WEED = Path(sys.executable).with_name("weed")


@contextmanager
def seaweedfs(folder, identities, secret):
    """An S3 server that checks signatures: its address, and its process id.

    identities: what each access key may do; the first one's credentials are in the environment.
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
    ports = free_ports(4)
    names = ("master.port", "volume.port", "filer.port", "s3.port")
    command = [str(WEED), "server", f"-dir={folder}", "-ip=127.0.0.1", "-s3"]
    command += [f"-{name}={port}" for name, port in zip(names, ports, strict=True)]
    command += [f"-s3.config={config}", "-volume.max=2000", "-master.volumeSizeLimitMB=64"]
    # Ports of its own even with several test processes; and it shall not tell its makers.
    command += ["-s3.port.iceberg=0", "-s3.port.lance=0", "-master.telemetry=false"]
    url = f"http://127.0.0.1:{ports[3]}"
    with running(command, folder / "log") as process:
        wait_for(lambda: client("s3", url).list_buckets(), folder / "log")
        yield url, process


def client(service, url):
    config = Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 1})
    return boto3.client(service, endpoint_url=url, region_name="eu-west-1", config=config)


@contextmanager
def running(command, log):
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


def wait_for(ask, log):
    deadline = time.monotonic() + READY_SECONDS
    while True:
        try:
            return ask()
        except (OSError, ClientError, BotoCoreError):
            if time.monotonic() > deadline:
                tail = log.read_text(errors="replace")[-2000:]
                raise RuntimeError(f"a server of the tests did not start:\n{tail}") from None
        time.sleep(0.2)


def free_ports(count):
    """Ports that are free now; all held open while the next is sought, so that they differ.

    By chance, as other tests look for some at the same time; SeaweedFS takes each port + 10000
    too, for gRPC.
    """
    sockets = []
    for port in random.sample(range(20000, 30000), 1000):
        probe = socket.socket()
        try:
            probe.bind(("127.0.0.1", port))
            sockets.append(probe)
        except OSError:
            probe.close()
        if len(sockets) == count:
            break
    ports = [probe.getsockname()[1] for probe in sockets]
    for probe in sockets:
        probe.close()
    return ports
