"""Another person is chosen, and nothing is detected anew: from a second job.json to its output.

Real: S3 (SeaweedFS), the functions in AWS's runtime client, the children of Batch. Simulated: what
starts them, by testkit/servers/event_pipeline.py.
"""

import json

import pytest
from botocore.exceptions import ClientError

from faceveil.jobs import state_machine
from faceveil.jobs.job import read_job
from faceveil.jobs.state_changes import TransformEnd
from testkit.made_job import MadeJob, document
from testkit.servers.event_pipeline import BUCKET, Pipeline
from testkit.servers.local_cloud import LocalCloud
from testkit.servers.processes import client

AGAIN = "talk-again"
BOB_AT = {"frame": 9, "x": 107, "y": 50}


@pytest.fixture
def narrated():
    """The lines in which the pipeline says what it does."""
    return []


@pytest.fixture
def cloud(s3_url, tmp_path, narrated):
    """The pipeline of this machine, with the tests' S3."""
    try:
        client("s3", s3_url).create_bucket(Bucket=BUCKET)
    except ClientError as error:
        assert "BucketAlready" in error.response["Error"]["Code"]
    with LocalCloud() as local:
        yield Pipeline(s3_url, local, tmp_path, narrated.append)


@pytest.mark.slow
def test_one_person_kept_in_a_second_job_over_the_same_detections(cloud, narrated, tmp_path):
    made = MadeJob(cloud.bucket, tmp_path)
    made.upload(verification="off")
    assert state_machine.run_whole_job(made.run()) == "completed"
    everyone = made.objects("veiled/")
    chosen = {
        "id": AGAIN,
        "detections": {"prefix": "detections/talk/"},
        "selection": {"mode": "keep", "points": [BOB_AT]},
        "verification": "off",
    }
    second = document(**chosen)
    second["frames"] = json.loads(made.place.read("job.json"))["frames"]

    cloud.submit(second)
    (submitted,) = cloud.cloud.happened.queue
    assert json.loads(submitted[1]["Detail"])["transform_job"] is None
    cloud.run_until_job_ends()
    folder = cloud.bucket.folder(f"jobs/{AGAIN}/")
    veiled = {item.name: folder.read(f"veiled/{item.name}") for item in listed(folder, "veiled/")}
    job = read_job(folder.read("job.json"), "job.json")
    assert veiled == made.rendered_here(job=job)
    assert veiled != everyone
    assert made.objects("veiled/") == everyone
    assert not any("transform job" in line for line in narrated)

    before = listed(folder, recursive=True)
    cloud.cloud.happened.put(submitted)
    cloud.cloud.happened.put(
        ("PutEvents", {"DetailType": "FaceVeil Job Completed", "Detail": "{}"})
    )
    cloud.run_until_job_ends()
    assert listed(folder, recursive=True) == before


def listed(place, below="", **options):
    place = place.folder(below) if below else place
    return [item for page in place.pages(**options) for item in page]


def test_a_job_that_waits_for_its_transform_is_not_begun_by_such_an_event(uploaded):
    event = TransformEnd("talk", "Completed", "", None, is_reuse=True)
    run = uploaded.run()
    assert state_machine.on_transform_ended(run, event, None, None) == "elsewhere"
    assert uploaded.results() == {}
