"""The image, built and run as SageMaker runs it: as root and with a memory limit. Unlike there, its
root file system is read-only, so that it is known to write nothing but /tmp."""

import tarfile
from dataclasses import replace

import pytest

from faceveil.aws.ecr import DOCKER_MANIFEST
from faceveil.faces import FrameFaces
from faceveil.media.pictures import read_picture
from faceveil.weights.engines import processor
from model.build import build as build_model
from testkit.request_pictures import bad_bodies
from testkit.servers import container
from testkit.servers.container import start_container

pytestmark = pytest.mark.slow
WEIGHTS_EXIT_CODE = 6


@pytest.fixture(scope="module")
def image(weights):
    reason = container.missing()
    if reason:
        pytest.skip(reason)
    return container.build()


@pytest.fixture(scope="module")
def running(image):
    with start_container(SAGEMAKER_MODEL_SERVER_WORKERS="2") as started:
        started.wait_until_ready()
        yield started


@pytest.fixture(scope="module")
def artifact(tmp_path_factory, weights):
    """A model.tar.gz, unpacked as SageMaker mounts it."""
    folder = tmp_path_factory.mktemp("artifact")
    build_model(folder / "model.tar.gz")
    with tarfile.open(folder / "model.tar.gz") as tar:
        tar.extractall(folder / "model", filter="data")
    folder.chmod(0o755)
    return folder / "model"


def test_it_answers_as_the_library_does(running, analyzer, portrait):
    answer = running.post(portrait)
    assert answer.status == 200
    assert answer.body == replace(analyzer(read_picture(portrait)), hidden=()).to_json()
    for body in bad_bodies(portrait).values():
        answer = running.post(body)
        assert answer.status == 200
        assert FrameFaces.from_json(answer.body).error is not None
    assert running.get("/execution-parameters").status == 200


@pytest.mark.skipif(not processor().has_bfloat16, reason="needs a processor with bfloat16")
def test_it_runs_networks_on_the_engine_that_is_named_and_names_it(image, portrait):
    """The image brings OpenVINO, cut down to what runs the networks."""
    with start_container(FACEVEIL_ENGINE="openvino-bf16") as started:
        started.wait_until_ready()
        models = FrameFaces.from_json(started.post(portrait).body).models
    assert models is not None
    assert models.engine == "openvino-bf16"


def test_sagemaker_can_take_it(image):
    """It refuses OCI manifests, and creates the folders of a container for root."""
    assert container.manifest_and_user(image) == (DOCKER_MANIFEST, "root")
    container.write_as_sagemaker(image, "/tmp")


def test_elsewhere_it_runs_as_an_ordinary_user(image, portrait):
    with start_container("--user", "1000") as started:
        started.wait_until_ready()
        assert started.execute("id", "-u").strip() == "1000"
        assert started.post(portrait).status == 200


def test_it_holds_no_tool_to_build_or_fetch_with(running):
    found = running.execute("sh", "-c", "command -v gcc javac make pip pip3 npm || true")
    assert found == ""


def test_it_tells_sagemaker_that_the_port_can_be_set(image):
    labels = container.run("podman", "inspect", "--format", "{{.Config.Labels}}", image).stdout
    assert "com.amazonaws.sagemaker.capabilities.accept-bind-to-port:true" in labels


def test_stopped_it_ends_well(image):
    with start_container() as started:
        started.wait_until_ready()
        assert started.stop() == 0


def test_it_takes_the_model_that_sagemaker_mounts(image, artifact, portrait):
    mount = ("--volume", f"{artifact}:/opt/ml/model:ro")
    with start_container(*mount) as started:
        started.wait_until_ready()
        assert started.post(portrait).status == 200
    (artifact / "mtcnn" / "pnet.onnx").write_bytes(b"broken")
    with start_container(*mount) as started:
        assert started.wait() == WEIGHTS_EXIT_CODE
        assert "/opt/ml/model: mtcnn is corrupt" in started.log()
