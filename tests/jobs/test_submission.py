"""What comes of a job.json that was written: one transform job, or error.json and an event.

Real: S3 (SeaweedFS), and in the last test awslambdaric with the handler. Simulated: SageMaker's
control plane and EventBridge by moto (conftest.OnceNamed fills in that names are taken once), and
the errors that moto never gives.
"""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import jsonschema
import pytest
from botocore.exceptions import ClientError

from faceveil.errors import FaceveilError, InputError, OutputError, UsageError
from faceveil.jobs import events
from faceveil.jobs.failure import fail_job
from faceveil.jobs.job_folder import UnknownJobError
from faceveil.jobs.status import read_status
from faceveil.jobs.submission import start_job, start_waiting
from faceveil.jobs.transforms.names import (
    MOST_ATTEMPTS,
    TransformName,
    parse_name,
    refine_name,
    transform_name,
)
from faceveil.jobs.transforms.request import Machines, vcpus_of
from faceveil.jobs.waiting import retry_waiting
from faceveil.local_transform.parameters import JOB_NAME
from faceveil.schemas import load_schema
from testkit.servers.lambda_runtime_api import LambdaFunction
from testkit.servers.local_cloud import object_created


@pytest.fixture
def write(place, job_id):
    """Writes three frames (the largest of 3.5 MB) and a job.json with these fields."""

    def write(sizes=(10, 3_670_016, 10), folder="frames", **fields):
        prefix = f"{folder}/{job_id}/"
        for number, size in enumerate(sizes, 1):
            place.write(f"{prefix}img{number:07d}.jpg", b"x" * size)
        job = {"version": 1, "id": job_id, "frames": {"prefix": prefix}, **fields}
        place.write(f"jobs/{job_id}/job.json", json.dumps(job).encode())

    return write


def error_of(place, job_id):
    return json.loads(place.read(f"jobs/{job_id}/error.json"))


def check_event(event):
    document = {"source": "faceveil", "detail-type": event.detail_type, "detail": event.detail}
    jsonschema.validate(document, load_schema("event"))


def test_a_job_is_started_once_with_limits_of_its_frames_and_machines(
    write, submission, sagemaker, announced, job_id, place
):
    write(detections={"prefix": f"detections/{job_id}/"})
    assert start_job(submission, job_id) == "submitted"
    assert start_job(submission, job_id) == "already submitted"
    made = sagemaker.describe_transform_job(TransformJobName=f"faceveil-{job_id}")
    source = made["TransformInput"]["DataSource"]["S3DataSource"]
    assert source == {
        "S3DataType": "S3Prefix",
        "S3Uri": f"s3://{place.bucket}/frames/{job_id}/",
    }
    output = made["TransformOutput"]["S3OutputPath"]
    assert output == f"s3://{place.bucket}/detections/{job_id}/"
    assert made["MaxPayloadInMB"] == 4
    assert made["MaxConcurrentTransforms"] == 4
    assert made["TransformResources"] == {"InstanceType": "ml.c5.xlarge", "InstanceCount": 1}
    assert [event.detail_type for event in announced] == [events.SUBMITTED]
    assert announced[0].detail["transform_job"] == f"faceveil-{job_id}"
    check_event(announced[0])


def test_two_deliveries_at_once_start_one_job(write, submission, sagemaker, job_id):
    write()
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda _: start_job(submission, job_id), range(2)))
    assert len(sagemaker.created) == 1


def test_the_job_may_name_machines_and_large_frames_go_fewer_at_a_time(
    write, submission, sagemaker, job_id
):
    transform = {"instance_type": "ml.c5.9xlarge", "instance_count": 3}
    write(sizes=(21 << 20,), transform=transform)
    start_job(submission, job_id)
    made = sagemaker.describe_transform_job(TransformJobName=f"faceveil-{job_id}")
    assert made["TransformResources"] == {"InstanceType": "ml.c5.9xlarge", "InstanceCount": 3}
    assert (made["MaxPayloadInMB"], made["MaxConcurrentTransforms"]) == (24, 4)


def test_detections_of_another_job_are_used_again_without_a_transform(
    write, submission, sagemaker, announced, job_id
):
    write(detections={"prefix": "detections/other/"})
    assert start_job(submission, job_id) == "submitted"
    assert sagemaker.created == []
    assert announced[0].detail["transform_job"] is None


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"frames": {"prefix": "frames/none/"}}, "holds no frames"),
        ({"selection": {"mode": "keep"}}, "who is meant"),
        ({"transform": {"instance_type": "c5.xlarge"}}, "transform.instance_type"),
        ({"id": "other"}, "not the name of its folder"),
        ({"version": 2}, "version"),
    ],
    ids=["no frames", "nobody selected", "instance type", "another id", "version"],
)
def test_a_job_that_cannot_start_says_so_once(
    write, submission, sagemaker, announced, place, job_id, fields, message
):
    write(sizes=(1,), **fields)
    with pytest.raises(InputError, match=message):
        start_job(submission, job_id)
    assert message in error_of(place, job_id)["reason"]
    assert start_job(submission, job_id) == "failed before"
    assert [event.detail_type for event in announced] == [events.FAILED]
    check_event(announced[0])
    assert sagemaker.created == []


def test_a_frame_larger_than_sagemaker_takes_is_refused(write, submission, job_id, monkeypatch):
    monkeypatch.setattr("faceveil.jobs.transforms.request.MOST_MEGABYTES", 2)
    write()
    with pytest.raises(InputError, match="frame of 4 MB is more than SageMaker"):
        start_job(submission, job_id)


def test_names_with_spaces_and_unicode_are_frames_like_others(
    write, submission, sagemaker, place, job_id
):
    folder = "frames/Søndag på løpet (1)"
    write(sizes=(1, 1), folder=folder)
    assert start_job(submission, job_id) == "submitted"
    made = sagemaker.describe_transform_job(TransformJobName=f"faceveil-{job_id}")
    source = made["TransformInput"]["DataSource"]["S3DataSource"]
    assert source["S3Uri"] == f"s3://{place.bucket}/{folder}/{job_id}/"


def test_an_id_used_twice_is_told_from_an_event_that_came_twice(
    write, submission, sagemaker, place, job_id
):
    write()
    start_job(submission, job_id)
    write(verification="off")
    with pytest.raises(InputError, match="is used twice"):
        start_job(submission, job_id)
    assert len(sagemaker.created) == 1
    assert error_of(place, job_id)["stage"] == "submit"


def test_a_name_taken_by_a_transform_elsewhere_is_refused(write, submission, sagemaker, job_id):
    write(detections={"prefix": f"detections/{job_id}/"})
    name = f"faceveil-{job_id}"
    sagemaker.create_transform_job(
        TransformJobName=name,
        ModelName="m",
        TransformInput={"DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3"}}},
        TransformOutput={"S3OutputPath": "s3://elsewhere/"},
        TransformResources={"InstanceType": "ml.m5.large", "InstanceCount": 1},
    )
    with pytest.raises(InputError, match="reads s3 and writes to s3://elsewhere/"):
        start_job(submission, job_id)


@pytest.mark.parametrize(
    "wrong",
    [{"selection": {"mode": "keep"}}, {"frames": {"prefix": "frames/none/"}}],
    ids=["cannot be read", "no frames"],
)
def test_a_corrected_job_json_starts_the_job(
    write, submission, sagemaker, announced, place, job_id, wrong
):
    write(sizes=(1,), **wrong)
    with pytest.raises(InputError):
        start_job(submission, job_id)
    error = error_of(place, job_id)
    assert {**announced[0].detail, "job_json": error["job_json"]} == error
    write(sizes=(1,))
    assert start_job(submission, job_id) == "submitted"
    assert place.find(f"jobs/{job_id}/error.json") is None
    assert [event.detail_type for event in announced] == [events.FAILED, events.SUBMITTED]
    assert len(sagemaker.created) == 1


def retried(submission, now):
    """Try the waiting jobs again; the ids of those that wait no longer."""
    return retry_waiting(
        submission.bucket,
        lambda job_id, _: start_waiting(submission, job_id),
        submission.announce,
        now,
    )


def refusing(sagemaker, *instance_types):
    """A CreateTransformJob that says that the quota of these instance types is used up."""
    create = sagemaker.create_transform_job

    def refuse(**request):
        if request["TransformResources"]["InstanceType"] in instance_types:
            raise ClientError({"Error": {"Code": "ResourceLimitExceeded"}}, "CreateTransformJob")
        create(**request)

    return refuse


def test_a_job_waits_where_the_quota_is_used_up_and_starts_once_it_is_free(
    write, submission, sagemaker, place, job_id, announced, monkeypatch
):
    write()
    now = datetime.now(UTC)
    with monkeypatch.context() as patch:
        patch.setattr(sagemaker, "create_transform_job", refusing(sagemaker, "ml.c5.xlarge"))
        assert start_job(submission, job_id) == "waiting"
        assert start_job(submission, job_id) == "waiting"
        assert retried(submission, now) == []
    status = read_status(place, job_id)
    assert status.state == "waiting"
    assert "quota is used up" in str(status)
    assert place.find(f"jobs/{job_id}/error.json") is None
    assert announced == sagemaker.created == []
    assert retried(submission, now) == [job_id]
    assert sagemaker.created == [f"faceveil-{job_id}"]
    assert [event.detail_type for event in announced] == [events.SUBMITTED]
    assert read_status(place, job_id).state == "detecting"
    assert retried(submission, now) == []


def test_a_job_that_waits_for_a_day_fails_once_and_says_for_what(
    write, submission, sagemaker, place, job_id, announced, monkeypatch
):
    write()
    monkeypatch.setattr(sagemaker, "create_transform_job", refusing(sagemaker, "ml.c5.xlarge"))
    assert start_job(submission, job_id) == "waiting"
    day_later = datetime.now(UTC) + timedelta(hours=25)
    assert retried(submission, day_later) == [job_id]
    assert "no machines were free for 24 hours" in error_of(place, job_id)["reason"]
    assert retried(submission, day_later) == []
    assert [event.detail_type for event in announced] == [events.FAILED]


def test_the_next_instance_type_is_tried_where_the_quota_of_one_is_used_up(
    write, submission, sagemaker, job_id, monkeypatch
):
    write()
    machines = replace(submission.machines, fallback_types=("ml.m5.large", "ml.m5.2xlarge"))
    with monkeypatch.context() as patch:
        refuse = refusing(sagemaker, "ml.c5.xlarge", "ml.m5.large")
        patch.setattr(sagemaker, "create_transform_job", refuse)
        assert start_job(replace(submission, machines=machines), job_id) == "submitted"
    made = sagemaker.describe_transform_job(TransformJobName=f"faceveil-{job_id}")
    assert made["TransformResources"]["InstanceType"] == "ml.m5.2xlarge"
    assert made["MaxConcurrentTransforms"] == 8


@pytest.mark.parametrize("state", ["Completed", "Failed", "Stopped"])
def test_an_id_whose_transform_job_has_ended_detects_under_a_name_of_its_own(
    write, submission, sagemaker, place, job_id, announced, state
):
    write()
    start_job(submission, job_id)
    sagemaker.states[f"faceveil-{job_id}"] = state
    assert start_job(submission, job_id) == "already submitted"  # its event came twice
    folder = place.folder(f"jobs/{job_id}/submit/")
    folder.delete([item.name for page in folder.pages() for item in page])  # expired
    assert start_job(submission, job_id) == "submitted"
    assert sagemaker.created == [f"faceveil-{job_id}", f"faceveil-{job_id}-try2"]
    assert announced[-1].detail["transform_job"] == f"faceveil-{job_id}-try2"
    check_event(announced[-1])


def test_names_of_attempts_are_found_again_and_fit_however_long_the_id_is():
    for job_id in ("a", "talk-try2", "x-refine", "9" * 54, "long-" * 10 + "end"):
        names = {
            name_of(job_id, attempt): TransformName(which, attempt)
            for which, name_of in (("detect", transform_name), ("refine", refine_name))
            for attempt in range(1, MOST_ATTEMPTS + 1)
            if attempt > 1 or len(name_of(job_id)) <= 63
        }
        assert len(names) >= 2 * MOST_ATTEMPTS - 1
        for name, meant in names.items():
            assert JOB_NAME.fullmatch(name), name
            assert parse_name(job_id, name) == meant
            # The role of post-processing may create jobs of such names only.
            assert ("-refine" in name.removeprefix(f"faceveil-{job_id[:40]}")) == (
                meant.which == "refine"
            )


def test_a_job_that_failed_after_it_was_started_is_not_started_by_another_job_json(
    write, submission, sagemaker, announced, place, job_id
):
    write()
    start_job(submission, job_id)
    fail_job(place, job_id, "detect", InputError("the transform job has failed"), announced.append)
    write(verification="off")
    assert start_job(submission, job_id) == "failed before"
    assert error_of(place, job_id)["stage"] == "detect"
    assert len(sagemaker.created) == 1


def test_a_transform_job_of_other_frames_is_not_taken_for_that_of_a_corrected_job_json(
    write, submission, sagemaker, place, job_id
):
    write()
    start_job(submission, job_id)
    place.delete([f"jobs/{job_id}/submit/started.json"])  # killed before it could be noted
    write(folder="others")
    with pytest.raises(InputError, match=f"exists, reads .*frames/{job_id}/"):
        start_job(submission, job_id)


@pytest.mark.parametrize(
    ("code", "kind", "message"),
    [
        ("AccessDeniedException", OutputError, "may not create transform jobs"),
        ("ValidationException", OutputError, "check the instance type, the model"),
        ("ThrottlingException", ClientError, "ThrottlingException"),
    ],
)
def test_what_sagemaker_refuses_is_explained_or_tried_again(
    write, submission, sagemaker, place, job_id, monkeypatch, code, kind, message
):
    def refuse(**request):
        raise ClientError({"Error": {"Code": code, "Message": "no"}}, "CreateTransformJob")

    write()
    with monkeypatch.context() as patch:
        patch.setattr(sagemaker, "create_transform_job", refuse)
        with pytest.raises(kind, match=message):
            start_job(submission, job_id)
    again = "submitted" if kind is ClientError else "failed before"
    assert start_job(submission, job_id) == again
    assert issubclass(kind, FaceveilError) == (place.find(f"jobs/{job_id}/error.json") is not None)


def test_no_job_json_is_no_error(submission, job_id, announced):
    with pytest.raises(UnknownJobError):
        start_job(submission, job_id)
    assert announced == []


def test_vcpus_and_environment():
    types = ("ml.m5.large", "ml.c5.xlarge", "ml.c5.9xlarge")
    assert [vcpus_of(name) for name in types] == [2, 4, 36]
    for name in ("c5.xlarge", "ml.t2.nano", "ml.c5.0xlarge"):
        with pytest.raises(UsageError, match="not an instance type"):
            vcpus_of(name)
    with pytest.raises(UsageError, match="FACEVEIL_MODEL_NAME"):
        Machines.from_environment({})
    with pytest.raises(UsageError, match="FACEVEIL_INSTANCE_COUNT"):
        Machines.from_environment({"FACEVEIL_MODEL_NAME": "m", "FACEVEIL_INSTANCE_COUNT": "two"})


@pytest.mark.slow
def test_the_function_starts_the_job_of_the_event_and_ignores_others(
    write, place, s3_url, moto_url, job_id, tmp_path
):
    write()
    environment = {
        "AWS_ENDPOINT_URL_S3": s3_url,
        "AWS_ENDPOINT_URL_SAGEMAKER": moto_url,
        "AWS_ENDPOINT_URL_EVENTBRIDGE": moto_url,
        "FACEVEIL_BUCKET": place.bucket,
        "FACEVEIL_EVENT_BUS": "default",
        "FACEVEIL_MODEL_NAME": "faceveil-model",
    }

    def created(key):
        return object_created(place.bucket, key)

    with LambdaFunction("postprocess_lambda.submit.handler", environment, tmp_path) as function:
        answer = function.invoke(created(f"jobs/{job_id}/job.json"))
        assert answer.payload == {"job_id": job_id, "outcome": "submitted"}, function.log
        for key in (f"jobs/{job_id}/report.json", "jobs/none/job.json"):
            assert function.invoke(created(key)).payload["outcome"] == "ignored"
        write(selection={"mode": "keep"})
        answer = function.invoke(created(f"jobs/{job_id}/job.json"))
        assert answer.payload["outcome"] == "failed"
