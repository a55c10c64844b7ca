"""The image, built and run as Lambda and Batch run it: read-only, not as root, with a memory limit;
and as SageMaker Processing does: as root.

Real: the image, its networks, the limit of memory. Simulated: the Runtime API.
"""

import json
import os
import uuid

import pytest

from faceveil.aws.ecr import DOCKER_MANIFEST
from testkit import PROJECT
from testkit.made_job import FIRST_WITHOUT_VEIL
from testkit.servers import container
from testkit.servers.lambda_runtime_api import LambdaFunction

pytestmark = pytest.mark.slow
IMAGE = "localhost/faceveil-postprocess"
KILLED = 137
SMALL_MEMORY = "32m"
"""So little that imports alone exceed it: near the limit, a container reads its files again and
again instead of being killed."""
LAMBDA_USER = "993"
BATCH_USER = "1000"
"""The user that terraform/batch.tf gives."""
EVENT = json.loads((PROJECT / "postprocess_lambda/events/transform_completed.json").read_text())


@pytest.fixture(scope="module")
def image():
    reason = container.missing()
    if reason:
        pytest.skip(reason)
    from faceveil.weights.catalogue import fetch_networks

    fetch_networks()
    return container.build(IMAGE, "postprocess")


@pytest.fixture
def environment(uploaded, s3_url, monkeypatch):
    if "CONTAINERS_CONF" not in os.environ:
        monkeypatch.setenv("CONTAINERS_CONF", str(PROJECT / ".ci" / "containers.conf"))
    mine = {name: value for name, value in os.environ.items() if name.startswith("AWS_")}
    return {
        **mine,
        "AWS_ENDPOINT_URL_S3": s3_url,
        "FACEVEIL_BUCKET": uploaded.bucket.bucket,
    }


def podman(environment, memory, *words, user=LAMBDA_USER):
    """The command that runs the image; (its name, the command)."""
    name = f"faceveil-test-{uuid.uuid4().hex[:8]}"
    settings = [part for item in environment.items() for part in ("--env", "=".join(item))]
    command = ["podman", "run", "--rm", "--name", name, "--network", "host", "--read-only"]
    command += ["--tmpfs", "/tmp:rw,size=256m", "--memory", memory, "--user", user]
    command += [*settings, IMAGE, *words]
    return name, command


class ContainerFunction(LambdaFunction):
    """A function in a container."""

    def __init__(self, environment, folder, memory):
        super().__init__("postprocess_lambda.app.handler", environment, folder, 120, 3008)
        self._folder = folder
        self._memory = memory
        self._name = None

    def command(self, variables):
        told = {**self.environment, **variables}
        self._name, command = podman(told, self._memory, self.handler)
        # Where a container runs out of memory, podman leaves a file called oom.
        return ["env", "--chdir", str(self._folder), *command]

    def _stop(self):
        if self._name:
            container.run("podman", "rm", "--force", "--time", "0", self._name, check=False)
        super()._stop()


def test_it_holds_no_tool_to_build_with(image):
    _, command = podman({}, "256m")
    shell = [*command[:-1], "--entrypoint", "sh", command[-1]]
    looked = container.run(*shell, "-c", "command -v gcc make pip pip3 npm || true")
    assert looked.stdout == ""


def test_sagemaker_can_take_it(image):
    """Processing refuses OCI manifests, and only root may write where it collects the output."""
    assert container.manifest_and_user(image) == (DOCKER_MANIFEST, "root")
    container.write_as_sagemaker(image, "/opt/ml/processing/output")


def test_as_a_function_it_veils_what_is_left_when_another_ran_out_of_memory(
    image, uploaded, environment, tmp_path
):
    request = str(uuid.uuid4())
    with ContainerFunction(environment, tmp_path, SMALL_MEMORY) as function:
        answer = function.invoke(EVENT, request)
        assert (answer.error, answer.payload) == ("Runtime.ExitError", {"code": KILLED})
    with ContainerFunction(environment, tmp_path, "2g") as function:
        answer = function.invoke(EVENT, request)
        assert answer.payload.get("outcome") == "completed", (answer, function.log)
    assert uploaded.objects("veiled/") == uploaded.rendered_here()
    report = json.loads(uploaded.place.read("report.json"))
    assert report["verification"]["looked_at"] > 0, "by the networks of the image"


def test_as_a_batch_child_it_renders_its_chunk(image, uploaded, environment):
    _, run = podman(environment, "2g", "run", "talk", user=BATCH_USER)
    done = container.run(*run)
    assert '"job_id":"talk"' in done.stdout + done.stderr
    before = uploaded.objects()
    assert len(before) > FIRST_WITHOUT_VEIL
    child = {**environment, "AWS_BATCH_JOB_ARRAY_INDEX": "1"}
    _, chunk = podman(child, "2g", "chunk", user=BATCH_USER)
    container.run(*chunk, "--job", "talk")
    assert uploaded.objects() == before
