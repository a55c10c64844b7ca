"""Fixtures of the tests of face searches: nobody waits, and videos lie in a real S3 server."""

import pytest

from faceveil.aws.clients import rekognition_client
from faceveil.aws.s3 import S3Location
from faceveil.rekognition import search
from faceveil.rekognition.video_analysis import Service


@pytest.fixture
def pauses(aws_credentials, short_pauses, monkeypatch):
    """How long a search waited between two questions; nobody does."""
    waited = []
    monkeypatch.setattr(search.time, "sleep", waited.append)
    return waited


@pytest.fixture
def place(busy_bucket, s3_url):
    return S3Location.open(f"s3://{busy_bucket}", s3_url)


@pytest.fixture
def service_of(place, pauses):
    """The Service of a MadeRekognition."""
    return lambda made, **options: Service(rekognition_client(made.url), place, **options)
