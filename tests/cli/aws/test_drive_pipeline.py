"""`faceveil aws` before and after the whole pipeline of this machine, with all networks.

Real: S3 (SeaweedFS), the functions in AWS's runtime client, the server under the local Batch
Transform runner. Simulated: that AWS starts them (testkit/servers/event_pipeline.py).
"""

import json

import pytest
from botocore.exceptions import ClientError

from faceveil.aws.s3 import S3Location
from faceveil.cli.main import main
from faceveil.media.video import VideoSource
from testkit.clips import make_clip, write_video
from testkit.servers.event_pipeline import BUCKET, Pipeline
from testkit.servers.local_cloud import LocalCloud, object_created
from testkit.servers.processes import client

FRAMES = 12


@pytest.fixture
def deployment(pipeline_runs, s3_url, tmp_path, monkeypatch):
    """The pipeline of this machine, for `faceveil aws` the one that the environment names."""
    try:
        client("s3", s3_url).create_bucket(Bucket=BUCKET)
    except ClientError as error:
        assert "BucketAlready" in error.response["Error"]["Code"]
    with LocalCloud() as local:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", s3_url)
        monkeypatch.setenv("AWS_ENDPOINT_URL_SAGEMAKER", local.url)
        monkeypatch.setenv("FACEVEIL_BUCKET", BUCKET)
        yield Pipeline(s3_url, local, tmp_path, lambda line: None)


def contents(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@pytest.mark.slow
def test_what_comes_back_is_what_this_machine_makes_of_the_same_frames(
    deployment, tmp_path, job_id, capsys
):
    video, there = tmp_path / "talk.mp4", tmp_path / "there"
    clip = make_clip(320, 180, frame_count=FRAMES)
    write_video(clip, video)
    x1, y1, x2, y2 = clip.truth.boxes[clip.truth.frames == 5][0]
    keep = f"5:{(x1 + x2) / 2:.0f},{(y1 + y2) / 2:.0f}"
    upload = ["upload", str(video), "--job", job_id, "--format", "png", "--with-video"]
    assert main(["aws", *upload]) == 0
    assert main(["aws", "submit", job_id, "--keep-at", keep, "--video", "veiled"]) == 0
    deployment.invoke("submit", "submit", object_created(BUCKET, f"jobs/{job_id}/job.json"))
    deployment.run_until_job_ends()
    assert main(["aws", "watch", job_id]) == 0
    assert "completed" in capsys.readouterr().err
    assert main(["aws", "download", job_id, str(there)]) == 0
    frames, here = tmp_path / "frames", tmp_path / "here"
    frames.mkdir()
    place = S3Location.open(f"s3://{deployment.bucket.bucket}/frames/{job_id}", deployment.url)
    for page in place.pages():
        for item in page:
            (frames / item.name).write_bytes(place.read(item.name))
    words = [str(frames), str(here), "--keep-at", keep, "--tracking", "off", "--quiet"]
    assert main(["veil", *words]) == 0
    assert contents(there / "veiled") == contents(here) != contents(frames)
    assert VideoSource(there / "veiled.mp4").frame_count == FRAMES
    report = json.loads((there / "report.json").read_bytes())
    assert report["verification"]["violations"] == []
