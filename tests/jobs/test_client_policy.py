"""The policy that Terraform gives a backend allows what faceveil.jobs.client asks of S3.

The client's calls are recorded by a hook of botocore while it follows a job from its submission to
another choice.
"""

import json

import pytest

from faceveil.corrections.document import Corrections
from faceveil.jobs import state_machine
from faceveil.jobs.client import JobClient
from testkit.aws_calls import asked
from testkit.iam_policies import allows, statements_of
from testkit.made_job import JOB_ID, document


@pytest.fixture
def calls(made, s3_url):
    """Every call of the client: what is asked, of which resource, under which conditions."""
    client = JobClient(made.bucket.bucket, endpoint_url=s3_url)
    made_calls = []

    def record(params, model, **_):
        call = {"service": "s3", "operation": model.name, "parameters": dict(params)}
        made_calls.extend(asked(call))

    client.bucket.client.meta.events.register("before-parameter-build.s3.*", record)
    made.upload()
    job = document(frames=json.loads(made.place.read("job.json"))["frames"])
    client.submit(job)
    client.bucket.upload(
        f"jobs/{JOB_ID}/references/ann/photo.png", made.folder / "frames/img0000001.png"
    )
    made.place.write("submit/started.json", b"{}")
    assert client.status(JOB_ID).state == "detecting"
    state_machine.run_whole_job(made.run())
    client.wait(JOB_ID)
    client.results(JOB_ID)
    client.render_again(JOB_ID, "talk-again", {"mode": "only", "identities": [0]})
    corrections = Corrections.of(client.analysis(JOB_ID).source)
    client.render_again(JOB_ID, "talk-corrected", corrections=corrections)
    client.corrections("talk-corrected")
    return made_calls


@pytest.mark.slow
def test_the_backend_may_do_what_the_client_does_and_see_no_features(calls, module_test):
    outputs = module_test.states["defaults"]["outputs"]
    policy = statements_of(outputs["backend_policy"]["value"])
    refused = {
        (action, tuple(context.items()))
        for action, resource, context in calls
        if not allows(policy, action, resource, context)
    }
    # How many frames are detected is not told to who may not list them.
    assert refused <= {("s3:ListBucket", (("s3:prefix", f"detections/{JOB_ID}/"),))}
    assert {action for action, _, _ in calls} == {"s3:PutObject", "s3:GetObject", "s3:ListBucket"}
    features = "arn:aws:s3:::faceveil-123456789012-eu-west-1/detections/talk/img0000001.png.out"
    assert not allows(policy, "s3:GetObject", features)
