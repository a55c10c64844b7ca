"""The container of `faceveil live`: read-only, not as root, on two cores and within a gigabyte."""

import time

import av
import pytest

from testkit.clips import make_clip, write_video
from testkit.servers import container

pytestmark = pytest.mark.slow
IMAGE = "localhost/faceveil-live"
LIMITS = ("--memory", "1g", "--cpus", "2", "--read-only", "--tmpfs", "/tmp:rw,size=64m")


@pytest.fixture(scope="module")
def image():
    reason = container.missing()
    if reason:
        pytest.skip(reason)
    from faceveil.weights.catalogue import fetch_networks

    fetch_networks()
    return container.build(IMAGE, "live")


def test_a_container_veils_until_it_is_stopped(image, tmp_path):
    """`docker stop` completes the output, and the exit code is 0."""
    write_video(make_clip(320, 180, 50), tmp_path / "talk.mp4")
    tmp_path.chmod(0o777)
    started = container.run(
        "podman", "run", "--detach", "--network", "host", *LIMITS, "--user", "1000",
        "--volume", f"{tmp_path}:/data", image, "/data/talk.mp4", "/data/hls/", "--loop",
    )  # fmt: skip
    running = container.Container(started.stdout.strip(), 0)
    playlist = tmp_path / "hls" / "index.m3u8"
    try:
        deadline = time.monotonic() + 180
        while not playlist.exists():
            assert time.monotonic() < deadline, running.log()
            time.sleep(0.1)
        assert running.stop() == 0
        assert "#EXT-X-ENDLIST" in playlist.read_text()
        with av.open(str(playlist)) as played:
            assert sum(1 for _ in played.decode(video=0)) > 5
    finally:
        container.run("podman", "rm", "--force", "--time", "0", running.name)
