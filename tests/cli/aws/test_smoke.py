"""`faceveil aws smoke` against a whole pipeline on this machine, and against ones that fail.

The pipeline is that of `scripts/pipeline.py`: S3, functions, server and networks are real; that AWS
starts them is simulated.
"""

import io
import threading
import time

import boto3
import numpy as np
import pytest
from PIL import Image as Picture

from faceveil.cli.main import main
from faceveil.errors import InputError, OutputError
from faceveil.jobs import smoke
from faceveil.jobs.job import own_detections
from testkit.portraits import portrait_path
from testkit.servers.event_pipeline import BUCKET, event_pipeline
from testkit.servers.local_cloud import LocalCloud, object_created


def names(place, prefix=""):
    return {item.name for page in place.folder(prefix).pages(recursive=True) for item in page}


def job_json(pipeline, patience=60.0):
    """The key of the job.json that somebody writes."""
    until = time.monotonic() + patience
    while time.monotonic() < until:
        found = [name for name in names(pipeline.bucket) if name.endswith("/job.json")]
        if found:
            return found[0]
        time.sleep(0.2)
    raise AssertionError("no job was submitted")


@pytest.mark.slow
def test_two_frames_go_through_everything_and_leave_nothing(pipeline_runs, monkeypatch, capfd):
    # The session of the tests before this one holds the credentials of another S3.
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    with event_pipeline(lambda line: None) as pipeline:
        for name, value in pipeline.environment("operator").items():
            monkeypatch.setenv(name, value)
        codes = []
        words = ["aws", "smoke", str(portrait_path("obama3")), "--every", "1"]
        operator = threading.Thread(target=lambda: codes.append(main(words)))
        operator.start()
        pipeline.invoke("submit", "submit", object_created(BUCKET, job_json(pipeline)))
        pipeline.run_until_job_ends()
        operator.join(120)
        assert codes == [0]
        assert names(pipeline.bucket) == set()
    said = capfd.readouterr().out
    assert "ok       detections came back: " in said
    assert said.count("veiled, and unchanged elsewhere") == 2
    assert "ok       verification looked at the output" in said
    assert "ok       features are deleted" in said
    assert "$ (prices of " in said
    assert "FAILED" not in said


@pytest.fixture
def cloud(monkeypatch):
    """SageMaker's and Batch's control planes, where nothing runs."""
    with LocalCloud() as local:
        monkeypatch.setenv("AWS_ENDPOINT_URL_SAGEMAKER", local.url)
        monkeypatch.setenv("AWS_ENDPOINT_URL_BATCH", local.url)
        yield local


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "photo.png"
    Picture.fromarray(np.full((90, 120, 3), 128, np.uint8)).save(path)
    return path


def test_a_job_that_fails_is_told_and_deleted(aws_loud, place, photo, monkeypatch, capsys):
    monkeypatch.setattr(smoke, "new_id", lambda: "smoke-fails")
    detail = b'{"stage": "detect", "error": "InputError", "reason": "no machine"}'
    wait = smoke.JobClient.wait

    def fails(client, job_id, *rest):
        place.write(f"jobs/{job_id}/error.json", detail)
        place.write(f"{own_detections(job_id)}img0000001.png.out", b"{}")
        return wait(client, job_id, *rest)

    monkeypatch.setattr(smoke.JobClient, "wait", fails)
    assert aws_loud("smoke", photo) == OutputError.exit_code
    told = capsys.readouterr()
    assert "FAILED   the job failed at detect: no machine" in told.out
    assert not {name for name in names(place) if "smoke-fails" in name}


def test_a_job_that_does_not_end_in_time_is_stopped_and_deleted(
    aws_loud, place, photo, monkeypatch, capsys, cloud
):
    monkeypatch.setattr(smoke, "new_id", lambda: "smoke-waits")
    assert aws_loud("smoke", photo, "--timeout", 0.1) == OutputError.exit_code
    told = capsys.readouterr()
    assert "has not ended within 0 s: it is submitted" in told.err
    assert "job smoke-waits is stopped" in told.out
    assert not {name for name in names(place) if "smoke-waits" in name}


def test_a_file_that_is_no_photo_is_refused_before_anything_is_written(
    aws_loud, place, tmp_path, capsys
):
    bad = tmp_path / "photo.jpg"
    bad.write_bytes(b"no picture")
    before = names(place)
    assert aws_loud("smoke", bad) == InputError.exit_code
    assert aws_loud("smoke", tmp_path / "none.jpg") == InputError.exit_code
    assert names(place) == before


def test_what_a_frame_shows_is_judged_by_its_pixels():
    before = np.random.default_rng(0).integers(0, 256, (100, 200, 3), np.uint8)
    boxes = np.array([[80.0, 30.0, 110.0, 70.0]])
    veiled = before.copy()
    veiled[25:75, 75:115] = 0
    assert smoke._what_is_wrong(before, veiled, boxes) == ""
    assert "is not veiled" in smoke._what_is_wrong(before, before, boxes)
    veiled[0, 0] ^= 1
    assert "have changed" in smoke._what_is_wrong(before, veiled, boxes)
    assert "pixels" in smoke._what_is_wrong(before, before[:50], boxes)


def test_the_two_frames_differ_by_a_small_movement(photo):
    first, second = (
        np.asarray(Picture.open(io.BytesIO(frame))) for frame in smoke.frames_of(photo)
    )
    assert first.shape == second.shape == (smoke.HEIGHT, smoke.WIDTH, 3)
    assert (first[:, : -smoke.SHIFT] == second[:, smoke.SHIFT :]).all()
