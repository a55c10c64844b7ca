"""The built wheel works outside the checkout, in an environment of its own."""

import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import av
import pytest

from testkit import PROJECT
from testkit.clips import make_clip, write_video

pytestmark = pytest.mark.slow
FRAME_COUNT = 6
PAGE = Path("faceveil/review/static")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel, built of what git tracks and the page: a build leaves files beside its sources."""
    assert (PROJECT / PAGE / "index.html").is_file(), "the review page is not built: run make page"
    source, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    archive = subprocess.run(
        ["git", "ls-files", "-z", "--", "faceveil", "pyproject.toml", "README.md", "LICENSE"],
        cwd=PROJECT,
        capture_output=True,
        check=True,
    )
    page = [str(path.relative_to(PROJECT)) for path in (PROJECT / PAGE).iterdir()]
    for name in [*archive.stdout.decode().split("\0")[:-1], *page]:
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_bytes((PROJECT / name).read_bytes())
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*build, "--wheel-dir", target, source], check=True)
    (built,) = target.glob("faceveil-*.whl")
    return built


@pytest.fixture(scope="module")
def environment(wheel, tmp_path_factory):
    """A new environment with the wheel, and the packages it needs from the one of the tests."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, symlinks=True)
    python = folder / "bin" / "python"
    install = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-deps"]
    subprocess.run([*install, wheel], check=True)
    (site,) = folder.glob("lib/python*/site-packages")
    # A plain line: the .pth files over there, that of the checkout among them, are not read.
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return folder


def run(environment, *words, cwd):
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    program = environment / "bin" / words[0]
    return subprocess.run(
        [program, *words[1:]], cwd=cwd, env=clean, capture_output=True, text=True, check=False
    )


def test_the_wheel_holds_the_library_and_nothing_else(wheel):
    with zipfile.ZipFile(wheel) as archive:
        tops = {name.split("/")[0] for name in archive.namelist()}
        names = set(archive.namelist())
    assert {top.split("-")[0] for top in tops} == {"faceveil"}
    assert "faceveil/schemas/job.schema.json" in names
    assert "faceveil/weights/manifest.toml" in names
    assert "faceveil/py.typed" in names
    for name in ("index.html", "faceveil-review.js"):
        assert str(PAGE / name) in names


def test_the_command_and_the_library_veil_a_clip_outside_the_checkout(environment, tmp_path):
    write_video(make_clip(320, 180, frame_count=FRAME_COUNT), tmp_path / "talk.mp4")
    where = "import faceveil; print(faceveil.__file__)"
    imported = run(environment, "python", "-c", where, cwd=tmp_path)
    assert str(environment) in imported.stdout, imported.stderr
    done = run(environment, "faceveil", "veil", "talk.mp4", "out.mp4", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    code = "from faceveil import veil; veil('talk.mp4', 'again.mp4')"
    again = run(environment, "python", "-c", code, cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    for name in ("out.mp4", "again.mp4"):
        with av.open(str(tmp_path / name)) as container:
            assert sum(1 for _ in container.decode(video=0)) == FRAME_COUNT
