"""examples/backend.py: a click on a face becomes a job that keeps that person and veils the others.

Over HTTP and, where there is a Chromium, in a real browser. The job is the made one, and its
networks are left out; the last test has everything real, as `--local` starts it.
"""

import importlib.util
import io
import json
import shutil
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from dataclasses import replace
from http.server import ThreadingHTTPServer

import numpy as np
import pytest
from PIL import Image as Picture

from faceveil.aws.s3 import S3Location
from faceveil.jobs import state_machine
from faceveil.jobs.client import JobClient
from testkit import PROJECT
from testkit.clips import make_clip, write_video
from testkit.made_job import FRAMES, JOB_ID, MadeJob, faces_at

EXAMPLE = PROJECT / "examples" / "backend.py"
FRAME = 5
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)

CLICKER = b"""<!doctype html><iframe id="page" src="/#frame=5" width="1200" height="700"></iframe>
<p id="said"></p><script>
  const timer = setInterval(() => {
    const page = document.getElementById("page").contentDocument;
    const faces = [...page.querySelectorAll("rect")], after = page.getElementById("after");
    const outcome = page.getElementById("outcome").textContent;
    if (outcome === "Everyone is veiled." && faces.length === 2 && !page.querySelector(".picked"))
      faces[0].dispatchEvent(new Event("click"));
    if (outcome.includes("nothing was detected again") && after.complete) {
      clearInterval(timer);
      document.getElementById("said").textContent = `${after.naturalWidth} wide: ${after.src}`;
    }
  }, 100);
</script>"""
"""A page that clicks on the first face of the backend's page, as a person would."""


@pytest.fixture(scope="module")
def example():
    spec = importlib.util.spec_from_file_location("example_backend", EXAMPLE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def made(busy_bucket, s3_url, tmp_path_factory):
    """The made job, completed: everyone is veiled. Gone afterwards."""
    bucket = S3Location.open(f"s3://{busy_bucket}", s3_url)
    made = MadeJob(bucket, tmp_path_factory.mktemp("backend"))
    made.upload()
    state_machine.run_whole_job(made.run())
    yield made
    made.remove_all()


@pytest.fixture(scope="module")
def url(made, s3_url, example):
    """The backend, with a deployment that does a job while its choice is being answered."""
    client = JobClient(made.bucket.bucket, endpoint_url=s3_url)

    class Deployed(example.Backend):
        def choose(self, *choice):
            chosen = super().choose(*choice)
            state_machine.run_whole_job(replace(made.run(), job=client.job(chosen["job"])))
            return chosen

    class Handler(example.handler_of(Deployed(client, JOB_ID))):
        def do_GET(self):  # noqa: N802, the server's name for it
            if self.path == "/click":
                self._send(200, CLICKER, "text/html")
            else:
                super().do_GET()

    with serving(Handler) as url:
        yield url


@contextmanager
def serving(handler):
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def get(url):
    with urllib.request.urlopen(url, timeout=30) as answer:
        return answer.read()


def ask(url):
    return json.loads(get(url))


def click(url, mode, frame, box):
    x1, y1, x2, y2 = box
    return post(url, {"mode": mode, "frame": frame, "x": (x1 + x2) / 2, "y": (y1 + y2) / 2})["job"]


def post(url, body):
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(f"{url}/choices", json.dumps(body).encode(), headers)
    return ask(request)


def refusal(call, *arguments):
    with pytest.raises(urllib.error.HTTPError) as caught:
        call(*arguments)
    with caught.value as answer:
        return answer.code, json.loads(answer.read())["error"]


def pixels(url, frame, box, job=None):
    """What is seen in the middle of a box."""
    picture = Picture.open(
        io.BytesIO(get(f"{url}/frames/{frame}" + (f"?job={job}" if job else "")))
    )
    x1, y1, x2, y2 = np.array(box).astype(int)
    quarter_x, quarter_y = (x2 - x1) // 4, (y2 - y1) // 4
    return np.asarray(picture)[y1 + quarter_y : y2 - quarter_y, x1 + quarter_x : x2 - quarter_x]


@pytest.mark.parametrize(("mode", "clicked_shows"), [("keep", True), ("only", False)])
def test_a_click_decides_who_is_seen(url, mode, clicked_shows):
    assert b"Who stays visible?" in get(url)
    assert ask(f"{url}/job") | {"text": ""} == {
        "id": JOB_ID, "frames": FRAMES, "state": "completed", "text": "", "has_ended": True
    }  # fmt: skip
    faces = ask(f"{url}/faces/{FRAME}")["faces"]
    boxes = sorted(face["box"] for face in faces)
    assert np.abs(np.array(boxes) - faces_at(FRAME).boxes).max() < 1
    ann, bob = boxes
    job = click(url, mode, FRAME, ann)
    assert click(url, mode, FRAME, ann) == job
    assert ask(f"{url}/jobs/{job}")["state"] == "completed"
    for box, shows in ((ann, clicked_shows), (bob, not clicked_shows)):
        before, after = pixels(url, FRAME, box), pixels(url, FRAME, box, job)
        assert np.array_equal(before, after) == shows
        # Everyone is veiled in the first job.
        assert not np.array_equal(before, pixels(url, FRAME, box, JOB_ID))


def test_what_cannot_be_answered_says_why(url, made, s3_url, example):
    assert refusal(ask, f"{url}/nothing") == (404, "there is nothing here")
    assert refusal(ask, f"{url}/frames/{FRAMES}") == (409, f"there is no frame {FRAMES}")
    assert refusal(ask, f"{url}/jobs/other") == (409, "'other' is no job of this page")
    assert refusal(ask, f"{url}/frames/0?job=other")[0] == 409
    for body in ({"mode": "keep"}, {"mode": "none", "frame": 0, "x": 1, "y": 1}, []):
        assert refusal(post, url, body)[0] == 400
    form = urllib.request.Request(f"{url}/choices", b"mode=keep")
    assert refusal(ask, form) == (400, "post JSON to /choices")
    code, reason = refusal(post, url, {"mode": "keep", "frame": FRAME, "x": 1, "y": 1})
    assert (code, "there is no face in frame 5" in reason) == (409, True)
    nobody = example.Backend(JobClient(made.bucket.bucket, endpoint_url=s3_url), "no-such-job")
    with serving(example.handler_of(nobody)) as other:
        assert "there is no such job" in refusal(ask, f"{other}/job")[1]


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium, to click in a real browser")
def test_a_click_in_a_real_browser_brings_the_other_picture(url, tmp_path):
    words = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path}"]
    words += ["--virtual-time-budget=30000", "--dump-dom", f"{url}/click"]
    done = subprocess.run(
        [CHROMIUM, *words], capture_output=True, text=True, timeout=120, check=True
    )
    assert f'<p id="said">160 wide: {url}/frames/{FRAME}?job={JOB_ID}-keep-' in done.stdout


@pytest.fixture
def local(pipeline_runs, tmp_path):
    """The address of the example over a cloud on this machine, as its one command starts it."""
    clip, log = tmp_path / "talk.mp4", tmp_path / "log"
    write_video(make_clip(320, 180, 12), clip)
    words = [sys.executable, str(EXAMPLE), "--local", str(clip), "--port", "0"]
    with log.open("w") as stream:
        process = subprocess.Popen(words, stdout=stream, stderr=subprocess.STDOUT)
    try:
        until(lambda: " shows job talk" in log.read_text() or process.poll() is not None)
        (address,) = [line for line in log.read_text().splitlines() if " shows job " in line]
        assert f"kill {process.pid}" in address
        yield address.partition(" ")[0]
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0, log.read_text()


def until(is_so, seconds=300):
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.2)


@pytest.mark.slow
def test_one_command_starts_it_all_and_a_click_takes_the_veil_away(local):
    until(lambda: ask(f"{local}/job")["has_ended"])
    assert ask(f"{local}/job")["text"] == "completed"
    frame = 6
    first, second = (face["box"] for face in ask(f"{local}/faces/{frame}")["faces"])
    job = click(local, "keep", frame, first)
    until(lambda: ask(f"{local}/jobs/{job}")["has_ended"])
    assert ask(f"{local}/jobs/{job}")["text"] == "completed"
    kept = np.array_equal(pixels(local, frame, first), pixels(local, frame, first, job))
    veiled = np.array_equal(pixels(local, frame, second), pixels(local, frame, second, job))
    assert (kept, veiled) == (True, False)
