"""Events follow their JSON Schema and arrive on a bus.

The bus is moto's: it stores and forwards events over real HTTP, which shows that ours are well
formed; that AWS's own takes them is not shown here.
"""

import json
import uuid
from types import SimpleNamespace

import pytest
from jsonschema import Draft202012Validator

from faceveil.errors import InputError, OutputError
from faceveil.jobs import events
from faceveil.jobs.job import read_job
from faceveil.schemas import load_schema

JOB = read_job(
    json.dumps(
        {
            "version": 1,
            "id": "talk",
            "frames": {"prefix": "jobs/talk/frames/", "rate": 25},
            "output": {"video": {"key": "jobs/talk/talk.mp4"}},
        }
    ).encode(),
    "job.json",
)
COUNTS = {
    "frames": 275,
    "unknown_frames": 2,
    "identities": 9,
    "veiled_identities": 8,
    "uncertain_sequences": 1,
    "chunks": 4,
}
EVENTS = {
    "submitted": events.submitted(JOB, "bucket", "faceveil-talk"),
    "submitted without transform": events.submitted(JOB, "bucket", None),
    "analysed": events.analysed(JOB, "bucket", analysis="jobs/talk/analysis.json", **COUNTS),
    "completed": events.completed(JOB, "bucket", report="r", manifest="m", frames=275),
    "failed": events.failed("talk", "bucket", "analyse", InputError("no frame 7")),
    "failed with a long reason": events.failed("talk", "bucket", "render", OSError("x" * 9999)),
    "failed without reason": events.failed("talk", "bucket", "render", OSError()),
}


@pytest.mark.parametrize("name", EVENTS)
def test_they_follow_the_schema(name):
    event = EVENTS[name]
    document = {"source": "faceveil", "detail-type": event.detail_type, "detail": event.detail}
    validator = Draft202012Validator(load_schema("event"))
    validator.validate(document)
    for field in event.detail:
        less = {key: value for key, value in event.detail.items() if key != field}
        assert not validator.is_valid({**document, "detail": less}), field
    assert not validator.is_valid({**document, "detail": {**event.detail, "other": 1}})


def test_an_error_of_ours_speaks_for_itself_and_others_say_that_they_are_unexpected():
    assert EVENTS["failed"].detail["reason"] == "no frame 7"
    assert EVENTS["failed without reason"].detail["reason"].startswith("unexpected OSError")


def test_they_arrive_on_the_bus(moto_url, connect):
    bus, sqs = connect("events", moto_url), connect("sqs", moto_url)
    name = f"bus-{uuid.uuid4().hex[:8]}"
    bus.create_event_bus(Name=name)
    queue = sqs.create_queue(QueueName=name)["QueueUrl"]
    attributes = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])
    bus.put_rule(Name=name, EventBusName=name, EventPattern=json.dumps({"source": ["faceveil"]}))
    arn = attributes["Attributes"]["QueueArn"]
    bus.put_targets(Rule=name, EventBusName=name, Targets=[{"Id": "1", "Arn": arn}])
    events.publish(bus, name, EVENTS["completed"])
    (message,) = sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=5)["Messages"]
    received = json.loads(message["Body"])
    Draft202012Validator(load_schema("event")).validate(received)
    assert received["detail"]["video"] == "jobs/talk/talk.mp4"


def test_a_bus_that_is_busy_is_asked_again(monkeypatch):
    monkeypatch.setattr(events, "_PAUSE_SECONDS", 0)
    answers = [1, 0]
    busy = SimpleNamespace(
        put_events=lambda Entries: {  # noqa: N803
            "FailedEntryCount": answers.pop(0),
            "Entries": [{"ErrorMessage": "throttled"}],
        }
    )
    events.publish(busy, "bus", EVENTS["failed"])
    assert not answers
    answers = [1] * 3
    with pytest.raises(OutputError, match="throttled"):
        events.publish(busy, "bus", EVENTS["failed"])


def test_a_bus_that_is_not_there_is_named(connect):
    with pytest.raises(OutputError, match="event bus nowhere: cannot be reached"):
        events.publish(connect("events", "http://127.0.0.1:9"), "nowhere", EVENTS["failed"])
