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
from hypothesis import example, given
from hypothesis import strategies as st

from faceveil.errors import FaceveilError, InputError, OutputError, UsageError
from faceveil.jobs import events
from faceveil.jobs.failure import fail_job
from faceveil.jobs.job_folder import UnknownJobError, load_job
from faceveil.jobs.keys import Keys
from faceveil.jobs.sagemaker_jobs import created_jobs
from faceveil.jobs.settings import read_input_buckets
from faceveil.jobs.status import read_status
from faceveil.jobs.submission import start_job, start_waiting
from faceveil.jobs.transforms.names import MOST_ATTEMPTS, SageMakerName, SageMakerNames
from faceveil.jobs.transforms.request import Machines, transform_requests, vcpus_of
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
    made = sagemaker.describe_transform_job(TransformJobName=f"test--{job_id}")
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
    assert announced[0].detail["transform_job"] == f"test--{job_id}"
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
    made = sagemaker.describe_transform_job(TransformJobName=f"test--{job_id}")
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
    made = sagemaker.describe_transform_job(TransformJobName=f"test--{job_id}")
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
    name = f"test--{job_id}"
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
    assert sagemaker.created == [f"test--{job_id}"]
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
    made = sagemaker.describe_transform_job(TransformJobName=f"test--{job_id}")
    assert made["TransformResources"]["InstanceType"] == "ml.m5.2xlarge"
    assert made["MaxConcurrentTransforms"] == 8


@pytest.mark.parametrize("state", ["Completed", "Failed", "Stopped"])
def test_an_id_whose_transform_job_has_ended_detects_under_a_name_of_its_own(
    write, submission, sagemaker, place, job_id, announced, state
):
    write()
    start_job(submission, job_id)
    sagemaker.states[f"test--{job_id}"] = state
    assert start_job(submission, job_id) == "already submitted"  # its event came twice
    folder = place.folder(f"jobs/{job_id}/submit/")
    folder.delete([item.name for page in folder.pages() for item in page])  # expired
    assert start_job(submission, job_id) == "submitted"
    assert sagemaker.created == [f"test--{job_id}", f"test--{job_id}-try2"]
    assert announced[-1].detail["transform_job"] == f"test--{job_id}-try2"
    check_event(announced[-1])


@given(
    job_id=st.from_regex(r"[a-zA-Z0-9](-*[a-zA-Z0-9])*", fullmatch=True).filter(
        lambda text: len(text) <= 54
    ),
    deployment=st.none()
    | st.from_regex(r"[a-z](-?[a-z0-9])*", fullmatch=True).filter(lambda text: len(text) <= 20),
    which=st.sampled_from(["detect", "refine", "render"]),
    attempt=st.integers(1, MOST_ATTEMPTS),
)
@example("9" * 54, "n" * 20, "refine", 20)
@example("long-" * 10 + "end", None, "render", 2)
def test_names_fit_and_tell_deployment_job_and_attempt(job_id, deployment, which, attempt):
    """SageMaker takes them, the roles of the deployment allow them, and they are found again."""
    names = SageMakerNames.of(job_id, deployment)
    name = names.name(which, attempt)
    assert JOB_NAME.fullmatch(name), name
    assert name.startswith(f"{deployment}--" if deployment else "faceveil-")
    found = names.parse(name)
    assert found == SageMakerName(which, attempt)
    if which != "detect":
        # The role of post-processing may create jobs of such names only.
        assert f"-{which}" in name[-len("-refine-try20") :]


def test_long_ids_that_begin_alike_have_names_of_their_own():
    first, second = (SageMakerNames.of("a" * 53 + end, "deployment-of-twenty") for end in "xy")
    assert first.name("detect") != second.name("detect")
    assert second.parse(first.name("detect")) is None


def test_deployments_of_one_account_use_the_same_id(write, submission, sagemaker, place, job_id):
    """Before, the second deployment's job was refused as one of other frames."""
    write()
    assert start_job(submission, job_id) == "submitted"
    machines = replace(submission.machines, deployment="sport")
    elsewhere = place.folder("sport/")  # a bucket of its own
    for name in (f"frames/{job_id}/img0000001.jpg", f"jobs/{job_id}/job.json"):
        elsewhere.write(name, place.read(name))
    other = replace(submission, machines=machines, bucket=elsewhere)
    assert start_job(other, job_id) == "submitted"
    assert sagemaker.created == [f"test--{job_id}", f"sport--{job_id}"]
    for bucket, deployment in ((place, "test"), (elsewhere, "sport")):
        found = [name for _, name, _ in created_jobs(sagemaker, bucket, job_id)]
        assert found == [f"{deployment}--{job_id}"], "stop, watch and sweep find it by its note"


def test_keys_of_a_deployment_are_in_the_request(write, submission, sagemaker, job_id):
    """Detections have a key of their own; disks one where the instance type takes one."""
    keys = Keys("arn:results", "arn:detections", "arn:volumes")
    write()
    machines = replace(submission.machines, keys=keys, fallback_types=("ml.g4dn.xlarge",))
    start_job(replace(submission, machines=machines), job_id)
    made = sagemaker.describe_transform_job(TransformJobName=f"test--{job_id}")
    assert made["TransformOutput"]["KmsKeyId"] == "arn:detections"
    assert made["TransformResources"]["VolumeKmsKeyId"] == "arn:volumes"
    write(transform={"instance_type": "ml.g4dn.xlarge"}, id=job_id)
    job = load_job(submission.bucket, job_id)
    (request,) = transform_requests(job, "bucket", 10, machines)
    assert "VolumeKmsKeyId" not in request["TransformResources"]
    # CUDA 12 needs a newer driver than the default of transform jobs.
    assert request["TransformResources"]["TransformAmiVersion"].endswith("gpu-535")
    assert "TransformAmiVersion" not in made["TransformResources"]


def test_frames_of_another_bucket_are_read_in_place_if_the_deployment_knows_it(
    write, submission, sagemaker, place, bucket, job_id
):
    """Else who may write a job.json could have any bucket read that the roles may read."""
    write(frames={"bucket": bucket, "prefix": "clips/"})
    other = replace(place, bucket=bucket).folder("clips")
    other.write("img0000001.jpg", b"x")
    with pytest.raises(InputError, match="input_buckets"):
        start_job(submission, job_id)
    write(frames={"bucket": bucket, "prefix": "clips/"}, on_failure="refuse")  # another attempt
    knowing = replace(submission, input_buckets={bucket: "210987654321"})
    assert start_job(knowing, job_id) == "submitted"
    made = sagemaker.describe_transform_job(TransformJobName=f"test--{job_id}")
    source = made["TransformInput"]["DataSource"]["S3DataSource"]
    assert source["S3Uri"] == f"s3://{bucket}/clips/"
    output = made["TransformOutput"]["S3OutputPath"]
    assert output == f"s3://{place.bucket}/detections/{job_id}/"


def test_buckets_are_known_by_their_accounts():
    assert read_input_buckets({}) == {}
    known = read_input_buckets({"FACEVEIL_INPUT_BUCKETS": "a-b=123456789012,c.d=210987654321"})
    assert known == {"a-b": "123456789012", "c.d": "210987654321"}
    with pytest.raises(UsageError, match="BUCKET=ACCOUNT"):
        read_input_buckets({"FACEVEIL_INPUT_BUCKETS": "a-b"})


def test_without_a_key_of_its_own_detections_have_that_of_the_results():
    assert Keys.from_environment({"FACEVEIL_KMS_KEY": "arn:a"}) == Keys("arn:a", "arn:a", None)
    assert Keys.from_environment({"FACEVEIL_VOLUME_KMS_KEY": ""}) == Keys()


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
