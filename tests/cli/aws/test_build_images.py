"""`faceveil aws build-images`: which commands run, and what they make of digests.

The engine is a small program in the place of podman or docker, and ECR is moto's: that real images
are built is shown by the tests of the images, that they reach AWS by nothing here.
"""

import json
import sys
from pathlib import Path

import pytest

from faceveil.cli.main import main
from faceveil.errors import InputError, OutputError, UsageError

PROJECT = Path(__file__).parents[3]
REGISTRY = "123456789012.dkr.ecr.eu-west-1.amazonaws.com"
DIGESTS = {"server": f"sha256:{'a' * 64}", "postprocess": f"sha256:{'b' * 64}"}

ENGINE = """#!{python}
import json, pathlib, sys
words = sys.argv[1:]
given = sys.stdin.read() if "--password-stdin" in words else ""
with open({log!r}, "a") as log:
    log.write(json.dumps([words, given]) + "\\n")
digest = "sha256:" + ("a" if "server" in words[-1] else "b") * 64
if {broken!r} in words:
    sys.exit("no space left")
if "--digestfile" in words:
    pathlib.Path(words[words.index("--digestfile") + 1]).write_text(digest)
if "inspect" in words:
    repository = words[-1].rpartition(":")[0]
    print("elsewhere/x@sha256:" + "c" * 64)
    print(repository + "@" + digest)
"""


@pytest.fixture
def outputs(tmp_path):
    path = tmp_path / "outputs.json"
    repositories = {image: f"{REGISTRY}/faceveil-{image}" for image in DIGESTS}
    path.write_text(json.dumps({"repositories": {"value": repositories}}))
    return path


@pytest.fixture
def engine(tmp_path, monkeypatch, moto_url):
    """Puts an engine on the path; gives its log: words and standard input of each command."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_ECR", moto_url)
    folder, log = tmp_path / "bin", tmp_path / "log"
    folder.mkdir()

    def put(name, broken=""):
        program = folder / name
        program.write_text(ENGINE.format(python=sys.executable, log=str(log), broken=broken))
        program.chmod(0o755)
        monkeypatch.setenv("PATH", str(folder))
        return lambda: [json.loads(line) for line in log.read_text().splitlines()]

    return put


def run(*words):
    return main(["aws", "build-images", "--checkout", str(PROJECT), *map(str, words)])


@pytest.mark.parametrize("name", ["podman", "docker"])
def test_both_images_are_pushed_and_named_by_their_digests(engine, outputs, tmp_path, capsys, name):
    log = engine(name)
    tfvars = tmp_path / "images.auto.tfvars"
    assert run("--outputs", outputs, "--tag", "v1", "--tfvars", tfvars) == 0
    verbs = [words[0] for words, _ in log()]
    assert [verb for verb in verbs if verb != "image"] == [
        "build",
        "build",
        "login",
        "push",
        "push",
    ]
    build = log()[0][0]
    assert build[1:7] == [
        "--platform",
        "linux/amd64",
        "--file",
        str(PROJECT / "Dockerfile"),
        "--tag",
        f"{REGISTRY}/faceveil-server:v1",
    ]
    login, password = log()[2]
    assert login == ["login", "--username", "AWS", "--password-stdin", REGISTRY]
    assert password
    said = capsys.readouterr()
    assert password not in json.dumps([words for words, _ in log()]) + said.out + said.err
    assert tfvars.read_text() == (
        "images = {\n"
        f'  server      = "{REGISTRY}/faceveil-server@{DIGESTS["server"]}"\n'
        f'  postprocess = "{REGISTRY}/faceveil-postprocess@{DIGESTS["postprocess"]}"\n'
        "}\n"
    )


def test_a_dry_run_prints_the_commands_and_runs_none(outputs, monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("PATH", str(tmp_path))
    tfvars = tmp_path / "images.auto.tfvars"
    assert run("--outputs", outputs, "--tag", "v1", "--tfvars", tfvars, "--dry-run") == 0
    said = capsys.readouterr().out
    assert said.count("podman build") == said.count("podman push") == 2
    assert f"podman login --username AWS --password-stdin {REGISTRY}" in said
    assert not tfvars.exists()


def test_without_a_registry_it_only_builds(engine):
    log = engine("docker")
    assert run("--no-push", "--tag", "v1", "--build-option=--no-cache") == 0
    assert {words[3] for words, _ in log()} == {"--no-cache"}
    assert [words[7] for words, _ in log()] == [f"localhost/faceveil-{i}:v1" for i in DIGESTS]


def test_what_cannot_be_is_answered(engine, outputs, tmp_path, monkeypatch, capsys):
    assert main(["aws", "build-images", "--checkout", str(tmp_path)]) == InputError.exit_code
    engine("podman", broken="build")
    assert run() == UsageError.exit_code
    assert "--server-repository and --postprocess-repository" in capsys.readouterr().err
    assert run("--server-repository", "me/x", "--postprocess-repository", "y") == 2
    assert "me/x: is not the address of an ECR repository" in capsys.readouterr().err
    assert run("--outputs", outputs) == OutputError.exit_code
    assert "podman build" in capsys.readouterr().err
    assert run("--engine", "docker", "--no-push") == UsageError.exit_code
    monkeypatch.setenv("AWS_ENDPOINT_URL_ECR", "http://127.0.0.1:9")
    engine("podman")
    assert run("--outputs", outputs) == OutputError.exit_code
    assert "need ecr:GetAuthorizationToken" in capsys.readouterr().err
