"""`faceveil aws costs`: what Cost Explorer answers, added up by job and told with what it lacks.

Cost Explorer is botocore's Stubber, which checks requests and answers against AWS's description; S3
is real (SeaweedFS), SageMaker this machine's.
"""

import json
import time
from datetime import UTC, datetime, timedelta

import boto3
import pytest
from botocore.stub import ANY, Stubber

from faceveil.aws import account
from faceveil.jobs.transforms.names import note_names
from testkit.made_job import document
from testkit.servers.local_cloud import LocalCloud

TAG = "faceveil:job-id"


@pytest.fixture
def explorer(aws_credentials, monkeypatch):
    """A stub of Cost Explorer, which the command is given."""
    client = boto3.client("ce", region_name="us-east-1")
    monkeypatch.setattr(account, "service_client", lambda service: client)
    with Stubber(client) as stub:
        yield stub
        stub.assert_no_pending_responses()


@pytest.fixture
def jobs(place, job_id, monkeypatch):
    """Two jobs of the bucket; the first one's transform job has run for an hour on two machines."""
    with LocalCloud() as cloud:
        monkeypatch.setenv("AWS_ENDPOINT_URL_SAGEMAKER", cloud.url)
        monkeypatch.setenv("AWS_REGION", "us-east-1")
        ids = [job_id, f"{job_id}-b"]
        for name in ids:
            job = document(id=name, frames={"prefix": f"frames/{name}/"})
            place.write(f"jobs/{name}/job.json", json.dumps(job).encode())
        note_names(place, job_id, None)
        cloud.answer(
            "CreateTransformJob",
            {
                "TransformJobName": f"faceveil-{job_id}",
                "TransformResources": {"InstanceType": "ml.c5.xlarge", "InstanceCount": 2},
                "TransformStartTime": time.time() - 3600,
            },
        )
        yield ids


def answers(stub, jobs, groups, token=None):
    """Let the stub answer a question about these jobs with dollars by (tag's value, service)."""
    today = datetime.now(UTC).date()
    rows = [
        {
            "Keys": [f"{TAG}${job}", service],
            "Metrics": {"UnblendedCost": {"Amount": str(dollars), "Unit": "USD"}},
        }
        for (job, service), dollars in groups.items()
    ]
    expected = {
        "TimePeriod": {"Start": ANY, "End": (today + timedelta(days=1)).isoformat()},
        "Granularity": "MONTHLY",
        "Metrics": ["UnblendedCost"],
        "Filter": {"Tags": {"Key": TAG, "Values": jobs}},
        "GroupBy": [{"Type": "TAG", "Key": TAG}, {"Type": "DIMENSION", "Key": "SERVICE"}],
    }
    expected |= {"NextPageToken": token} if token else {}
    answer = {"ResultsByTime": [{"Groups": rows, "Estimated": True}]}
    more = {"NextPageToken": "more"} if token is None and len(groups) > 1 else {}
    stub.add_response("get_cost_and_usage", {**answer, **more}, expected)


def test_what_was_billed_stands_beside_what_was_computed(aws_loud, explorer, jobs, capsys):
    first, second = jobs
    page = {(first, "Amazon SageMaker"): 0.4, (first, "AWS Batch"): 0.01}
    answers(explorer, jobs, page)
    answers(
        explorer,
        jobs,
        {
            (first, "Amazon SageMaker"): 0.1,
        },
        token="more",
    )
    tags = [{"TagKey": TAG, "Type": "UserDefined", "Status": "Active"}]
    explorer.add_response(
        "list_cost_allocation_tags", {"CostAllocationTags": tags}, {"TagKeys": [TAG]}
    )
    assert aws_loud("costs", *jobs) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == (
        f"{first}: computed 0.41 $, billed 0.51 $ (AWS Batch 0.01 $, Amazon SageMaker 0.50 $)"
    )
    assert lines[1] == f"{second}: computed not known, billed nothing that carries its tag"
    assert "this question cost 0.01 $" in lines[-2]
    assert "they arrive about a day late" in lines[-1]


def test_a_tag_that_is_not_active_is_said(aws_loud, explorer, jobs, capsys):
    answers(explorer, jobs, {})
    explorer.add_response(
        "list_cost_allocation_tags", {"CostAllocationTags": []}, {"TagKeys": [TAG]}
    )
    assert aws_loud("costs", *jobs) == 0
    said = capsys.readouterr().out
    assert f"the tag {TAG} is not active. Activate it under Billing" in said


def test_without_the_right_to_ask_the_computed_cost_is_left(aws_loud, explorer, jobs, capsys):
    explorer.add_client_error("get_cost_and_usage", "AccessDeniedException", "not you")
    assert aws_loud("costs", jobs[0], "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert document["jobs"][0]["billed"] is None
    assert document["jobs"][0]["computed"] == pytest.approx(0.408, abs=0.003)
    assert "lack ce:GetCostAndUsage" in document["notes"][0]


def test_nothing_is_asked_that_costs_money_where_that_is_not_wanted(
    aws_loud, explorer, jobs, capsys
):
    assert aws_loud("costs", jobs[0], "--estimate-only") == 0
    assert "billed" not in capsys.readouterr().out
