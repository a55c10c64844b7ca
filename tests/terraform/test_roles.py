"""Each function asks AWS for what its role allows, and its role allows little else.

The calls are those of boto3 in three whole runs of scripts/pipeline.py, the second with two
transform jobs, the third with two Processing jobs, recorded by a hook of botocore in every process;
the roles are those that Terraform plans. That AWS's own evaluation agrees with
`iam_policies.allows` this does not show.
"""

import json
import subprocess
import sys
from collections import defaultdict

import pytest

from testkit import PROJECT
from testkit.aws_calls import asked
from testkit.iam_policies import allows, roles_of
from testkit.made_once import made_once

ROLES = ("submit", "model", "postprocess", "render", "finish", "sweep")

# What roles allow beyond the calls of one run, each with its reason.
NOT_BOTO3 = {
    "kms:CreateGrant": "SageMaker asks it in the role's name, for the disks of its instances",
    "kms:Decrypt": "S3 and Lambda ask it in the role's name",
    "kms:GenerateDataKey": "S3 asks it in the role's name",
    "logs:CreateLogGroup": "the service writes the logs",
    "logs:CreateLogStream": "the service writes the logs",
    "logs:DescribeLogStreams": "the service writes the logs",
    "logs:PutLogEvents": "the service writes the logs",
    "cloudwatch:PutMetricData": "SageMaker's own measurements of a job",
    "sqs:SendMessage": "Lambda's dead letters and failures",
    "ecr:BatchCheckLayerAvailability": "pulling the image",
    "ecr:BatchGetImage": "pulling the image",
    "ecr:GetAuthorizationToken": "pulling the image",
    "ecr:GetDownloadUrlForLayer": "pulling the image",
}
OTHER_RUNS = {
    "s3:AbortMultipartUpload": "a video whose upload fails",
    "s3:DeleteObject": "features that a job wants deleted, leftovers of a killed attempt, the "
    "error.json of a job.json that was corrected",
    "s3:GetObject": "error.json, where S3's answer to its write was lost",
    "s3:PutObject": "the finisher and error.json, where a child could not, or nobody goes on",
    "s3:ListBucket": "the finisher, where a child could not",
    "batch:SubmitJob": "the finisher, where the end takes longer than a function may",
    "batch:TagResource": "the finisher, where the end takes longer than a function may",
    "events:PutEvents": "where the children have not announced the end",
    "sagemaker:DescribeProcessingJob": "a job whose Processing job exists already, or is stuck",
    "sagemaker:DescribeTransformJob": "a job whose transform job exists already, or that is stuck",
}


@pytest.fixture(scope="module")
def calls(pipeline_runs, tmp_path_factory):
    """Every call of these runs: role, service, operation and parameters.

    They take a minute, so one process makes them for all.
    """

    def make():
        folder = tmp_path_factory.mktemp("pipeline")
        record = folder / "calls.jsonl"
        words = ["--frames", "24", "--output", str(folder / "out"), "--calls", str(record)]
        script = [sys.executable, str(PROJECT / "scripts" / "pipeline.py"), *words]
        for more in ((), ("--sampled",), ("--processing", "2")):
            done = subprocess.run(
                [*script, *more], capture_output=True, text=True, check=False, timeout=500
            )
            assert done.returncode == 0, done.stdout + done.stderr
            assert "FaceVeil Job Completed" in done.stdout
            assert len(list((folder / "out" / "veiled").iterdir())) == 24
        return record.read_text()

    lines = made_once(tmp_path_factory, "pipeline-calls.jsonl", make).splitlines()
    return [json.loads(line) for line in lines]


@pytest.fixture(scope="module")
def roles(module_test):
    return roles_of(module_test.states["defaults"])


@pytest.mark.slow
def test_every_role_is_seen_at_work(calls):
    assert {call["role"] for call in calls} == set(ROLES)


@pytest.mark.slow
@pytest.mark.parametrize("role", ROLES)
def test_a_role_allows_every_call_of_its_function(calls, roles, role):
    requests = {
        (action, resource, tuple(context.items()))
        for call in calls
        if call["role"] == role
        for action, resource, context in asked(call)
    }
    assert requests
    refused = [
        (action, resource, context)
        for action, resource, context in sorted(requests)
        if not allows(roles[role], action, resource, dict(context))
    ]
    assert not refused


@pytest.mark.slow
@pytest.mark.parametrize("role", ROLES)
def test_a_role_allows_no_other_action(calls, roles, role):
    used = {action for call in calls if call["role"] == role for action, _, _ in asked(call)}
    allowed = {action for each in roles[role] if each.effect == "Allow" for action in each.actions}
    assert allowed - used - set(NOT_BOTO3) - set(OTHER_RUNS) == set()


@pytest.mark.slow
def test_a_role_allows_none_of_these_calls_elsewhere(calls, roles):
    elsewhere = defaultdict(set)
    for call in calls:
        for action, resource, context in asked(call):
            other = resource.replace("123456789012", "999999999999")
            elsewhere[call["role"]].add((action, other, tuple(context.items())))
    for role, requests in elsewhere.items():
        for action, resource, context in requests:
            assert not allows(roles[role], action, resource, dict(context)), (role, action)


@pytest.mark.slow
def test_what_one_function_may_another_may_not(calls, roles):
    """Starting a transform job is the submit function's, a second one the post-processing's; the
    submit function and the model write no veiled frame."""
    start, _, second = (call for call in calls if call["operation"] == "CreateTransformJob")
    veiled = next(
        call
        for call in calls
        if call["operation"] == "PutObject" and "/veiled/" in call["parameters"]["Key"]
    )
    assert (start["role"], second["role"]) == ("submit", "postprocess")
    assert veiled["role"] == "render"
    for call, others in ((start, set(ROLES) - {"submit"}), (veiled, {"submit", "model"})):
        action, resource, context = asked(call)[0]
        for role in others:
            assert not allows(roles[role], action, resource, context), (role, action)
