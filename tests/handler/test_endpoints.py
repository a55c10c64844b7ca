"""The three endpoints of a running server: what SageMaker asks, and every kind of body."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from faceveil.faces import FrameFaces
from faceveil.media.pictures import read_picture
from testkit.request_pictures import bad_bodies, frames_of, noise

pytestmark = pytest.mark.slow

FRAMES = (0, 30, 60, 100, 230)
INVOCATIONS = 220
WARM = 40


def test_ping_tells_how_many_workers_hold_the_model(plugin, server):
    answer = server.get("/ping")
    assert answer.status == 200
    assert json.loads(answer.body) == {"status": "Healthy", "ready": 2, "workers": 2}


def test_execution_parameters_keep_to_sagemaker_s_limit(plugin, server):
    answer = server.get("/execution-parameters")
    assert answer.status == 200
    assert json.loads(answer.body) == {
        "MaxConcurrentTransforms": 2,
        "BatchStrategy": "SINGLE_RECORD",
        "MaxPayloadInMB": 20,
    }


@pytest.mark.parametrize("form", ["JPEG", "PNG"])
def test_frames_of_a_clip_are_answered_exactly_as_in_process(
    server, analyzer, shared_data: Path, form
):
    bodies = frames_of(shared_data / "hamilton" / "short_hamilton_clip.mp4", FRAMES, form)
    with ThreadPoolExecutor(2) as clients:
        answers = list(clients.map(server.post, bodies))
    assert [answer.status for answer in answers] == [200] * len(FRAMES)
    expected = [replace(analyzer(read_picture(body)), hidden=()).to_json() for body in bodies]
    assert [answer.body for answer in answers] == expected
    assert sum(len(FrameFaces.from_json(answer)) for answer in expected) >= len(FRAMES)


@pytest.mark.parametrize(
    "content_type",
    [
        "image/png",
        "application/x-image",
        "application/octet-stream",
        "text/csv",
        "application/json",
        None,
    ],
)
def test_the_picture_counts_and_not_its_content_type(server, analyzer, portrait, content_type):
    answer = server.post(portrait, content_type)
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.body == replace(analyzer(read_picture(portrait)), hidden=()).to_json()


@pytest.mark.parametrize(
    "content_type", ["application/x-www-form-urlencoded", "multipart/form-data; boundary=x"]
)
def test_a_picture_sent_as_a_form_is_taken_as_a_picture(plugin, server, portrait, content_type):
    """What curl --data-binary and many clients do where no content type is given."""
    answer = server.post(portrait, content_type)
    assert answer.status == 200
    assert len(FrameFaces.from_json(answer.body)) == 1


@pytest.mark.parametrize("defect", bad_bodies(b""))
def test_a_bad_picture_fails_no_job(server, portrait, defect):
    answer = server.post(bad_bodies(portrait)[defect])
    assert answer.status == 200
    assert FrameFaces.from_json(answer.body).error is not None


def test_a_form_fails_no_job(plugin, server):
    answer = server.post(b"a=1&b=%zz&c", "application/x-www-form-urlencoded")
    assert answer.status == 200
    assert FrameFaces.from_json(answer.body).error is not None


def test_a_body_over_the_payload_limit_is_refused_and_the_next_is_served(server, portrait):
    assert server.post(noise(60 << 20)).status == 413
    assert server.post(portrait).status == 200


def test_the_management_api_is_not_on_the_public_port(server):
    assert server.get("/models").status >= 400
    assert server.ask("DELETE", "/models/faceveil").status >= 400
    assert server.ping() == 200


def test_memory_and_file_descriptors_stay_flat(server, shared_data):
    """220 invocations; benchmarks/cloud/serving.py does 2,000."""
    bodies = frames_of(shared_data / "hamilton" / "short_hamilton_clip.mp4", FRAMES, "JPEG")
    requests = [bodies[number % len(bodies)] for number in range(INVOCATIONS)]

    def ask(body: bytes) -> int:
        return server.post(body).status

    with ThreadPoolExecutor(2) as clients:
        assert set(clients.map(ask, requests[:WARM])) == {200}
        time.sleep(0.5)
        before = usage(server)
        assert set(clients.map(ask, requests[WARM:])) == {200}
        time.sleep(0.5)
        after = usage(server)
    assert before.keys() == after.keys(), "a process was replaced"
    for process, (files, memory_kb) in after.items():
        assert files <= before[process][0] + 2
        assert memory_kb <= before[process][1] + 30_000


def usage(server) -> dict[int, tuple[int, int]]:
    """Open files and resident KiB by process id, of the JVM and its workers."""
    return {
        process: (len(list(Path(f"/proc/{process}/fd").iterdir())), resident_kb(process))
        for process in (server.jvm(), *server.workers())
    }


def resident_kb(process: int) -> int:
    status = Path(f"/proc/{process}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0])
