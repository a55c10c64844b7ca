"""Fixtures: a bucket for jobs, what a job is started with, and `faceveil aws` over it."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from faceveil.aws.s3 import S3Location
from faceveil.cli.main import main
from faceveil.jobs.submission import Submission
from faceveil.jobs.transforms.request import Machines


@pytest.fixture
def place(busy_bucket: str, s3_url: str) -> S3Location:
    """The whole of a real bucket that all tests share: each job has an id of its own."""
    return S3Location.open(f"s3://{busy_bucket}", s3_url)


@pytest.fixture
def job_id() -> str:
    """An id that no other test uses."""
    return f"talk-{uuid.uuid4().hex[:8]}"


class OnceNamed:
    """moto's SageMaker, which keeps requests and runs nothing; it refuses a name that is taken, as
    AWS does and moto does not.

    states: of jobs that are no longer at work, by name.
    """

    def __init__(self, client: Any) -> None:
        self._client = client
        self.created: list[str] = []
        self.states: dict[str, str] = {}
        self._one_at_a_time = threading.Lock()

    def create_transform_job(self, **request: Any) -> None:
        """Keep a transform job's request."""
        with self._one_at_a_time:
            if request["TransformJobName"] in self.created:
                raise ClientError(
                    {"Error": {"Code": "ResourceInUse", "Message": "Job name must be unique"}},
                    "CreateTransformJob",
                )
            self._client.create_transform_job(**request)
            self.created.append(request["TransformJobName"])

    def describe_transform_job(self, **request: Any) -> Any:
        """The request as it was kept, and the state."""
        known = self._client.describe_transform_job(**request)
        state = self.states.get(request["TransformJobName"], "InProgress")
        return {**known, "TransformJobStatus": state}

    def describe_processing_job(self, **request: Any) -> Any:
        """As moto, which knows of none here."""
        return self._client.describe_processing_job(**request)


@pytest.fixture
def sagemaker(moto_url: str, connect: Callable[[str, str], Any]) -> OnceNamed:
    """SageMaker, which keeps the requests for transform jobs."""
    return OnceNamed(connect("sagemaker", moto_url))


@pytest.fixture
def announced() -> list[Any]:
    """The events that were sent."""
    return []


@pytest.fixture
def submission(place: S3Location, sagemaker: Any, announced: list[Any]) -> Submission:
    """What the submit function is called with."""
    machines = Machines("faceveil-model", deployment="test")
    return Submission(place, machines, lambda: sagemaker, announced.append)


@pytest.fixture
def aws_loud(busy_bucket: str, s3_url: str, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """Run `faceveil aws` against the real S3 of these tests. Returns its exit code."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", s3_url)
    monkeypatch.setenv("FACEVEIL_BUCKET", busy_bucket)
    return lambda *words: main(["aws", *map(str, words)])


@pytest.fixture
def aws(aws_loud: Callable[..., int]) -> Callable[..., int]:
    """The same with `--quiet` where a verb has it."""

    def run(verb: str, *words: object) -> int:
        quiet = ["--quiet"] if verb in ("upload", "download", "watch") else []
        return aws_loud(verb, *words, *quiet)

    return run
