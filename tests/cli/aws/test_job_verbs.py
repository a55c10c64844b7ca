"""`aws stop`, `retry` and `redrive`, and `faceveil-postprocess analyse`, as a person types them.

Real: S3 (SeaweedFS), SQS over HTTP (moto). Simulated: SageMaker (LocalCloud) and Lambda (moto).
"""

import json
from dataclasses import replace

import pytest

from faceveil.aws.s3 import S3Location
from faceveil.cli.postprocess import main as postprocess
from faceveil.errors import InputError, UsageError
from faceveil.jobs.failure import fail_job, failure_of
from faceveil.jobs.settings import Settings
from faceveil.jobs.status import read_status
from faceveil.jobs.submission import start_job
from testkit.made_job import MadeJob
from testkit.s3_media import put_frames
from testkit.servers.local_cloud import LocalCloud


@pytest.fixture
def cloud(monkeypatch):
    """SageMaker, Batch and EventBridge, as the environment names them."""
    with LocalCloud() as cloud:
        for service in ("SAGEMAKER", "BATCH", "EVENTBRIDGE"):
            monkeypatch.setenv(f"AWS_ENDPOINT_URL_{service}", cloud.url)
        monkeypatch.setenv("FACEVEIL_MODEL_NAME", "faceveil")
        yield cloud


@pytest.fixture
def running(cloud, place, job_id, submission, connect):
    """The id of a job whose transform job is at work."""
    put_frames(place.folder(f"frames/{job_id}"), 2)
    job = {"version": 1, "id": job_id, "frames": {"prefix": f"frames/{job_id}/"}}
    place.write(f"jobs/{job_id}/job.json", json.dumps(job).encode())
    sagemaker = connect("sagemaker", cloud.url)
    assert start_job(replace(submission, sagemaker=lambda: sagemaker), job_id) == "submitted"
    return job_id


def test_stop_names_what_it_stops_and_a_second_one_has_nothing_left(
    aws_loud, cloud, running, place, capsys
):
    assert aws_loud("stop", running, "--dry-run") == 0
    assert capsys.readouterr().out.startswith(f"would stop job {running}, which is detecting")
    assert read_status(place, running).state == "detecting"
    assert aws_loud("stop", running) == 0
    said = capsys.readouterr().out
    assert said == f"job {running} is stopped\n  transform job test--{running}\n"
    assert cloud.states == {f"test--{running}": "Stopping"}
    cloud.states[f"test--{running}"] = "Stopped"
    assert aws_loud("stop", running) == 0
    assert capsys.readouterr().out == f"job {running} is stopped\n"
    assert aws_loud("stop", "no-such-job") == InputError.exit_code


def test_retry_puts_a_failed_job_among_those_that_wait(aws_loud, running, place, capsys):
    assert aws_loud("retry", running) == InputError.exit_code
    assert "nothing to try again: the job is detecting" in capsys.readouterr().err
    fail_job(place, running, "detect", InputError("an instance was lost"), lambda event: None)
    assert aws_loud("retry", running, "--dry-run") == 0
    assert "an instance was lost" in capsys.readouterr().out
    assert failure_of(place, running) is not None
    assert aws_loud("retry", running) == 0
    assert "starts again within five minutes" in capsys.readouterr().out
    status = read_status(place, running)
    assert (status.state, status.waiting_for) == ("waiting", "tried again after a failure")
    place.delete([f"jobs/.waiting/{running}"])


def test_retry_refuses_what_failed_after_sagemaker(aws_loud, running, place, capsys):
    fail_job(place, running, "render", InputError("a chunk is missing"), lambda event: None)
    assert aws_loud("retry", running) == InputError.exit_code
    assert f"faceveil-postprocess run {running}" in capsys.readouterr().err


def test_redrive_says_what_it_delivered(aws_loud, moto_url, connect, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL_SQS", moto_url)
    sqs = connect("sqs", moto_url)
    url = sqs.create_queue(QueueName="dead-letters-of-the-command")["QueueUrl"]
    values = {"queues": {"dead-letters": url}, "functions": {"submit": "arn:submit"}}
    outputs = tmp_path / "outputs.json"
    outputs.write_text(json.dumps({name: {"value": value} for name, value in values.items()}))
    assert aws_loud("redrive") == UsageError.exit_code
    capsys.readouterr()
    assert aws_loud("redrive", "--outputs", outputs) == 0
    assert capsys.readouterr().out == "the queue is empty\n"
    sqs.send_message(QueueUrl=url, MessageBody=json.dumps({"detail-type": "Scheduled Event"}))
    sqs.send_message(QueueUrl=url, MessageBody="no event")
    assert aws_loud("redrive", "--outputs", outputs, "--dry-run") == 0
    assert f"would deliver the events of {url} to submit" in capsys.readouterr().out
    assert aws_loud("redrive", "--outputs", outputs) == 0
    said = capsys.readouterr().out
    assert "1 timers deleted" in said
    assert "left in the queue, as it is no event of this deployment: no event" in said


def test_postprocess_analyses_a_job_and_renders_nothing(
    bucket, s3_url, tmp_path, monkeypatch, capsys
):
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", s3_url)
    made = MadeJob(S3Location.open(f"s3://{bucket}", s3_url), tmp_path)
    made.upload(verification="off")
    assert postprocess(["analyse", "--bucket", bucket, "--job", "talk"]) == 0
    assert capsys.readouterr().err.endswith("faceveil-postprocess: analysing\n")
    assert made.place.find("analysis.json") is not None
    assert made.objects("veiled/") == {}
    assert postprocess(["analyse", "--bucket", bucket, "--job", "other"]) == InputError.exit_code
    assert Settings.of().bucket is None
