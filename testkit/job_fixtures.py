"""Fixtures: a bucket for jobs, what a job is started with, and `faceveil aws` over it."""

import threading
import uuid

import pytest
from botocore.exceptions import ClientError

from faceveil.aws.s3 import S3Location
from faceveil.cli.main import main
from faceveil.jobs.submission import Submission
from faceveil.jobs.transforms.request import Machines


@pytest.fixture
def place(busy_bucket, s3_url):
    """The whole of a real bucket that all tests share: each job has an id of its own."""
    return S3Location.open(f"s3://{busy_bucket}", s3_url)


@pytest.fixture
def job_id():
    return f"talk-{uuid.uuid4().hex[:8]}"


class OnceNamed:
    """moto's SageMaker, which keeps requests and runs nothing, but refuses a name that is taken, as
    AWS does and moto does not."""

    def __init__(self, client):
        self._client = client
        self.created = []
        self._one_at_a_time = threading.Lock()

    def create_transform_job(self, **request):
        with self._one_at_a_time:
            if request["TransformJobName"] in self.created:
                error = {"Code": "ResourceInUse", "Message": "Job name must be unique"}
                raise ClientError({"Error": error}, "CreateTransformJob")
            self._client.create_transform_job(**request)
            self.created.append(request["TransformJobName"])

    def describe_transform_job(self, **request):
        return self._client.describe_transform_job(**request)


@pytest.fixture
def sagemaker(moto_url, connect):
    return OnceNamed(connect("sagemaker", moto_url))


@pytest.fixture
def announced():
    """The events that were sent."""
    return []


@pytest.fixture
def submission(place, sagemaker, announced):
    machines = Machines("faceveil-model", tags=(("faceveil:deployment", "test"),))
    return Submission(place, machines, lambda: sagemaker, announced.append)


@pytest.fixture
def aws_loud(busy_bucket, s3_url, monkeypatch):
    """Runs `faceveil aws` against the real S3 of these tests; gives its exit code."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", s3_url)
    monkeypatch.setenv("FACEVEIL_BUCKET", busy_bucket)
    return lambda *words: main(["aws", *map(str, words)])


@pytest.fixture
def aws(aws_loud):
    """The same without a word about what went well."""

    def run(verb, *words):
        quiet = ["--quiet"] if verb in ("upload", "download", "watch") else []
        return aws_loud(verb, *words, *quiet)

    return run
