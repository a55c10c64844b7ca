"""Compile the Java sources beside this file: python -m handler.plugin.build --output FILE.jar."""

from __future__ import annotations

import argparse
import importlib.util
import shutil
import subprocess
import tempfile
import zipfile
from pathlib import Path

from faceveil.errors import FaceveilError, UsageError

HERE = Path(__file__).parent
JAVA_RELEASE = "11"
FIRST_ZIP_DATE = (1980, 1, 1, 0, 0, 0)


def server_jar() -> Path:
    """multi-model-server's jar; raises UsageError where the package is not installed."""
    spec = importlib.util.find_spec("mms")
    if spec is None or spec.origin is None:
        raise UsageError("multi-model-server is not installed: pip install multi-model-server")
    return Path(spec.origin).with_name("frontend") / "model-server.jar"


def has_compiler() -> bool:
    return shutil.which("javac") is not None


def build(output: Path) -> Path:
    """Compile and pack the plugin; the same sources give the same jar.

    Raises UsageError without a JDK, FaceveilError with javac's words when it fails.
    """
    if not has_compiler():
        raise UsageError("no javac on the PATH: install a JDK (Debian: openjdk-17-jdk-headless)")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        sources = sorted(str(path) for path in (HERE / "src").rglob("*.java"))
        command = ["javac", "--release", JAVA_RELEASE, "-proc:none", "-Xlint:all,-classfile,-path"]
        command += ["-cp", str(server_jar()), "-d", str(folder), *sources]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise FaceveilError(f"javac failed: {done.stderr}")
        shutil.copytree(HERE / "services", folder / "META-INF" / "services")
        _pack(folder, output)
    return output


def _pack(folder: Path, output: Path) -> None:
    output.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(output, "w", zipfile.ZIP_DEFLATED) as jar:
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            entry = zipfile.ZipInfo(path.relative_to(folder).as_posix(), FIRST_ZIP_DATE)
            jar.writestr(entry, path.read_bytes(), zipfile.ZIP_DEFLATED)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, required=True)
    print(build(parser.parse_args().output))


if __name__ == "__main__":
    main()
