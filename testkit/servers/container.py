"""The images, really built with buildah; the server's run with podman, for tests and benchmarks."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock
from platformdirs import user_cache_path

from faceveil.cli.aws.build_images import BUILD_OPTIONS
from testkit import PROJECT
from testkit.servers.model_server import HOST, Answer, ask, free_port

BASE = "docker.io/library/debian:bookworm-slim"
IMAGE = "localhost/faceveil-serve"
PROGRAMS = ("podman", "buildah", "debootstrap")
CERTIFICATES = "/certificates.pem"
START_SECONDS = 60.0


def missing() -> str | None:
    """Why the image cannot be built here, or None."""
    absent = [name for name in PROGRAMS if shutil.which(name) is None]
    if absent:
        return f"needs {', '.join(absent)} to build and run the image"
    return None if os.geteuid() == 0 else "needs root: debootstrap makes the base image"


def run(*command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    environment = {"CONTAINERS_CONF": str(PROJECT / ".ci" / "containers.conf"), **os.environ}
    # conmon leaves a file where it is started when a container runs out of memory
    folder = PROJECT if command[0] == "buildah" else tempfile.gettempdir()
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    if check and done.returncode:
        raise RuntimeError(
            f"{' '.join(command[:3])} failed:\n{(done.stdout + done.stderr)[-4000:]}"
        )
    return done


def build(image: str = IMAGE, target: str = "server") -> str:
    """Build a target of the Dockerfile in the format of `faceveil aws build-images`.
    Returns the image's name."""
    lock = user_cache_path("faceveil", ensure_exists=True) / "image.lock"
    with FileLock(lock):
        if run("podman", "image", "exists", BASE, check=False).returncode:
            _make_base()
        run("buildah", "bud", "--layers", "--isolation", "chroot", "--network", "host",
            "--pull-never", *BUILD_OPTIONS["podman"], *_certificates(), "--target", target,
            "--tag", image, ".")  # fmt: skip
    return image


def manifest_and_user(image: str) -> tuple[str, str]:
    """The media type of an image's manifest, and the user it runs as."""
    words = ("--format", "{{.ManifestType}} {{.User}}", image)
    media_type, user = run("podman", "image", "inspect", *words).stdout.split()
    return media_type, user


def write_as_sagemaker(image: str, folder: str) -> None:
    """Have an image's own user write into a folder that, as SageMaker's, belongs to root alone.
    Raises RuntimeError where it may not."""
    with tempfile.TemporaryDirectory() as mine:
        Path(mine).chmod(0o755)
        run("podman", "run", "--rm", "--volume", f"{mine}:{folder}", "--entrypoint", "touch",
            image, f"{folder}/written")  # fmt: skip


def _make_base() -> None:
    """A minimal Debian under the name of the official image: no registry is asked."""
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary, "root")
        run("debootstrap", "--variant=minbase", "bookworm", str(root))
        for folder in ("var/cache/apt", "var/lib/apt/lists"):
            shutil.rmtree(root / folder)
        (root / "var/cache/apt/archives/partial").mkdir(parents=True)
        archive = Path(temporary, "root.tar")
        run("tar", "--create", "--directory", str(root), "--file", str(archive), ".")
        run("podman", "import", str(archive), BASE)


def _certificates() -> list[str]:
    """Where this machine trusts certificates of its own, the build must do so too."""
    bundle = os.environ.get("PIP_CERT") or os.environ.get("SSL_CERT_FILE")
    if not bundle:
        return []
    names = ("PIP_CERT", "NODE_EXTRA_CA_CERTS")
    return ["--volume", f"{bundle}:{CERTIFICATES}:ro"] + [
        part for name in names for part in ("--build-arg", f"{name}={CERTIFICATES}")
    ]


@dataclass(frozen=True)
class Container:
    """A running container of the image."""

    name: str
    port: int

    def get(self, path: str) -> Answer:
        return ask(self.port, "GET", path)

    def post(self, body: bytes) -> Answer:
        return ask(self.port, "POST", "/invocations", body, "application/x-image")

    def execute(self, *command: str) -> str:
        return run("podman", "exec", self.name, *command).stdout

    def log(self) -> str:
        done = run("podman", "logs", self.name, check=False)
        return done.stdout + done.stderr

    def wait(self) -> int:
        """The exit code, once it has ended."""
        return int(run("podman", "wait", self.name).stdout)

    def stop(self) -> int:
        """End it as SageMaker does, with SIGTERM. Returns the exit code."""
        run("podman", "stop", "--time", "30", self.name)
        return self.wait()

    def wait_until_ready(self) -> float:
        """Seconds waited until /ping is healthy."""
        began = time.monotonic()
        while time.monotonic() < began + START_SECONDS:
            with contextlib.suppress(OSError):
                if self.get("/ping").status == 200:
                    return time.monotonic() - began
            time.sleep(0.05)
        raise AssertionError(f"not ready within {START_SECONDS:.0f} s:\n{self.log()}")


@contextlib.contextmanager
def start_container(*options: str, memory: str = "1g", **variables: str) -> Iterator[Container]:
    """The image as SageMaker starts it, with a read-only root and a memory limit."""
    port = free_port()
    variables = {
        "FACEVEIL_ENGINE": os.environ.get("FACEVEIL_ENGINE", "auto"),
        **variables,
        "SAGEMAKER_BIND_TO_PORT": str(port),
        "FACEVEIL_BIND_ADDRESS": HOST,
    }
    settings = [part for item in variables.items() for part in ("--env", "=".join(item))]
    name = run("podman", "run", "--detach", "--memory", memory, "--read-only",
               "--tmpfs", "/tmp:rw,size=64m", *options, *settings, IMAGE, "serve")  # fmt: skip
    container = Container(name.stdout.strip(), port)
    try:
        yield container
    finally:
        run("podman", "rm", "--force", "--time", "0", container.name)
