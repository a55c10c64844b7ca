"""What the benchmarks of the whole command share: data, machine, and environments for peers."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import venv
from collections.abc import Callable, Sequence
from datetime import date
from importlib.metadata import version
from pathlib import Path

from filelock import FileLock
from platformdirs import user_cache_dir

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT.parent / "shared" / "data"
LIBRARIES = ("av", "numpy", "onnxruntime", "opencv-python-headless", "scipy")


def machine() -> str:
    """When and on what a report was made."""
    versions = ", ".join(f"{name} {version(name)}" for name in LIBRARIES)
    return (
        f"{date.today().isoformat()}; {len(os.sched_getaffinity(0))} cores ({_processor()}); "
        f"Python {platform.python_version()}, faceveil {version('faceveil')}, {versions}."
    )


def _processor() -> str:
    information = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    flags = next(line for line in information.splitlines() if line.startswith("flags")).split()
    widest = next((flag for flag in ("avx512f", "avx2") if flag in flags), "no avx2")
    return f"{platform.machine()}, {widest}"


def cache(name: str) -> Path:
    """A folder of this name for what must not lie in the project."""
    folder = Path(user_cache_dir("faceveil")) / "benchmarks" / name
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def environment(name: str, packages: Sequence[str]) -> Path:
    """The folder of programs of an environment of its own with these packages, made once."""
    folder = cache(name)
    done = folder / "packages.json"
    wanted = json.dumps(list(packages))
    with FileLock(folder.with_suffix(".lock")):
        if not done.exists() or done.read_text() != wanted:
            venv.create(folder, with_pip=True, clear=True)
            command = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet"]
            subprocess.run([*command, *packages], check=True)
            done.write_text(wanted)
    return folder / "bin"


def publish(report: Callable[[], str], needs_data: bool = True) -> None:
    """Print a report, and write it to the file that the command line names."""
    if needs_data and not DATA.is_dir():
        sys.exit("needs the real clips of ../shared/data, which are not beside this checkout")
    text = report()
    print(text)
    if len(sys.argv) > 1:
        Path(sys.argv[1]).write_text(text, encoding="utf-8")
