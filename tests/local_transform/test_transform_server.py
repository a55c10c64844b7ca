"""Servers that are started for a job: what they are told, and that they never outlive it.

The processes are real; what they serve is the double of testkit.servers.stub_model_server.
"""

import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
import tarfile
import time
import uuid
from pathlib import Path

import pytest

from faceveil.aws.clients import s3_client
from faceveil.errors import FaceveilError, InputError, OutputError, UsageError
from faceveil.local_transform import server
from faceveil.local_transform.model import unpacked
from faceveil.local_transform.server import (
    RunningServer,
    check_reachable,
    find_engine,
    serve_container,
    serve_process,
)
from faceveil.local_transform.server_client import ServerClient, wait_until_healthy
from testkit import PROJECT

STUB = PROJECT / "testkit" / "servers" / "stub_model_server.py"
COMMAND = [sys.executable, str(STUB), "serve"]


def script(text):
    return [sys.executable, "-c", text]


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def healthy(started):
    wait_until_healthy(started.url, 30, started.check)
    return started


def ask(url, body):
    return json.loads(
        ServerClient(url, 1, 5, 0, lambda: None).invoke(body, "image/png", None, False)
    )


def test_a_process_is_told_what_sagemaker_tells_a_container(tmp_path):
    model = tmp_path / "ml" / "model"
    model.mkdir(parents=True)
    variables = {"SAGEMAKER_BATCH": "true", "SAGEMAKER_MAX_PAYLOAD_IN_MB": "7"}
    with serve_process(COMMAND, variables, model, folder=tmp_path) as started:
        told = ask(healthy(started).url, b"environment")
        assert told["SAGEMAKER_BATCH"] == "true"
        assert told["SAGEMAKER_MAX_PAYLOAD_IN_MB"] == "7"
        assert told["SAGEMAKER_BASE_DIR"] == str(tmp_path / "ml")
        assert told["folder"] == str(tmp_path)
        check_reachable(started)
    assert not alive(started.process.pid)


@pytest.mark.parametrize("problem", [KeyboardInterrupt, RuntimeError])
def test_a_process_is_stopped_whatever_happens(problem):
    with pytest.raises(problem), serve_process(COMMAND, {}) as started:
        assert alive(started.process.pid)
        raise problem
    assert not alive(started.process.pid)


STUBBORN = """
import signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"],
                         start_new_session=True)
print(child.pid, flush=True)
time.sleep(600)
"""


def test_a_process_that_does_not_end_is_killed_with_its_children(tmp_path, monkeypatch):
    """Also children in sessions of their own, as the JVM of the real server is."""
    monkeypatch.setattr(server, "STOP_SECONDS", 0.2)
    log = tmp_path / "log"
    with serve_process(script(STUBBORN), {}, log=log) as started:
        while not log.read_text().strip():
            time.sleep(0.02)
            started.check()
        child = int(log.read_text())
        assert alive(child)
    assert not alive(started.process.pid)
    while alive(child) and Path(f"/proc/{child}/stat").read_text().split()[2] != "Z":
        time.sleep(0.02)


def test_an_interrupt_while_stopping_still_kills(monkeypatch):
    """A second Ctrl-C: the waiting is cut short, the process is not forgotten."""
    with (
        pytest.raises(KeyboardInterrupt),
        serve_process(script(STUBBORN), {}) as started,
    ):
        wait = started.process.wait

        def interrupted(timeout=None):
            if timeout is not None:
                raise KeyboardInterrupt
            return wait()

        monkeypatch.setattr(started.process, "wait", interrupted)
    assert not alive(started.process.pid)


def test_a_process_that_ends_says_why(tmp_path):
    log = tmp_path / "server.log"
    command = script("import sys; print('no weights here'); sys.exit(6)")
    with (
        serve_process(command, {}, log=log) as started,
        pytest.raises(FaceveilError, match=r"with exit code 6\.(.|\n)*no weights here"),
    ):
        wait_until_healthy(started.url, 60, started.check)
    assert log.read_text() == "no weights here\n"


def test_a_process_that_is_killed_says_so():
    with serve_process(COMMAND, {}) as started:
        os.kill(healthy(started).process.pid, signal.SIGKILL)
        started.process.wait()
        with pytest.raises(FaceveilError, match=r"killed \(out of memory"):
            check_reachable(started)


def test_a_server_elsewhere_that_is_gone_is_noticed():
    with pytest.raises(FaceveilError, match="does not answer any more"):
        check_reachable(RunningServer("http://127.0.0.1:9"))


def test_a_command_that_is_not_there_is_a_usage_error():
    with pytest.raises(UsageError, match="no-such-program: cannot be started"):
        serve_process(["no-such-program"], {}).__enter__()


def test_a_log_that_cannot_be_written_is_an_output_error(tmp_path):
    with pytest.raises(OutputError, match="log: cannot be written"):
        serve_process(COMMAND, {}, log=tmp_path / "gone" / "log").__enter__()


def test_no_engine_is_a_usage_error(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UsageError, match="no podman or docker on this machine"):
        find_engine(None)
    with pytest.raises(UsageError, match="no docker on this machine"):
        find_engine("docker")


ENGINE = f"""#!{sys.executable}
import json, os, sys
with open({{log!r}}, "a") as log:
    print(json.dumps(sys.argv[1:]), file=log)
if sys.argv[1] == "run":
    for name, value in zip(sys.argv, sys.argv[1:]):
        if name == "--env":
            os.environ.update([value.split("=", 1)])
    os.execv(sys.executable, [sys.executable, {str(STUB)!r}, "serve"])
"""


def test_a_container_is_run_as_sagemaker_does(tmp_path, monkeypatch):
    """The engine is a double that notes its arguments and runs the stub server on the host; the
    next test has a real engine."""
    log = tmp_path / "calls"
    engine = tmp_path / "bin" / "podman"
    engine.parent.mkdir()
    engine.write_text(ENGINE.format(log=str(log)))
    engine.chmod(0o755)
    monkeypatch.setenv("PATH", str(engine.parent))
    model = tmp_path / "model"
    with serve_container("image:1", {"SAGEMAKER_BATCH": "true"}, model, memory="2g") as started:
        assert ask(healthy(started).url, b"environment")["SAGEMAKER_BATCH"] == "true"
    assert not alive(started.process.pid)
    run, kill, remove = map(json.loads, log.read_text().splitlines())
    port = started.url.rpartition(":")[2]
    name = run[run.index("--name") + 1]
    assert run == [
        *("run", "--rm", "--name", name, "--read-only", "--tmpfs", "/tmp"),
        *("--publish", f"127.0.0.1:{port}:{port}"),
        *("--env", "SAGEMAKER_BATCH=true", "--env", f"SAGEMAKER_BIND_TO_PORT={port}"),
        *("--memory", "2g", "--memory-swap", "2g"),
        *("--volume", f"{model}:/opt/ml/model:ro", "image:1", "serve"),
    ]
    assert (kill, remove) == (["kill", name], ["rm", "--force", name])


@pytest.fixture(scope="module")
def stub_image(tmp_path_factory):
    """An image of this machine's Python and the stub server, and the engine that runs it."""
    engine = next(filter(shutil.which, server.ENGINES), None)
    if engine is None:
        pytest.skip("needs podman or docker")
    path = tmp_path_factory.mktemp("image") / "image.tar"
    python, standard = Path(sys.executable).resolve(), Path(sysconfig.get_path("stdlib"))
    libraries = set()
    for binary in (python, *(standard / "lib-dynload").glob("*.so")):
        listed = subprocess.run(["ldd", binary], capture_output=True, text=True, check=False)
        libraries.update(re.findall(r"(/\S+) \(0x", listed.stdout))
    left_out = re.compile(r"/(test|site-packages|__pycache__)(/|$)")
    with tarfile.open(path, "w") as made:
        made.add(python, str(python))
        made.add(STUB, "/stub_model_server.py")
        made.add(standard, str(standard), filter=lambda m: None if left_out.search(m.name) else m)
        for library in libraries:
            made.add(Path(library).resolve(), library)
    image = f"faceveil-stub-{uuid.uuid4().hex[:8]}"
    change = f'ENTRYPOINT ["{python}", "/stub_model_server.py"]'
    for words in (["import", "--change", change, path, image], ["run", "--rm", image, "--help"]):
        done = subprocess.run([engine, *words], capture_output=True, text=True, check=False)
    if "runs as `serve`" not in done.stderr:
        subprocess.run([engine, "rmi", "--force", image], capture_output=True, check=False)
        pytest.skip(f"{engine} runs no containers here: {done.stderr.strip()[-300:]}")
    yield engine, image
    subprocess.run([engine, "rmi", "--force", image], capture_output=True, check=False)


def containers(engine):
    command = [engine, "ps", "--all", "--quiet", "--filter", "name=faceveil-transform-"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()


@pytest.mark.slow
def test_a_real_container_has_its_model_its_limits_and_its_end(stub_image, tmp_path):
    """Real engine, real container, the stub server in it."""
    engine, image = stub_image
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "manifest").write_bytes(b"m")
    tmp_path.chmod(0o755)
    variables = {"SAGEMAKER_BATCH": "true"}
    model = tmp_path / "model"
    with (
        pytest.raises(FaceveilError, match=r"killed \(out of memory"),
        serve_container(image, variables, model, engine=engine, memory="200m") as started,
    ):
        assert ask(healthy(started).url, b"environment")["SAGEMAKER_BATCH"] == "true"
        found = ask(started.url, b"files /opt/ml/model/manifest /opt/ml/model / /tmp")
        assert found["/opt/ml/model/manifest"][0]
        assert not found["/opt/ml/model"][1]
        assert not found["/"][1]
        assert found["/tmp"][1]
        with pytest.raises(FaceveilError):
            ask(started.url, b"memory 1000")
        started.process.wait()
        started.check()
    assert not containers(engine)
    with pytest.raises(KeyboardInterrupt), serve_container(image, {}, engine=engine) as started:
        healthy(started)
        assert containers(engine)
        raise KeyboardInterrupt
    assert not containers(engine)


def archive(path, **files):
    with tarfile.open(path, "w:gz") as made:
        for name, content in files.items():
            member = tarfile.TarInfo(name.replace("__", "/").replace("UP", ".."))
            member.size = len(content)
            made.addfile(member, io.BytesIO(content))
    return path


def test_a_model_is_unpacked_where_any_user_can_read_it(tmp_path, aws_credentials):
    path = archive(tmp_path / "model.tar.gz", manifest=b"m", code__deep=b"d")
    with unpacked(str(path), s3_client(None)) as folder:
        assert folder.name == "model"
        assert (folder / "manifest").read_bytes() == b"m"
        assert (folder / "code" / "deep").read_bytes() == b"d"
        assert folder.stat().st_mode & 0o055 == folder.parent.stat().st_mode & 0o055 == 0o055
    assert not folder.parent.exists()


def test_a_model_from_s3(tmp_path, s3, bucket, s3_url):
    path = archive(tmp_path / "model.tar.gz", manifest=b"m")
    s3.put_object(Bucket=bucket, Key="model.tar.gz", Body=path.read_bytes())
    with unpacked(f"s3://{bucket}/model.tar.gz", s3_client(s3_url)) as folder:
        assert (folder / "manifest").read_bytes() == b"m"


def test_what_is_no_model_is_an_input_error(tmp_path, aws_credentials):
    client = s3_client(None)
    good = archive(tmp_path / "good", manifest=os.urandom(10_000)).read_bytes()
    bad = {"cut": good[:5000], "text": b"hello", "empty": b""}
    for name, content in bad.items():
        (tmp_path / name).write_bytes(content)
    archive(tmp_path / "escape", UP__UP__evil=b"x")
    for name in [*bad, "escape", "gone"]:
        with pytest.raises(InputError, match=name):
            unpacked(str(tmp_path / name), client).__enter__()
