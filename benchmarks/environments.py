"""Folders outside the project for benchmarks, and environments of their own for peers."""

from __future__ import annotations

import json
import subprocess
import venv
from collections.abc import Sequence
from pathlib import Path

from filelock import FileLock
from platformdirs import user_cache_path


def cache(name: str) -> Path:
    """A folder of this name in the user's cache, for files that must not lie in the project."""
    folder = user_cache_path("faceveil") / "benchmarks" / name
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def environment(
    name: str, packages: Sequence[str], without_dependencies: Sequence[str] = ()
) -> Path:
    """The folder of programs of a virtual environment with these packages, made once."""
    folder = cache(name)
    done = folder / "packages.json"
    wanted = json.dumps([*packages, "and alone", *without_dependencies])
    with FileLock(folder.with_suffix(".lock")):
        if not done.exists() or done.read_text() != wanted:
            venv.create(folder, with_pip=True, clear=True)
            install = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet"]
            subprocess.run([*install, *packages], check=True)
            if without_dependencies:
                alone = ["--no-deps", "--no-build-isolation", *without_dependencies]
                subprocess.run([*install, *alone], check=True)
            done.write_text(wanted)
    return folder / "bin"
