"""examples/backend.py: a backend embeds the studio, with its own rights check."""

import asyncio
import base64
import importlib.util
import io
import json
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from contextlib import contextmanager

import numpy as np
import pytest
import uvicorn
from PIL import Image as Picture

from faceveil.aws.s3 import S3Location
from faceveil.corrections.document import parse_corrections
from faceveil.jobs import state_machine
from faceveil.jobs.client import JobClient
from testkit import PROJECT
from testkit.clips import make_clip, write_video
from testkit.made_job import JOB_ID, MadeJob

EXAMPLE = PROJECT / "examples" / "backend.py"
USERS = {
    "ada": {"password": "engine", "jobs": [JOB_ID]},
    "bob": {"password": "other", "jobs": ["talk-9"]},
}


@pytest.fixture
def made(bucket, s3_url, tmp_path):
    made = MadeJob(S3Location.open(f"s3://{bucket}", s3_url), tmp_path)
    made.upload()
    state_machine.run_whole_job(made.run())
    return made


@contextmanager
def serving(app, listener):
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", timeout_graceful_shutdown=2))
    thread = threading.Thread(target=lambda: asyncio.run(server.serve([listener])), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    server.should_exit = True
    thread.join(30)
    listener.close()


@pytest.fixture
def url(made, s3_url):
    spec = importlib.util.spec_from_file_location("example_backend", EXAMPLE)
    example = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(example)
    listener = socket.create_server(("127.0.0.1", 0))
    hosts = [f"127.0.0.1:{listener.getsockname()[1]}"]
    client = JobClient(made.bucket.bucket, endpoint_url=s3_url)
    with serving(example.ReviewBackend(client, USERS, hosts).app, listener) as url:
        yield url


def ask(address, user=None, **headers):
    if user is not None:
        told = f"{user}:{USERS[user]['password']}".encode()
        headers["Authorization"] = f"Basic {base64.b64encode(told).decode()}"
    try:
        with urllib.request.urlopen(urllib.request.Request(address, headers=headers)) as answer:
            return answer.status, answer.read(), answer.geturl()
    except urllib.error.HTTPError as error:
        return error.code, error.read(), address


def test_only_who_may_review_a_job_sees_it(url, made):
    page = f"{url}/jobs/{JOB_ID}"
    assert ask(page)[0] == 401
    assert ask(page, Authorization="Basic %%%")[0] == 401
    assert ask(page, "bob")[0] == 403
    assert ask(f"{url}/jobs/talk-9", "bob")[0] == 409, "there is no such job"
    status, content, _ = ask(page, "ada")
    assert (status, b"<faceveil-review" in content) == (200, True)
    # The API of the review takes its token alone: neither nothing nor the password.
    api = f"{url}/reviews/{JOB_ID}/ada/api/v1/state"
    assert ask(api)[0] == 403
    assert ask(api, "ada")[0] == 403
    token = content.decode().partition('token="')[2].partition('"')[0]
    assert ask(api, Authorization=f"Bearer {token}")[0] == 200


def test_a_frame_comes_from_s3_under_an_address_that_expires(url, made):
    frame = f"{url}/jobs/{JOB_ID}/frames/3"
    assert ask(frame)[0] == 401
    status, content, address = ask(frame, "ada")
    assert (status, content) == (200, made.place.read("frames/img0000004.png"))
    assert "X-Amz-Expires=60" in address
    assert ask(f"{url}/jobs/{JOB_ID}/frames/999", "ada")[0] == 404
    assert ask(f"{frame}?rendered=other-job", "ada")[0] == 403


@pytest.mark.slow
def test_the_studio_works_inside_another_page(url, made, browser):
    """A real browser: the component asks under its own base with its own token, and corrects."""
    ada = {"username": "ada", "password": USERS["ada"]["password"]}
    context = browser.new_context(http_credentials=ada)
    page = context.new_page()
    page.goto(f"{url}/jobs/{JOB_ID}")
    page.get_by_role("button", name="is veiled").first.click(timeout=60_000)
    page.get_by_role("button", name="is kept").first.wait_for()
    context.close()
    entries = parse_corrections(made.place.read("corrections.json"), "").entries
    assert [(entry.op, entry.by) for entry in entries if entry.op != "looked"] == [
        ("decide", "ada")
    ]


@pytest.fixture
def local(pipeline_runs, tmp_path):
    """The address and the password of the example over a cloud on this machine, as its one command
    starts it."""
    clip, log = tmp_path / "talk.mp4", tmp_path / "log"
    write_video(make_clip(320, 180, 12), clip)
    words = [sys.executable, str(EXAMPLE), "--local", str(clip), "--port", "0"]
    with log.open("w") as stream:
        process = subprocess.Popen(words, stdout=stream, stderr=subprocess.STDOUT)
    try:
        until(lambda: "password" in log.read_text() or process.poll() is not None)
        address, password = re.search(
            r"(http://\S+)/jobs/talk .*\nuser reviewer, password (\S+)", log.read_text()
        ).groups()
        USERS["reviewer"] = {"password": password}
        yield address
    finally:
        USERS.pop("reviewer", None)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0, log.read_text()


def until(is_so, seconds=300):
    deadline = time.monotonic() + seconds
    while not (found := is_so()):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    return found


@pytest.mark.slow
def test_one_command_starts_it_all_and_a_decision_takes_the_veil_away(local):
    """Everything real: frames in S3, detection, the review of the job, the job that renders it."""
    address = f"{local}/jobs/talk"
    assert ask(address)[0] == 401
    until(lambda: ask(address, "reviewer")[0] == 200)
    _, page, _ = ask(address, "reviewer")
    token = page.decode().partition('token="')[2].partition('"')[0]

    def api(path, body=None):
        request = urllib.request.Request(
            f"{local}/reviews/talk/reviewer/api/v1/{path}",
            None if body is None else json.dumps(body).encode(),
            {"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.loads(answer.read())

    frame = 6
    boxes = api(f"boxes?first={frame}&last={frame}")
    (kept, veiled), (sequence, _) = boxes["boxes"], boxes["sequences"]
    decide = {"op": "decide", "target": {"sequence": sequence}, "decision": "keep"}
    api("corrections", {"revision": boxes["revision"], **decide})
    task = api("render", {})
    ended = until(lambda: (found := api(f"tasks/{task['id']}"))["state"] != "running" and found)
    assert ended["state"] == "done", ended
    rendered = ended["message"].split()[1].rstrip(":")

    def pixels(box, query=""):
        _, content, _ = ask(f"{local}/jobs/talk/frames/{frame}{query}", "reviewer")
        x1, y1, x2, y2 = np.array(box).astype(int)
        across, down = (x2 - x1) // 4, (y2 - y1) // 4
        picture = np.asarray(Picture.open(io.BytesIO(content)))
        return picture[y1 + down : y2 - down, x1 + across : x2 - across]

    query = f"?rendered={rendered}"
    assert np.array_equal(pixels(kept), pixels(kept, query))
    assert not np.array_equal(pixels(veiled), pixels(veiled, query))
