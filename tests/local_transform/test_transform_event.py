"""The event of a job that has ended, field by field as SageMaker documents it.

EventBridge is moto's (simulated, over HTTP), read back through a rule and an SQS queue.
"""

import json
import re
from datetime import UTC, datetime, timedelta, timezone

import pytest

from faceveil.aws.clients import events_client
from faceveil.errors import OutputError
from faceveil.local_transform.event import state_change, to_bus, to_file, to_stdout
from faceveil.local_transform.parameters import Parameters, TransformJob

CREATED = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
STARTED = CREATED + timedelta(seconds=40)
ENDED = datetime(2026, 3, 1, 14, 30, 5, 999999, tzinfo=timezone(timedelta(hours=2)))
JOB = TransformJob(
    name="job-1",
    input="s3://in/frames/",
    output="s3://out/detections",
    model_name="faceveil-model",
    content_type="image/jpeg",
    accept="application/json",
    batch_strategy="SingleRecord",
    environment={"FACEVEIL_DETECTOR": "mtcnn"},
)


def event(job=JOB, status="Completed", reason=None, parameters=None, started=STARTED):
    times = (CREATED, started, ENDED)
    return state_change(job, status, reason, parameters, times, "eu-west-1")


def test_every_field_is_there_as_documented():
    made = event(parameters=Parameters(4, 20, "SINGLE_RECORD"))
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", made.pop("id"))
    arn = "arn:aws:sagemaker:eu-west-1:000000000000:transform-job/job-1"
    assert made == {
        "version": "0",
        "detail-type": "SageMaker Transform Job State Change",
        "source": "aws.sagemaker",
        "account": "000000000000",
        "time": "2026-03-01T12:30:05Z",
        "region": "eu-west-1",
        "resources": [arn],
        "detail": {
            "TransformJobName": "job-1",
            "TransformJobArn": arn,
            "TransformJobStatus": "Completed",
            "ModelName": "faceveil-model",
            "MaxConcurrentTransforms": 4,
            "MaxPayloadInMB": 20,
            "BatchStrategy": "SingleRecord",
            "ModelClientConfig": {"InvocationsTimeoutInSeconds": 600, "InvocationsMaxRetries": 3},
            "Environment": {"FACEVEIL_DETECTOR": "mtcnn"},
            "TransformInput": {
                "DataSource": {
                    "S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://in/frames/"}
                },
                "ContentType": "image/jpeg",
                "CompressionType": "None",
                "SplitType": "None",
            },
            "TransformOutput": {
                "S3OutputPath": "s3://out/detections",
                "Accept": "application/json",
                "AssembleWith": "None",
                "KmsKeyId": "",
            },
            "TransformResources": {"InstanceType": "local", "InstanceCount": 1},
            "DataProcessing": {"InputFilter": "$", "OutputFilter": "$", "JoinSource": "None"},
            "CreationTime": "2026-03-01T12:00:00Z",
            "TransformStartTime": "2026-03-01T12:00:40Z",
            "TransformEndTime": "2026-03-01T12:30:05Z",
            "Tags": {},
        },
    }


def test_what_a_job_does_not_have_is_left_out():
    detail = event(TransformJob("j", "s3://in/", "s3://out/"), "Failed", "why", started=None)
    detail = detail["detail"]
    assert detail["TransformJobStatus"] == "Failed"
    assert detail["FailureReason"] == "why"
    for name in ("TransformStartTime", "MaxPayloadInMB", "MaxConcurrentTransforms"):
        assert name not in detail
    assert "BatchStrategy" not in detail
    assert "Accept" not in detail["TransformOutput"]


def test_a_reason_is_no_longer_than_sagemakers():
    assert len(event(reason="x" * 5000)["detail"]["FailureReason"]) == 1024


def test_manifests_and_folders_of_this_machine(tmp_path):
    job = TransformJob("j", str(tmp_path / "a b.json"), str(tmp_path), manifest=True)
    detail = event(job)["detail"]
    source = detail["TransformInput"]["DataSource"]["S3DataSource"]
    assert source == {"S3DataType": "ManifestFile", "S3Uri": (tmp_path / "a b.json").as_uri()}
    assert detail["TransformOutput"]["S3OutputPath"] == tmp_path.as_uri()


def test_an_event_in_a_file_or_printed_is_the_event(tmp_path, capsys):
    made = event()
    to_file(tmp_path / "event.json")(made)
    assert json.loads((tmp_path / "event.json").read_bytes()) == made
    to_stdout(made)
    assert json.loads(capsys.readouterr().out) == made
    with pytest.raises(OutputError):
        to_file(tmp_path / "gone" / "event.json")(made)


def test_an_event_bus_delivers_the_event(moto_url, connect):
    events, sqs = connect("events", moto_url), connect("sqs", moto_url)
    queue = sqs.create_queue(QueueName="ended")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])
    events.create_event_bus(Name="jobs")
    pattern = {
        "source": ["aws.sagemaker"],
        "detail-type": ["SageMaker Transform Job State Change"],
        "detail": {"TransformJobStatus": ["Completed"]},
    }
    events.put_rule(Name="ended", EventBusName="jobs", EventPattern=json.dumps(pattern))
    target = {"Id": "queue", "Arn": arn["Attributes"]["QueueArn"]}
    events.put_targets(Rule="ended", EventBusName="jobs", Targets=[target])
    made = event()
    to_bus(events_client(moto_url), "jobs")(event(status="Failed"))
    to_bus(events_client(moto_url), "jobs")(made)
    messages = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10)["Messages"]
    (received,) = [json.loads(message["Body"]) for message in messages]
    for field in ("source", "detail-type", "detail", "resources"):
        assert received[field] == made[field]


def test_a_bus_that_cannot_be_reached_is_an_output_error(aws_credentials, monkeypatch):
    monkeypatch.setattr("faceveil.aws.clients.ATTEMPTS", 1)
    with pytest.raises(OutputError, match="event bus jobs: cannot be reached"):
        to_bus(events_client("http://127.0.0.1:9"), "jobs")(event())


def test_a_bus_that_refuses_is_an_output_error():
    """AWS answers so for sources it keeps to itself; this client only says what AWS would."""

    class Refusing:
        def put_events(self, Entries):  # noqa: N803 (boto3's name)
            error = {"ErrorCode": "NotAuthorizedForSource", "ErrorMessage": "Not authorized"}
            return {"FailedEntryCount": 1, "Entries": [error]}

    with pytest.raises(OutputError, match=r"did not take '.*' \(Not authorized\)"):
        to_bus(Refusing(), "default")(event())
