"""Frames of a real clip in S3 -> the server -> event -> Lambda, or Batch -> veiled frames in S3.

Real: S3 (SeaweedFS), the server of handler/ under scripts/batch_transform.py, awslambdaric with
the handler, the children's program, all networks. Simulated: SageMaker itself (the script stands
for it), the Runtime API, and Batch, whose children this test starts.

FACEVEIL_E2E_FRAMES=275 takes the whole clip (minutes).
"""

import json
import os
import subprocess
import sys

import pytest
from PIL import Image as Picture

from faceveil.aws.s3 import S3Location
from faceveil.cli.main import main
from faceveil.jobs import state_machine
from faceveil.jobs.chunks.budget import Budget
from faceveil.jobs.settings import analyzer_of
from faceveil.jobs.state_changes import TransformEnd
from faceveil.media.folder import FolderSource
from faceveil.media.video import VideoSource
from testkit import PROJECT
from testkit.made_job import MadeJob
from testkit.servers.lambda_runtime_api import LambdaFunction

FRAMES = int(os.environ.get("FACEVEIL_E2E_FRAMES", "24"))  # with the cut at frame 20
PERSON = "lin-manuel-miranda"


@pytest.fixture
def server_options(model_server_runs):
    """Options that start the real server."""
    return ["--env", "SAGEMAKER_MODEL_SERVER_WORKERS=1"]


def split(video, folder):
    folder.mkdir()
    for frame, number in zip(VideoSource(video), range(FRAMES), strict=False):
        name = f"img{number + 1:07d}.png"
        Picture.fromarray(frame.rgb()).save(folder / name, compress_level=1)


@pytest.mark.slow
def test_the_cloud_veils_as_the_command_does(bucket, s3_url, tmp_path, shared_data, server_options):
    clip = shared_data / "hamilton"
    frames, photo = tmp_path / "frames", clip / f"{PERSON}.png"
    split(clip / "short_hamilton_clip.mp4", frames)
    made = MadeJob(S3Location.open(f"s3://{bucket}", s3_url), tmp_path)
    for path in frames.iterdir():
        made.place.write(f"frames/{path.name}", path.read_bytes())
    made.place.write(f"references/miranda/{photo.name}", photo.read_bytes())
    job = {
        "version": 1,
        "id": "talk",
        "frames": {"prefix": "jobs/talk/frames/", "digest": FolderSource(frames).digest()},
        "selection": {"mode": "keep", "references": {PERSON: "jobs/talk/references/miranda/"}},
    }
    made.place.write("job.json", json.dumps(job).encode())

    words = [f"s3://{bucket}/jobs/talk/frames/", f"s3://{bucket}/detections/talk/"]
    words += ["--endpoint-url", s3_url, "--job-name", "faceveil-talk"]
    words += ["--event", str(tmp_path / "event.json"), "--progress", "none", *server_options]
    script = [sys.executable, str(PROJECT / "scripts" / "batch_transform.py")]
    done = subprocess.run([*script, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr

    environment = {"AWS_ENDPOINT_URL_S3": s3_url, "FACEVEIL_BUCKET": bucket}
    event = json.loads((tmp_path / "event.json").read_bytes())
    with LambdaFunction("postprocess_lambda.app.handler", environment, tmp_path, 600) as function:
        answer = function.invoke(event)
    assert answer.payload.get("outcome") == "completed", (answer, function.log)
    assert json.loads(made.place.read("report.json"))["verification"]["looked_at"] > 0

    local = tmp_path / "local"
    options = ["--keep", str(photo), "--tracking", "off", "--verify-frames", "off", "--quiet"]
    assert main(["veil", str(frames), str(local), *options]) == 0
    expected = {path.name: path.read_bytes() for path in local.iterdir()}
    veiled = made.objects("veiled/")
    assert veiled == expected
    original = {path.name: path.read_bytes() for path in frames.iterdir()}
    assert any(veiled[name] != original[name] for name in original), "somebody is veiled"

    # the same once more, by children of an array job
    made.place.delete([n for n in made.results() if not n.startswith("references/")])
    submitted = []

    class Queue:
        def submit_chunks(self, run, plan):
            submitted.append(plan.count)
            return "batch-1"

    run = made.run(analyzer=lambda: analyzer_of(made.run().job.networks))
    no_memory = Budget(lambda: 900.0, 0, 0)
    ended = TransformEnd("talk", "Completed", "", None)
    assert state_machine.on_transform_ended(run, ended, no_memory, Queue()) == "rendering"
    assert submitted == [2]
    assert made.objects("veiled/") == {}
    for index in range(2):
        child = [sys.executable, "-m", "postprocess_lambda", "chunk", "--job", "talk"]
        told = {**os.environ, **environment, "AWS_BATCH_JOB_ARRAY_INDEX": str(index)}
        done = subprocess.run(
            child, cwd=PROJECT, env=told, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
    assert made.objects("veiled/") == expected
    assert "_SUCCESS" in made.results()
