"""`faceveil aws build-images`: which commands run, and what they make of digests.

The engine is a small program in the place of podman or docker, and ECR is moto's. In one test the
program builds with the real podman, so that the manifests are real; that images reach AWS is shown
by nothing here.
"""

import json
import os
import re
import shutil
import sys

import boto3
import pytest

from faceveil.aws.ecr import DOCKER_MANIFEST, OCI_MANIFEST
from faceveil.cli.aws.build_images import BUILD_OPTIONS, IMAGES, PUSH_OPTIONS
from faceveil.cli.main import main
from faceveil.errors import InputError, OutputError, UsageError
from testkit import PROJECT

REGISTRY = "123456789012.dkr.ecr.eu-west-1.amazonaws.com"
# Builds with the real podman where it is given one; a push puts the image's manifest into ECR.
ENGINE = """#!{python}
import json, pathlib, subprocess, sys, tempfile
import boto3
words = sys.argv[1:]
given = sys.stdin.read() if "--password-stdin" in words else ""
with open({log!r}, "a") as log:
    log.write(json.dumps([words, given]) + "\\n")
if {broken!r} in words:
    sys.exit("no space left")
podman = {podman!r}
if podman and words[0] == "build":
    sys.exit(subprocess.run([podman, *words]).returncode)
if words[0] == "push":
    address, _, tag = words[-1].rpartition(":")
    manifest = json.dumps({{"schemaVersion": 2, "mediaType": {media_type!r}, "tag": address}})
    if podman:
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run([podman, *words, "dir:" + folder], check=True)
            manifest = pathlib.Path(folder, "manifest.json").read_text()
    ecr = boto3.client("ecr", region_name="eu-west-1", endpoint_url={moto!r})
    repository = address.partition("/")[2]
    ecr.put_image(repositoryName=repository, imageManifest=manifest, imageTag=tag)
"""


@pytest.fixture
def outputs(tmp_path):
    path = tmp_path / "outputs.json"
    repositories = {image: f"{REGISTRY}/faceveil-{image}" for image in IMAGES}
    path.write_text(json.dumps({"repositories": {"value": repositories}}))
    return path


@pytest.fixture
def engine(tmp_path, monkeypatch, moto_url):
    """Puts an engine on the path; returns its log: words and standard input of each command."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_ECR", moto_url)
    registry = boto3.client("ecr", region_name="eu-west-1", endpoint_url=moto_url)
    for image in IMAGES:
        registry.create_repository(repositoryName=f"faceveil-{image}")
    folder, log = tmp_path / "bin", tmp_path / "log"
    folder.mkdir()

    def put(name, broken="", media_type=DOCKER_MANIFEST, podman=""):
        program = folder / name
        text = ENGINE.format(
            python=sys.executable,
            log=str(log),
            broken=broken,
            moto=moto_url,
            media_type=media_type,
            podman=podman,
        )
        program.write_text(text)
        program.chmod(0o755)
        monkeypatch.setenv("PATH", str(folder) if not podman else f"{folder}:{os.environ['PATH']}")
        return lambda: [json.loads(line) for line in log.read_text().splitlines()]

    yield put
    for image in IMAGES:
        registry.delete_repository(repositoryName=f"faceveil-{image}", force=True)


def named(tfvars):
    """The addresses of a tfvars file, by image."""
    return dict(re.findall(r'(\w+) += "(\S+)"', tfvars.read_text()))


def run(*words):
    return main(["aws", "build-images", "--checkout", str(PROJECT), *map(str, words)])


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("podman", ["--format", "docker"]),
        ("docker", ["--output", "type=image,oci-mediatypes=false"]),
    ],
)
def test_both_images_are_pushed_and_named_by_their_digests(
    engine, outputs, tmp_path, capsys, name, options
):
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
    assert build == [
        *("build", "--platform", "linux/amd64", *options),
        *("--file", str(PROJECT / "Dockerfile"), "--target", "server"),
        *("--tag", f"{REGISTRY}/faceveil-server:v1", str(PROJECT)),
    ]
    login, password = log()[2]
    assert login == ["login", "--username", "AWS", "--password-stdin", REGISTRY]
    assert password
    said = capsys.readouterr()
    assert password not in json.dumps([words for words, _ in log()]) + said.out + said.err
    found = named(tfvars)
    assert list(found) == list(IMAGES)
    for image, address in found.items():
        assert re.fullmatch(rf"{REGISTRY}/faceveil-{image}@sha256:[0-9a-f]{{64}}", address)
    assert len(set(found.values())) == len(IMAGES)


@pytest.mark.parametrize(("asked", "kept"), [("docker", DOCKER_MANIFEST), ("oci", OCI_MANIFEST)])
def test_what_podman_really_builds_is_read_back(
    engine, outputs, tmp_path, monkeypatch, capsys, asked, kept
):
    """Asked for OCI's format, podman makes what SageMaker refuses, and the push is not the end."""
    podman = shutil.which("podman")
    if podman is None:
        pytest.skip("needs podman to build an image")
    monkeypatch.setenv("CONTAINERS_CONF", str(PROJECT / ".ci" / "containers.conf"))
    checkout = tmp_path / "checkout"
    checkout.mkdir()
    stages = [f"FROM scratch AS {image}\nLABEL image={image}\n" for image in IMAGES]
    (checkout / "Dockerfile").write_text("".join(stages))
    monkeypatch.setitem(BUILD_OPTIONS, "podman", ("--format", asked))
    if asked == "oci":
        monkeypatch.setitem(PUSH_OPTIONS, "podman", ())
    engine("podman", podman=podman)
    tfvars, tag = tmp_path / "images.auto.tfvars", f"test-{os.getpid()}"
    words = ["--checkout", checkout, "--outputs", outputs, "--tag", tag, "--tfvars", tfvars]
    code = main(["aws", "build-images", *map(str, words)])
    if kept == DOCKER_MANIFEST:
        assert code == 0
        assert len(named(tfvars)) == len(IMAGES)
    else:
        assert code == OutputError.exit_code
        assert f"is pushed as {OCI_MANIFEST}, which SageMaker refuses" in capsys.readouterr().err
        assert not tfvars.exists()


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
    assert {words[5] for words, _ in log()} == {"--no-cache"}
    assert [words[-2] for words, _ in log()] == [f"localhost/faceveil-{i}:v1" for i in IMAGES]


def test_a_server_for_gpus_is_built_on_another_base(engine):
    log = engine("podman")
    assert run("--no-push", "--gpu") == 0
    server, postprocess = (words for words, _ in log())
    assert "--build-arg=ONNXRUNTIME=onnxruntime-gpu==1.26.0" in server
    assert not [word for word in postprocess if word.startswith("--build-arg")]


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
