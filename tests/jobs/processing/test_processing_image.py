"""The built image as SageMaker Processing runs it: as root, with /opt/ml mounted, without network.

Real: the image, its networks, S3. Simulated: SageMaker (conftest), which starts the containers.
"""

import os

import pytest

from faceveil import veil
from testkit import PROJECT
from testkit.clips import make_clip, write_frames
from testkit.servers import container
from testkit.servers.processing import in_image

pytestmark = pytest.mark.slow
IMAGE = "localhost/faceveil-postprocess"
FRAMES = 8


@pytest.fixture(scope="module")
def image():
    reason = container.missing()
    if reason:
        pytest.skip(reason)
    from faceveil.weights.catalogue import fetch_networks

    fetch_networks()
    return container.build(IMAGE, "postprocess")


@pytest.mark.parametrize("hosts", [1, 2])
def test_containers_without_network_veil_as_the_command_does(
    image, deployment, tmp_path, monkeypatch, hosts
):
    if "CONTAINERS_CONF" not in os.environ:
        monkeypatch.setenv("CONTAINERS_CONF", str(PROJECT / ".ci" / "containers.conf"))
    frames = tmp_path / "frames"
    write_frames(make_clip(320, 180, FRAMES), frames)
    for path in frames.iterdir():
        deployment.bucket.write(f"frames/talk/{path.name}", path.read_bytes())
    deployment.write(processing={"instance_count": hosts})
    deployment.hosts.command = in_image(image)
    deployment.start()
    assert deployment.run() == "completed", "".join(deployment.hosts.told)[-2000:]
    veil(frames, tmp_path / "veiled")
    expected = {path.name: path.read_bytes() for path in (tmp_path / "veiled").iterdir()}
    assert deployment.objects("jobs/talk/veiled/") == expected
