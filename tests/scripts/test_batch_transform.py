"""scripts/batch_transform.py as it is called: options, exit codes, and no server left behind.

The model's server is the double of testkit/servers/stub_model_server.py, started as a process,
but for the last test, which starts the real one.
"""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from testkit import PROJECT

SCRIPT = PROJECT / "scripts" / "batch_transform.py"
STUB = PROJECT / "testkit" / "servers" / "stub_model_server.py"
COMMAND = f"{sys.executable} {STUB} serve"
NOWHERE = {"AWS_ENDPOINT_URL": "http://127.0.0.1:9", "AWS_ACCESS_KEY_ID": "x"}
ENVIRONMENT = {**os.environ, **NOWHERE, "AWS_SECRET_ACCESS_KEY": "x", "AWS_REGION": "eu-west-1"}


def call(folder, *options, command=COMMAND):
    """The script over in/ and out/ of a folder."""
    words = [sys.executable, str(SCRIPT), "in", "out", "--progress", "none", *options]
    if command is not None:
        words += ["--command", command]
    return subprocess.run(
        words, cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, check=False
    )


@pytest.fixture
def folder(tmp_path):
    """in/ holds three objects; the second fails the first time it is posted."""
    (tmp_path / "in").mkdir()
    for name, body in {"1.jpg": b"ok 1", "2.jpg": b"once 400", "3.jpg": b"ok 3"}.items():
        (tmp_path / "in" / name).write_bytes(body)
    return tmp_path


def outs(folder):
    return sorted(path.name for path in (folder / "out").iterdir())


def test_a_failed_job_names_its_objects_and_is_resumed(folder):
    """Another server is started for the second run: its first request for 2.jpg fails again."""
    first = call(folder, "--event", "-", "--job-name", "job-1")
    assert first.returncode == 1
    assert "2.jpg: the server answered 400" in first.stderr
    assert "job-1: 2 objects transformed, 1 failed" in first.stderr
    assert outs(folder) == ["1.jpg.out", "3.jpg.out"]
    event = json.loads(first.stdout)
    assert event["detail"]["TransformJobName"] == "job-1"
    assert event["detail"]["TransformJobStatus"] == "Failed"
    (folder / "in" / "2.jpg").write_bytes(b"ok 2")
    second = call(folder, "--resume", "--event", "event.json")
    assert second.returncode == 0, second.stderr
    assert "1 objects transformed, 0 failed, 2 had an answer already" in second.stderr
    assert outs(folder) == ["1.jpg.out", "2.jpg.out", "3.jpg.out"]
    event = json.loads((folder / "event.json").read_bytes())
    assert event["detail"]["TransformJobStatus"] == "Completed"


def test_the_options_reach_the_server_and_the_event(folder):
    (folder / "in" / "2.jpg").write_bytes(b"environment")
    options = ["--max-concurrent-transforms", "2", "--max-payload-in-mb", "9"]
    options += ["--batch-strategy", "SingleRecord", "--env", "SAGEMAKER_X=a=b"]
    options += ["--content-type", "image/jpeg", "--accept", "application/json", "--event", "-"]
    options += ["--invocations-timeout-in-seconds", "5", "--invocations-max-retries", "0"]
    done = call(folder, *options, "--model-name", "mine", "--server-log", "log")
    assert done.returncode == 0, done.stderr
    told = json.loads((folder / "out" / "2.jpg.out").read_bytes())
    assert told["SAGEMAKER_BATCH"] == "true"
    assert told["SAGEMAKER_MAX_CONCURRENT_TRANSFORMS"] == "2"
    assert told["SAGEMAKER_MAX_PAYLOAD_IN_MB"] == "9"
    assert told["SAGEMAKER_BATCH_STRATEGY"] == "SINGLE_RECORD"
    assert told["SAGEMAKER_X"] == "a=b"
    said = json.loads((folder / "out" / "1.jpg.out").read_bytes())
    assert (said["content_type"], said["accept"]) == ("image/jpeg", "application/json")
    detail = json.loads(done.stdout)["detail"]
    assert detail["ModelName"] == "mine"
    client = {"InvocationsTimeoutInSeconds": 5, "InvocationsMaxRetries": 0}
    assert detail["ModelClientConfig"] == client
    assert (folder / "log").read_text() == "stub is up\n"


def test_progress_counts_objects_with_an_eta(folder):
    (folder / "in" / "2.jpg").write_bytes(b"ok 2")
    done = call(folder, "--progress", "json")
    lines = [line for line in done.stderr.splitlines() if line.startswith("{")]
    last = json.loads(lines[-1])
    assert (last["stage"], last["frames"], last["total"]) == ("transform", 3, 3)
    assert {"frames_per_second", "eta_seconds"} <= set(last)


@pytest.mark.parametrize(
    ("options", "code", "reason"),
    [
        (["--job-name", "not_allowed"], 2, "job name"),
        (["--max-payload-in-mb", "101"], 2, "MaxPayloadInMB is 101"),
        (["--max-payload-in-mb", "50"], 2, "more than 100 MB"),
        (["--env", "novalue"], 2, "NAME=VALUE"),
        (["--url", "http://127.0.0.1:9"], 2, "not allowed with"),
        (["--memory", "4g"], 2, "--image"),
        (["--model-data", "gone.tar.gz"], 3, "gone.tar.gz"),
        (["--manifest"], 3, "in: cannot be read"),
        (["--server-log", "gone/log"], 5, "gone/log: cannot be written"),
        (["--event", "gone/event.json"], 5, "gone/event.json: cannot be written"),
    ],
)
def test_exit_codes(folder, options, code, reason):
    done = call(folder, *options)
    assert (done.returncode, reason in done.stderr) == (code, True), done.stderr
    assert "Traceback" not in done.stderr


def test_what_a_running_server_cannot_be_given_is_refused(folder):
    done = call(folder, "--url", "http://127.0.0.1:9", "--model-data", "m.tar.gz", command=None)
    assert done.returncode == 2
    assert "leave out --url" in done.stderr


def test_an_empty_folder_is_bad_input(tmp_path):
    (tmp_path / "in").mkdir()
    assert call(tmp_path).returncode == 3


@pytest.mark.parametrize("command", ["no-such-program", f"{sys.executable} -c 'exit(6)'"])
def test_a_server_that_does_not_start_is_told(folder, command):
    done = call(folder, command=command)
    assert done.returncode == (2 if command == "no-such-program" else 1)
    assert "cannot be started" in done.stderr or "with exit code 6" in done.stderr


def test_a_server_that_dies_ends_the_job(folder):
    (folder / "in" / "2.jpg").write_bytes(b"die")
    done = call(folder, "--event", "-")
    assert done.returncode == 1
    assert "the server ended by itself, with exit code 7" in done.stderr
    assert json.loads(done.stdout)["detail"]["TransformJobStatus"] == "Failed"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_job_stops_its_server(folder, number):
    """With an object under way that would take a minute, and others answered before."""
    (folder / "in" / "2.jpg").write_bytes(b"slow 60")
    words = [sys.executable, str(SCRIPT), "in", "out", "--event", "event.json"]
    words += ["--command", f"{COMMAND}", "--max-concurrent-transforms", "4"]
    running = subprocess.Popen(
        words, cwd=folder, env=ENVIRONMENT, stderr=subprocess.PIPE, text=True
    )
    try:
        while not (folder / "out").is_dir() or len(outs(folder)) < 2:
            assert running.poll() is None, running.stderr.read()
            time.sleep(0.05)
        server = int(Path(f"/proc/{running.pid}/task/{running.pid}/children").read_text())
        running.send_signal(number)
        _, said = running.communicate()
    finally:
        running.kill()
    assert running.returncode == 128 + number
    assert "--resume does the rest" in said
    assert not Path(f"/proc/{server}").exists()
    assert outs(folder) == ["1.jpg.out", "3.jpg.out"]
    event = json.loads((folder / "event.json").read_bytes())
    assert event["detail"]["TransformJobStatus"] == "Stopped"


@pytest.fixture
def real_server_options(model_server_runs):
    """Options that start the real server."""
    return ["--env", "SAGEMAKER_MODEL_SERVER_WORKERS=2"]


@pytest.mark.slow
def test_the_real_server_answers_what_the_library_does(tmp_path, real_server_options):
    """200 frames of a clip through this script and the real server, and through the library."""
    from faceveil.detect.build import AnalyzerOptions, build_analyzer
    from faceveil.faces import FrameFaces
    from faceveil.media.pictures import read_picture
    from testkit.clips import make_clip, write_frames

    write_frames(make_clip(320, 180, frame_count=200), tmp_path / "in")
    frames = sorted((tmp_path / "in").iterdir())
    assert len(frames) == 200
    done = call(tmp_path, *real_server_options, "--server-log", "log", command=None)
    assert done.returncode == 0, done.stderr
    analyzer = build_analyzer(AnalyzerOptions())
    faces = 0
    for frame in frames:
        answer = (tmp_path / "out" / f"{frame.name}.out").read_bytes()
        expected = analyzer(read_picture(frame)).to_json()
        served = json.loads(answer)
        assert served.pop("hidden") == [], "the server alone reads the file"
        assert served == json.loads(expected), frame.name
        faces += len(FrameFaces.from_json(answer))
    assert faces > 100
