"""The request of CreateProcessingJob keeps to the limits of the API, as its published model has
them, and gives a container what it needs and no way out."""

import re
from dataclasses import replace

import boto3
import orjson
import pytest

from faceveil.aws.sagemaker import has_local_storage
from faceveil.errors import InputError, UsageError
from faceveil.jobs.job import read_job
from faceveil.jobs.keys import Keys
from faceveil.jobs.processing.request import ProcessingMachines, processing_requests
from faceveil.media.s3_keys import list_frames
from testkit.s3_media import put_frames

ROLE = "arn:aws:iam::123456789012:role/faceveil-eu-west-1-processing"
IMAGE = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/faceveil-postprocess@sha256:" + "b" * 64
KEY = "arn:aws:kms:eu-west-1:123456789012:key/00000000-0000-0000-0000-000000000000"
DETECTIONS_KEY = KEY.replace("00000000-0000", "11111111-0000")
MACHINES = ProcessingMachines(
    IMAGE,
    ROLE,
    fallback_types=("ml.r5d.xlarge",),
    keys=Keys(KEY, DETECTIONS_KEY, KEY),
    subnets=("subnet-1", "subnet-2"),
    security_groups=("sg-1",),
    deployment="test",
)


def breaches(shape, value, where="request"):
    """What of a value the API's model does not allow: type names, limits, patterns and enums."""
    if shape.type_name == "structure":
        for name in value:
            if name not in shape.members:
                yield f"{where}.{name} is unknown"
        for name in shape.required_members:
            if name not in value and name != "ProcessingJobName":
                yield f"{where}.{name} is missing"
        for name, item in value.items():
            yield from breaches(shape.members[name], item, f"{where}.{name}")
        return
    size = (
        value if shape.type_name == "integer" else len(value) if not isinstance(value, bool) else 0
    )
    limits = shape.metadata
    if not limits.get("min", size) <= size <= limits.get("max", size):
        yield f"{where} is {value}"
    if shape.type_name == "list":
        for index, item in enumerate(value):
            yield from breaches(shape.member, item, f"{where}[{index}]")
    if shape.type_name == "string":
        pattern = re.sub(r"\\p\{[LZN]\}", r"\\w\\s", limits.get("pattern", ".*"))
        if not re.fullmatch(pattern, value, re.DOTALL):
            yield f"{where} is {value!r}"
        if limits.get("enum") and value not in limits["enum"]:
            yield f"{where} is {value!r}"


@pytest.fixture
def request_of(place, job_id):
    """The requests for three frames and a job.json with these fields."""

    def request_of(step, machines=MACHINES, frames=3, document=(), **fields):
        where = place.folder(f"frames/{job_id}")
        put_frames(where, frames)
        own = {"version": 1, "id": job_id, "frames": {"prefix": where.prefix}} | dict(document)
        job = read_job(orjson.dumps({"processing": {}, **own, **fields}), "job.json")
        return processing_requests(job, place, list_frames(where), step, machines)

    return request_of


@pytest.mark.parametrize("step", ["all", "detect", "render"])
def test_it_is_valid_and_has_no_way_out(request_of, step, job_id, place):
    model = boto3.client("sagemaker", region_name="eu-west-1").meta.service_model
    shape = model.shape_for("CreateProcessingJobRequest")
    photos = {"Ann": f"jobs/{job_id}/references/Ann/"}
    place.write(f"{photos['Ann']}a.jpg", b"x")
    selection = {"mode": "keep", "references": photos}
    requests = request_of(step, selection=selection, processing={"instance_count": 2})
    assert len(requests) == 2, "one for each instance type to try"
    for request in requests:
        assert list(breaches(shape, request)) == []
        assert request["NetworkConfig"]["EnableNetworkIsolation"] is True
        assert request["NetworkConfig"]["VpcConfig"]["Subnets"] == ["subnet-1", "subnet-2"]
        key = DETECTIONS_KEY if step == "detect" else KEY
        assert request["ProcessingOutputConfig"]["KmsKeyId"] == key
        assert {"Key": "faceveil:job-id", "Value": job_id} in request["Tags"]
    first, second = (each["ProcessingResources"]["ClusterConfig"] for each in requests)
    assert first["VolumeKmsKeyId"] == KEY
    assert "VolumeKmsKeyId" not in second, "its own storage is encrypted by its hardware"
    assert first["InstanceCount"] == (1 if step == "all" else 2)


def test_frames_of_another_bucket_are_mounted_from_there(request_of, place, bucket):
    other = replace(place, bucket=bucket).folder("clips")
    put_frames(other, 3)
    frames = {"bucket": bucket, "prefix": "clips/"}
    for request in request_of("all", frames=3, document={"frames": frames}):
        inputs = {item["InputName"]: item["S3Input"] for item in request["ProcessingInputs"]}
        assert inputs["frames"]["S3Uri"] == f"s3://{bucket}/clips/"
        assert inputs["job"]["S3Uri"].startswith(f"s3://{place.bucket}/jobs/")


def test_the_model_does_find_what_is_not_allowed(request_of):
    """The test above could not fail otherwise."""
    model = boto3.client("sagemaker", region_name="eu-west-1").meta.service_model
    (request, _) = request_of("all")
    request["ProcessingResources"]["ClusterConfig"]["VolumeSizeInGB"] = 20_000
    request["StoppingCondition"]["MaxRuntimeInSeconds"] = 0
    request["RoleArn"] = "role"
    found = list(breaches(model.shape_for("CreateProcessingJobRequest"), request))
    assert len(found) == 4  # the role is too short, too


def test_frames_are_shared_out_only_where_any_share_will_do(request_of, place, job_id):
    def inputs(step, **fields):
        request = request_of(step, **fields)[0]
        return {
            item["InputName"]: item["S3Input"]["S3DataDistributionType"]
            for item in request["ProcessingInputs"]
        }

    two = {"processing": {"instance_count": 2}}
    assert inputs("detect", **two)["frames"] == "ShardedByS3Key"
    assert inputs("render", **two)["frames"] == "FullyReplicated"
    assert "detections" not in inputs("detect", **two), "SageMaker refuses an empty prefix"
    place.write(f"detections/{job_id}/img0000001.png.out", b"{}")
    assert inputs("detect", **two)["detections"] == "FullyReplicated"


def test_what_is_published_is_uploaded_at_the_end_and_detections_at_once(request_of):
    modes = {
        output["OutputName"]: output["S3Output"]["S3UploadMode"]
        for output in request_of("all")[0]["ProcessingOutputConfig"]["Outputs"]
    }
    assert modes == {"job": "EndOfJob", "detections": "Continuous"}


def test_no_more_hosts_than_frames_are_paid(request_of):
    request = request_of("detect", frames=3, processing={"instance_count": 50})[0]
    assert request["ProcessingResources"]["ClusterConfig"]["InstanceCount"] == 3


def test_the_volume_grows_with_the_frames_until_there_is_none(request_of, monkeypatch):
    first = request_of("all")[0]["ProcessingResources"]["ClusterConfig"]["VolumeSizeInGB"]
    monkeypatch.setattr("faceveil.jobs.processing.request.ANSWER_BYTES", 10**10)
    more = request_of("all")[0]["ProcessingResources"]["ClusterConfig"]["VolumeSizeInGB"]
    assert (first, more) == (10, 40)
    monkeypatch.setattr("faceveil.jobs.processing.request.ANSWER_BYTES", 10**13)
    with pytest.raises(InputError, match="store the frames as JPEG"):
        request_of("all")


def test_photos_elsewhere_are_refused_before_anything_is_paid(request_of, job_id):
    selection = {"mode": "keep", "references": {"Ann": f"jobs/{job_id}/people/ann/"}}
    with pytest.raises(InputError, match=r"selection\.references\.Ann"):
        request_of("all", selection=selection)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"transform": {}}, "exclude each other"),
        ({"sampling": {"mode": "adaptive"}}, "detect in every frame"),
        ({"processing": {"instance_count": 101}}, "processing.instance_count"),
    ],
)
def test_a_job_json_that_processing_cannot_do_names_the_field(request_of, fields, message):
    with pytest.raises(InputError, match=message):
        request_of("all", **fields)


def test_machines_come_of_the_environment_or_are_asked_for():
    environment = {
        "FACEVEIL_PROCESSING_IMAGE": IMAGE,
        "FACEVEIL_PROCESSING_ROLE": ROLE,
        "FACEVEIL_PROCESSING_SUBNETS": "subnet-1,subnet-2",
        "FACEVEIL_PROCESSING_SECURITY_GROUPS": "sg-1",
        "FACEVEIL_FALLBACK_TYPES": "ml.r5d.xlarge",
        "FACEVEIL_KMS_KEY": KEY,
        "FACEVEIL_DETECTIONS_KMS_KEY": DETECTIONS_KEY,
        "FACEVEIL_VOLUME_KMS_KEY": KEY,
        "FACEVEIL_DEPLOYMENT": "test",
    }
    assert ProcessingMachines.from_environment(environment) == replace(MACHINES)
    with pytest.raises(UsageError, match="runs no Processing jobs"):
        ProcessingMachines.from_environment({})


@pytest.mark.parametrize(
    ("instance_type", "expected"),
    [
        ("ml.r5d.large", True),
        ("ml.g4dn.xlarge", True),
        ("ml.g5.2xlarge", True),
        ("ml.c5.xlarge", False),
        ("ml.m6i.large", False),
        ("ml.m7i-flex.large", False),
        ("ml.t3.medium", False),
    ],
)
def test_types_with_storage_of_their_own_are_known(instance_type, expected):
    assert has_local_storage(instance_type) is expected
