"""Fixtures of the post-processing tests: a made-up job in a real S3."""

import pytest

from faceveil.aws.s3 import S3Location
from testkit.made_job import MadeJob


@pytest.fixture
def made(bucket, s3_url, tmp_path):
    """A bucket for the made job; nothing is in it yet."""
    return MadeJob(S3Location.open(f"s3://{bucket}", s3_url), tmp_path)


@pytest.fixture
def uploaded(made):
    """The made job with frames, detections and a job.json that veils everyone."""
    made.upload()
    return made
