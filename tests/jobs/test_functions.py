"""The Lambda functions and the Batch children, as processes of their own, from event to event.

Real: awslambdaric with the handlers, S3 (SeaweedFS), the children's program. Simulated: the Runtime
API (runtime_api.py), and by moto EventBridge and Batch, which keep what they are sent and run
nothing: this test starts the children that Batch would start.
"""

import json
import os
import subprocess
import sys
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from faceveil.jobs.chunks.plan import ChunkPlan
from testkit import PROJECT
from testkit.servers.lambda_runtime_api import MAX_PAYLOAD, LambdaFunction

EVENTS = PROJECT / "postprocess_lambda" / "events"
APP, FINISH = "postprocess_lambda.app.handler", "postprocess_lambda.finish.handler"
SMALL_MEMORY = 512


def sample(name):
    return json.loads((EVENTS / f"{name}.json").read_text())


@pytest.fixture
def bus(moto_url, connect):
    """A bus and the queue behind it: name, and what has arrived so far."""
    events, sqs = connect("events", moto_url), connect("sqs", moto_url)
    name = f"bus-{uuid.uuid4().hex[:8]}"
    events.create_event_bus(Name=name)
    queue = sqs.create_queue(QueueName=name)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])
    events.put_rule(Name=name, EventBusName=name, EventPattern=json.dumps({"source": ["faceveil"]}))
    target = {"Id": "1", "Arn": arn["Attributes"]["QueueArn"]}
    events.put_targets(Rule=name, EventBusName=name, Targets=[target])
    arrived = []

    def received():
        while messages := sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get(
            "Messages"
        ):
            for message in messages:
                arrived.append(json.loads(message["Body"]))
                sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
        return [event["detail-type"].removeprefix("FaceVeil Job ") for event in arrived]

    return name, received


@pytest.fixture
def environment(uploaded, s3_url, moto_url, bus):
    return {
        "AWS_ENDPOINT_URL_S3": s3_url,
        "AWS_ENDPOINT_URL_EVENTBRIDGE": moto_url,
        "AWS_ENDPOINT_URL_BATCH": moto_url,
        "FACEVEIL_BUCKET": uploaded.bucket.bucket,
        "FACEVEIL_EVENT_BUS": bus[0],
    }


@pytest.fixture
def unverified(uploaded):
    """The made job without a look at its output: these tests need no networks."""
    uploaded.submit(verification="off")
    return uploaded


@pytest.fixture
def batch(moto_url, connect):
    """Name of a queue and a job definition, and how to ask for the jobs in the queue."""
    client, iam = connect("batch", moto_url), connect("iam", moto_url)
    name = f"queue-{uuid.uuid4().hex[:8]}"
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    place = client.create_compute_environment(
        computeEnvironmentName=name, type="UNMANAGED", state="ENABLED", serviceRole=role
    )
    client.create_job_queue(
        jobQueueName=name,
        state="ENABLED",
        priority=1,
        computeEnvironmentOrder=[
            {"order": 1, "computeEnvironment": place["computeEnvironmentArn"]}
        ],
    )
    client.register_job_definition(
        jobDefinitionName=name,
        type="container",
        containerProperties={"image": "faceveil", "vcpus": 1, "memory": 2048},
    )

    def jobs():
        states = ("SUBMITTED", "PENDING", "RUNNABLE", "STARTING", "RUNNING", "SUCCEEDED", "FAILED")
        found = [
            job["jobId"]
            for state in states
            for job in client.list_jobs(jobQueue=name, jobStatus=state)["jobSummaryList"]
        ]
        return client.describe_jobs(jobs=found)["jobs"] if found else []

    return name, jobs


def child(environment, index, job_id="11111111-2222"):
    """Run the program of a child of the array job; gives what it said."""
    told = {"AWS_BATCH_JOB_ARRAY_INDEX": str(index), "AWS_BATCH_JOB_ID": f"{job_id}:{index}"}
    words = ["chunk", "--bucket", environment["FACEVEIL_BUCKET"], "--job", "talk"]
    done = subprocess.run(
        [sys.executable, "-m", "postprocess_lambda", *words],
        cwd=PROJECT,
        env={**os.environ, **environment, **told},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_a_short_job_is_done_in_the_function_and_only_once(unverified, environment, bus, tmp_path):
    with LambdaFunction(APP, environment, tmp_path) as function:
        for name in ("transform_in_progress", "batch_succeeded"):
            assert function.invoke(sample(name)).payload["outcome"] == "ignored"
        other = sample("transform_completed")
        other["detail"]["TransformJobName"] = "faceveil-other"
        other["detail"]["TransformOutput"]["S3OutputPath"] = "s3://media/detections/other/"
        answer = function.invoke(other)
        assert answer.payload["outcome"] == "ignored"
        assert "no such job" in answer.payload["reason"]
        answer = function.invoke(sample("transform_completed"))
        assert answer.payload == {"job_id": "talk", "outcome": "completed"}, function.log
        before = unverified.objects()
        again = function.invoke(sample("transform_completed_milliseconds"))
        assert again.payload == {"job_id": "talk", "outcome": "completed"}
        assert unverified.objects() == before
        log = function.log
    assert unverified.objects("veiled/") == unverified.rendered_here()
    assert bus[1]() == ["Analysed", "Completed"]
    lines = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
    assert any(line.get("job_id") == "talk" and line.get("level") == "INFO" for line in lines)
    assert any(line.get("JobsCompleted") == [1.0] for line in lines)


@pytest.mark.slow
def test_a_long_job_is_rendered_by_batch_and_the_last_child_finishes_it(
    unverified, environment, bus, batch, tmp_path
):
    environment |= {"FACEVEIL_BATCH_QUEUE": batch[0], "FACEVEIL_BATCH_JOB_DEFINITION": batch[0]}
    with LambdaFunction(APP, environment, tmp_path, memory_mb=SMALL_MEMORY) as function:
        answer = function.invoke(sample("transform_completed"))
        assert answer.payload.get("outcome") == "rendering", (answer, function.log)
        # the same event once more, by another invocation: no second array job
        function.invoke(sample("transform_completed"))
    plan = ChunkPlan.from_json(
        next(c for n, c in unverified.objects("chunks/").items() if n.endswith("plan.json"))
    )
    parents = [job for job in batch[1]() if job.get("arrayProperties", {}).get("size")]
    assert [job["jobName"] for job in parents] == [f"faceveil-talk-{plan.digest}"]
    assert parents[0]["arrayProperties"]["size"] == plan.count == 2
    with ThreadPoolExecutor(plan.count) as pool:
        said = list(pool.map(lambda index: child(environment, index), range(plan.count)))
    assert any('"message":"ended: completed"' in text for text in said)
    assert any('"JobsCompleted":[1.0]' in text for text in said)
    assert unverified.objects("veiled/") == unverified.rendered_here()
    ended = sample("batch_succeeded")
    ended["detail"]["jobName"] = f"faceveil-talk-{plan.digest}"
    with LambdaFunction(FINISH, environment, tmp_path) as function:
        assert function.invoke(sample("batch_child_succeeded")).payload["outcome"] == "ignored"
        assert function.invoke(ended).payload["outcome"] == "completed"
    assert bus[1]() == ["Analysed", "Completed"]


@pytest.mark.slow
def test_killed_at_its_deadline_it_goes_on_when_lambda_tries_again(
    unverified, environment, bus, tmp_path
):
    event, request = sample("transform_completed"), str(uuid.uuid4())
    with LambdaFunction(APP, environment, tmp_path, timeout=0.3) as function:
        answer = function.invoke(event, request)
        assert answer.error == "Sandbox.Timedout"
    with LambdaFunction(APP, environment, tmp_path) as function:
        assert function.invoke(event, request).payload["outcome"] == "completed", function.log
    assert unverified.objects("veiled/") == unverified.rendered_here()
    assert bus[1]() == ["Analysed", "Completed"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"AWS_SECRET_ACCESS_KEY": "wrong"}, "no credentials for S3 that work"),
        ({"AWS_ACCESS_KEY_ID": "faceveil-reader"}, "access denied"),
        ({"FACEVEIL_BUCKET": "no-such-bucket"}, None),
    ],
    ids=["wrong credentials", "denied", "wrong bucket"],
)
def test_what_s3_refuses_is_said_in_answer_and_event(
    unverified, environment, bus, tmp_path, change, message
):
    with LambdaFunction(APP, {**environment, **change}, tmp_path) as function:
        answer = function.invoke(sample("transform_completed"))
    assert answer.error is None
    if message is None:
        assert "no such" in answer.payload["reason"]
        return
    assert answer.payload["outcome"] == "failed"
    assert message in answer.payload["reason"]
    assert bus[1]() == ["Failed"]
    assert unverified.objects("veiled/") == {}


@pytest.mark.slow
def test_a_broken_job_is_marked_and_answered(uploaded, environment, bus, tmp_path):
    uploaded.place.write("job.json", b'{"version": 1, "id": "talk"}')
    with LambdaFunction(APP, environment, tmp_path) as function:
        for _ in range(2):
            answer = function.invoke(sample("transform_completed"))
            assert "frames: is missing" in answer.payload["reason"]
    assert "frames: is missing" in json.loads(uploaded.place.read("error.json"))["reason"]
    assert bus[1]() == ["Failed"]


def test_the_runtime_api_of_these_tests_has_lambdas_limit(tmp_path: Path):
    with LambdaFunction(APP, {}, tmp_path) as function:
        answer = function.invoke({"detail": "x" * MAX_PAYLOAD})
    assert answer.error == "RequestEntityTooLargeException"
