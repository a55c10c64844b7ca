"""A running server when things go wrong: killed and hung workers, a dead JVM, SIGTERM, weights."""

import contextlib
import http.client
import os
import shutil
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from faceveil.weights.cache import weights_folder
from handler.busy import is_running
from testkit.servers.model_server import RunningServer, start_server, wait_for

pytestmark = pytest.mark.slow

WITHIN_SECONDS = 15
REFUSE_LICENCE = """
import pathlib, sys
from faceveil.weights import manifest
allowed = "commercial_use = "
text = manifest.BUILT_IN_MANIFEST.read_text().replace(allowed + "true", allowed + "false")
path = pathlib.Path(sys.argv[1], "manifest.toml")
path.write_text(text)
manifest.BUILT_IN_MANIFEST = path
from handler import check
raise SystemExit(check.main())
"""


@pytest.fixture
def own_server(compiled) -> RunningServer:
    """A ready server with two workers and a time limit of six seconds, to be maltreated."""
    with start_server(
        SAGEMAKER_MODEL_SERVER_WORKERS="2", SAGEMAKER_MODEL_SERVER_TIMEOUT_SECONDS="6", **compiled
    ) as running:
        running.wait_until_ready(workers=2)
        yield running


def test_a_killed_worker_fails_one_request_which_succeeds_when_sent_again(
    own_server, portrait, large_portrait
):
    with ThreadPoolExecutor(3) as clients:
        struck = clients.submit(own_server.post, large_portrait)
        victim = own_server.busy_worker()
        os.kill(victim, signal.SIGKILL)
        others = [clients.submit(own_server.post, portrait) for _ in range(6)]
        assert struck.result().status >= 500
        assert {other.result().status for other in others} == {200}
        assert own_server.post(large_portrait).status == 200
    own_server.wait_until_ready(workers=2)
    assert victim not in own_server.workers()


def test_a_hung_worker_is_killed_and_replaced(own_server, portrait, large_portrait):
    with ThreadPoolExecutor(1) as clients:
        struck = clients.submit(own_server.post, large_portrait)
        victim = own_server.busy_worker()
        os.kill(victim, signal.SIGSTOP)
        assert own_server.post(portrait).status == 200
        assert struck.result().status >= 500
    wait_for(lambda: victim not in own_server.workers(), "end of the hung worker", own_server)
    own_server.wait_until_ready(workers=2)
    assert own_server.post(portrait).status == 200
    assert f"worker {victim} hangs" in own_server.log()


def test_ping_says_so_when_no_worker_holds_the_model(plugin, own_server):
    statuses = set()
    for worker in own_server.workers():
        os.kill(worker, signal.SIGKILL)
    wait_for(
        lambda: statuses.add(own_server.ping()) or 503 in statuses, "unhealthy ping", own_server
    )
    own_server.wait_until_ready(workers=2)


def test_the_end_of_the_jvm_is_the_end_of_all(own_server):
    workers = own_server.workers()
    os.kill(own_server.jvm(), signal.SIGKILL)
    assert own_server.process.wait(timeout=WITHIN_SECONDS) != 0
    wait_for(lambda: not any(map(is_running, workers)), "end of the workers", own_server)
    assert list(own_server.folder.glob("faceveil-serve-*")) == []


def test_sigterm_under_load_loses_no_accepted_request(plugin, own_server, portrait):
    """Six wait in the queue when it comes; other clients go on sending all the time."""
    sent = 6
    after: list[int | None] = []
    stop = threading.Event()

    def go_on() -> None:
        while not stop.is_set():
            with contextlib.suppress(OSError, http.client.HTTPException):
                after.append(own_server.post(portrait).status)

    with ThreadPoolExecutor(sent + 1) as clients:
        accepted = [clients.submit(own_server.post, portrait) for _ in range(sent)]
        own_server.busy_worker()
        time.sleep(0.1)
        own_server.process.send_signal(signal.SIGTERM)
        clients.submit(go_on)
        assert [request.result().status for request in accepted] == [200] * sent
        assert own_server.process.wait(timeout=30) == 0
        stop.set()
    assert set(after) <= {200, 503}
    assert own_server.ping() is None


def test_workers_of_a_server_told_to_stop_are_gone(own_server):
    workers = own_server.workers()
    assert own_server.terminate() == 0
    wait_for(lambda: not any(map(is_running, workers)), "end of the workers", own_server)


def test_ping_is_never_healthy_before_a_worker_holds_the_model(plugin, compiled):
    with start_server(**compiled) as starting:
        seen = []
        wait_for(lambda: seen.append(starting.ping()) or 200 in seen, "ping", starting, 0.01)
        assert set(seen) <= {None, 503, 200}
        assert starting.workers()


def test_told_to_stop_before_it_serves_it_ends_at_once_and_leaves_nothing(java):
    with start_server() as starting:
        own_folders = "faceveil-serve-*"
        wait_for(lambda: any(starting.folder.glob(own_folders)), "start", starting, 0.005)
        assert starting.terminate() == 0
        assert not any(starting.folder.glob(own_folders))


@pytest.mark.parametrize("damage", ["missing", "corrupt", "another artifact"])
def test_without_intact_weights_it_ends_at_once_and_is_never_healthy(java, tmp_path, damage):
    folder = tmp_path / "model"
    folder.mkdir()
    if damage == "corrupt":
        shutil.copytree(weights_folder(), folder, dirs_exist_ok=True)
        with (folder / "centerface" / "model.onnx").open("r+b") as stream:
            stream.seek(1000)
            stream.write(b"\xff" * 8)
    if damage == "another artifact":
        (folder / "model.pth").write_bytes(b"x")
        variables = {"SAGEMAKER_BASE_DIR": str(tmp_path), "FACEVEIL_WEIGHTS": ""}
    else:
        variables = {"FACEVEIL_WEIGHTS": str(folder)}
    with start_server(**variables) as starting:
        end = time.monotonic() + WITHIN_SECONDS
        while starting.process.poll() is None and time.monotonic() < end:
            assert starting.ping() is None
            time.sleep(0.05)
        assert starting.process.poll() == 6
        assert str(folder) in starting.log()


def test_a_refused_licence_ends_it(java, tmp_path):
    with start_server(("-c", REFUSE_LICENCE, str(tmp_path))) as starting:
        assert starting.process.wait(timeout=WITHIN_SECONDS) == 6
        assert "does not allow commercial use" in starting.log()
    accepting = {"FACEVEIL_ACCEPT_LICENCE": "yes"}
    with start_server(("-c", REFUSE_LICENCE, str(tmp_path)), **accepting) as starting:
        assert starting.process.wait(timeout=WITHIN_SECONDS) == 0


@pytest.mark.parametrize(
    ("name", "value"), [("FACEVEIL_MIN_FACE_SIZE", "tiny"), ("SAGEMAKER_BIND_TO_PORT", "70000")]
)
def test_a_bad_variable_ends_it_with_a_message(java, name, value):
    with start_server(**{name: value}) as starting:
        assert starting.process.wait(timeout=WITHIN_SECONDS) == 2
        assert value in starting.log()
        assert "Traceback" not in starting.log()


def test_a_folder_too_deep_for_sockets_ends_it_with_a_message(java, tmp_path):
    deep = tmp_path / ("x" * 100)
    deep.mkdir()
    with start_server(TMPDIR=str(deep)) as starting:
        assert starting.process.wait(timeout=WITHIN_SECONDS) == 2
        assert "too long" in starting.log()
    assert list(deep.iterdir()) == []


def test_a_port_in_use_ends_it_with_a_message(server):
    with start_server(SAGEMAKER_BIND_TO_PORT=str(server.port)) as starting:
        assert starting.process.wait(timeout=WITHIN_SECONDS) == 2
        assert "is in use" in starting.log()


def test_a_pid_file_left_from_before_keeps_nothing_from_starting(compiled):
    """multi-model-server's own launcher would say that it runs already."""
    stale = Path("/tmp/.model_server.pid")
    left = stale.read_bytes() if stale.exists() else None
    with start_server(**compiled) as starting:
        (starting.folder / ".model_server.pid").write_text(str(os.getpid()))
        starting.wait_until_ready()
    assert (stale.read_bytes() if stale.exists() else None) == left


def test_without_the_plugin_it_serves_and_says_what_is_missing(java, portrait, tmp_path):
    """As on a machine that has a Java runtime and no compiler."""
    home = Path(java).resolve().parents[1]
    with start_server(PATH=str(tmp_path), JAVA_HOME=str(home)) as plain:
        wait_for(lambda: plain.ping() == 200, "ping", plain)
        assert plain.post(portrait).status == 200
        assert plain.get("/execution-parameters").status == 404
        assert "no plugin and no javac" in plain.log()
        assert plain.terminate() == 0
