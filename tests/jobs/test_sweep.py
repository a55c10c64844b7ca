"""A job that nobody goes on with fails, and no other.

Real: S3 (SeaweedFS), and in the last test the function. Simulated: what SageMaker knows of
transform jobs.
"""

import json
import time
from datetime import UTC, datetime, timedelta

import pytest
from botocore.exceptions import ClientError

from faceveil.aws.s3 import S3Location
from faceveil.errors import InputError
from faceveil.jobs import state_machine
from faceveil.jobs.claims import Claims
from faceveil.jobs.ended import open_jobs
from faceveil.jobs.failure import clear_failure, fail_job
from faceveil.jobs.steps.analyse import analyse_job
from faceveil.jobs.sweep import sweep
from faceveil.jobs.transforms.names import note_names
from testkit.listed_s3 import ListedS3
from testkit.made_job import PREFIX
from testkit.servers.lambda_runtime_api import LambdaFunction


def after(hours):
    return datetime.now(UTC) + timedelta(hours=hours)


class Transforms:
    """SageMaker's jobs: name -> when it ended, None while it is at work."""

    def __init__(self, **ends):
        self.ends = {name.replace("_", "-"): end for name, end in ends.items()}

    def describe_transform_job(self, TransformJobName):  # noqa: N803, boto3's
        if TransformJobName not in self.ends:
            code = "ThrottlingException" if "throttled" in self.ends else "ValidationException"
            raise ClientError({"Error": {"Code": code}}, "DescribeTransformJob")
        end = self.ends[TransformJobName]
        return {} if end is None else {"TransformEndTime": end}

    def describe_processing_job(self, ProcessingJobName):  # noqa: N803, boto3's
        """There are Processing jobs of the name with `processing` before it."""
        end = self.ends.get(f"processing-{ProcessingJobName}", "none")
        if end == "none":
            raise ClientError({"Error": {"Code": "ResourceNotFound"}}, "DescribeProcessingJob")
        return {} if end is None else {"ProcessingEndTime": end}


def swept(made, hours, transforms=None):
    return sweep(made.bucket, lambda: transforms or Transforms(), made.events.append, after(hours))


def begun(made, stage):
    """Bring the job as far as this stage."""
    if stage == "submit":
        return
    note_names(made.bucket, "talk", None)
    made.place.write("submit/started.json", b"{}")
    if stage == "detect":
        Claims(made.place, "dead").take("refine", 60)
    elif stage == "analyse":
        Claims(made.place, "dead").take("start", 60)
    else:
        analyse_job(made.run())


@pytest.mark.parametrize("stage", ["submit", "detect", "analyse", "render"])
def test_a_job_without_a_word_for_a_day_fails_once_at_its_stage(uploaded, stage):
    begun(uploaded, stage)
    assert swept(uploaded, 23) == []
    before = uploaded.objects()
    assert swept(uploaded, 25) == ["talk"]
    assert swept(uploaded, 50) == []
    error = json.loads(uploaded.place.read("error.json"))
    assert error["stage"] == stage
    assert "nothing has happened for 24 hours" in error["reason"]
    assert [event.detail_type for event in uploaded.events][-1] == "FaceVeil Job Failed"
    assert uploaded.objects().keys() == before.keys() | {"error.json"}


def test_a_job_whose_transform_is_at_work_or_has_just_ended_is_left_alone(uploaded):
    begun(uploaded, "detect")
    ended = {"faceveil_talk": after(0)}
    for transforms in (
        Transforms(faceveil_talk=None),
        Transforms(faceveil_talk=after(5)),
        Transforms(**ended, faceveil_talk_refine=None),
    ):
        assert swept(uploaded, 28, transforms) == []
    with pytest.raises(ClientError, match="Throttling"):
        swept(uploaded, 28, Transforms(throttled=None))
    assert swept(uploaded, 28, Transforms(**ended)) == ["talk"]


def test_what_has_ended_and_what_is_no_job_is_left_alone(made):
    made.upload(verification="off")
    state_machine.run_whole_job(made.run())
    made.bucket.write("jobs/upload/references/ann/1.jpg", b"x")
    made.bucket.write("jobs/failed/job.json", b"{}")
    made.bucket.write("jobs/failed/error.json", b"{}")
    before = made.objects()
    assert swept(made, 1000) == []
    assert made.objects() == before


def test_jobs_that_have_ended_are_listed_in_bulk(made):
    """The index of ended jobs is written as they end, and forgotten as they are started again."""
    made.upload(verification="off")
    state_machine.run_whole_job(made.run())
    assert open_jobs(made.bucket) == []
    made.bucket.write("jobs/failed/job.json", b"{}")
    fail_job(made.bucket, "failed", "submit", InputError("no frames"), made.events.append)
    assert open_jobs(made.bucket) == []
    clear_failure(made.bucket, "failed")
    assert open_jobs(made.bucket) == ["failed"]


def test_a_sweep_over_100_000_jobs_takes_its_time_for_the_open_ones_only():
    """Within a function's 900 s with room: 200 pages for ended jobs, and what lacks in the index is
    looked up once and added."""
    ended = [f"talk-{number:06d}" for number in range(100_000)]
    missing, young = ended[:300], [f"young-{number}" for number in range(50)]
    keys = [f"jobs/{job_id}/{name}" for job_id in ended for name in ("_SUCCESS", "job.json")]
    keys += [f"jobs/.ended/{job_id}" for job_id in ended[300:]]
    keys += [f"jobs/{job_id}/job.json" for job_id in young]
    client = ListedS3(keys)
    bucket = S3Location(client, "a-bucket")
    began = time.monotonic()
    assert sweep(bucket, Transforms, [].append, datetime.now(UTC)) == []
    assert time.monotonic() - began < 60
    assert client.requests < 202 + 1.2 * len(missing + young)
    assert sorted(client.written) == [f"jobs/.ended/{job_id}" for job_id in missing]


@pytest.mark.slow
def test_the_function_answers_a_schedule(uploaded, s3_url, moto_url, tmp_path):
    environment = {
        "AWS_ENDPOINT_URL_S3": s3_url,
        "AWS_ENDPOINT_URL_SAGEMAKER": moto_url,
        "FACEVEIL_BUCKET": uploaded.bucket.bucket,
    }
    event = {"source": "aws.events", "detail-type": "Scheduled Event", "detail": {}}
    with LambdaFunction("postprocess_lambda.sweep.handler", environment, tmp_path) as function:
        assert function.invoke(event).payload == {"outcome": "swept", "failed": []}
    assert uploaded.bucket.find(f"{PREFIX}error.json") is None
