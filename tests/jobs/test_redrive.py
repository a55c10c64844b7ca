"""Events of the dead-letter queue reach their functions once more, and none is lost on the way.

Real: the calls of SQS, over HTTP to moto. Simulated: Lambda, which keeps the events it is given.
"""

import json
import uuid

import pytest
from botocore.exceptions import ClientError

from faceveil.errors import OutputError
from faceveil.jobs.redrive import redrive
from testkit.servers.local_cloud import batch_ended, delivered, event, scheduled

ARNS = {"submit": "arn:submit", "postprocess": "arn:postprocess", "finish": "arn:finish"}
CREATED = {"Records": [{"eventSource": "aws:s3", "s3": {"object": {"key": "jobs/talk/job.json"}}}]}
TRANSFORM = event("aws.sagemaker", "SageMaker Transform Job State Change", {"a": 1})
SUBMITTED = delivered(
    {"Source": "faceveil", "DetailType": "FaceVeil Job Submitted", "Detail": '{"job_id": "talk"}'}
)
BATCH = batch_ended({"jobName": "faceveil-talk-0", "jobId": "1"}, False)


class Functions:
    """In place of Lambda. refused: the function that takes nothing."""

    def __init__(self, refused=None):
        self.calls = []
        self.refused = refused

    def invoke(self, FunctionName, InvocationType, Payload):  # noqa: N803, boto3's
        assert InvocationType == "Event"
        if FunctionName == self.refused:
            raise ClientError({"Error": {"Code": "TooManyRequestsException"}}, "Invoke")
        self.calls.append((FunctionName, json.loads(Payload)))


@pytest.fixture
def queue(moto_url, connect):
    """SQS, and the address of a queue."""
    sqs = connect("sqs", moto_url)
    return sqs, sqs.create_queue(QueueName=f"dead-letters-{uuid.uuid4().hex[:8]}")["QueueUrl"]


def send(queue, *bodies):
    sqs, url = queue
    for body in bodies:
        text = body if isinstance(body, str) else json.dumps(body)
        sqs.send_message(QueueUrl=url, MessageBody=text)


def left(queue):
    sqs, url = queue
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    return sum(int(attributes[name]) for name in names)


def test_every_event_goes_to_the_function_it_was_for(queue):
    events = [CREATED, TRANSFORM, SUBMITTED, BATCH] * 4
    send(queue, *events, scheduled())
    functions = Functions()
    result = redrive(queue[0], functions, queue[1], ARNS)
    assert result.delivered == {"submit": 4, "postprocess": 8, "finish": 4}
    assert (result.timers, result.unknown) == (1, [])
    expected = dict(
        zip(("submit", "postprocess", "finish"), (CREATED, TRANSFORM, BATCH), strict=True)
    )
    for name, wanted in expected.items():
        assert functions.calls.count((f"arn:{name}", wanted)) == 4
    assert functions.calls.count(("arn:postprocess", SUBMITTED)) == 4
    assert left(queue) == 0


def test_what_is_no_event_of_the_deployment_stays_and_is_named(queue):
    send(queue, "not json", "[1]", {"detail-type": "Another"}, {"Records": []}, BATCH)
    result = redrive(queue[0], Functions(), queue[1], ARNS)
    assert result.delivered == {"finish": 1}
    assert len(result.unknown) == left(queue) == 4


def test_an_event_that_lambda_does_not_take_stays_in_the_queue(queue):
    send(queue, BATCH)
    with pytest.raises(OutputError, match="arn:finish: does not take the event"):
        redrive(queue[0], Functions(refused="arn:finish"), queue[1], ARNS)
    assert left(queue) == 1
    assert redrive(queue[0], Functions(), queue[1], ARNS).delivered == {"finish": 1}
