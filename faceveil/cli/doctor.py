"""`faceveil doctor`: what this machine has, what it lacks, and how to get it."""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import tempfile
from collections.abc import Iterator
from fractions import Fraction
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal, NamedTuple

from faceveil import __version__
from faceveil.cli.arguments import Commands, add_command

DESCRIPTION = """\
Check this machine: versions, networks and their licences, the engines that run them, video
encoders, room on the disks and, with --aws, credentials.

  faceveil doctor
  faceveil doctor --aws

Each line begins with ok, note (something is optional or limited) or MISSING, and says how to get
what is missing. The exit code is 1 when something is missing.
"""
LIBRARIES = ("av", "numpy", "onnxruntime", "opencv-python-headless", "pillow", "scipy")
HARDWARE_ENCODERS = ("h264_nvenc", "hevc_nvenc", "av1_nvenc", "h264_qsv", "h264_videotoolbox")
LITTLE_ROOM = 5e9
"""Bytes. An hour of HD takes a few gigabytes, and verification's own file some more."""

Level = Literal["ok", "note", "MISSING"]


class Finding(NamedTuple):
    """One line of the answer."""

    level: Level
    text: str

    def __str__(self) -> str:
        return f"{self.level:<8}{self.text}"


def add_doctor_parser(commands: Commands) -> None:
    """Add `doctor` to the commands."""
    parser = add_command(
        commands, "doctor", "", "check what this machine has and lacks", DESCRIPTION
    )
    parser.add_argument("--aws", action="store_true", help="check AWS credentials, too")
    parser.set_defaults(func=run_doctor)


def run_doctor(options: argparse.Namespace) -> int:
    """`faceveil doctor`: print the findings; 1 when something is missing."""
    findings = [*_versions(), *_networks(), *_engines(), *_encoders(), *_room()]
    if options.aws:
        findings += _aws()
    for finding in findings:
        print(finding)
    return int(any(finding.level == "MISSING" for finding in findings))


def _versions() -> Iterator[Finding]:
    yield Finding("ok", f"faceveil {__version__}, Python {platform.python_version()}")
    for name in LIBRARIES:
        try:
            yield Finding("ok", f"{name} {version(name)}")
        except PackageNotFoundError:
            yield Finding("MISSING", f"{name}: pip install --force-reinstall faceveil")


def _networks() -> Iterator[Finding]:
    from faceveil.weights import catalogue

    for row in catalogue.verify_networks():
        network, is_default = row.network, row.network.name in catalogue.DEFAULT_NETWORKS
        use = "commercial use allowed" if network.commercial_use else "NO commercial use"
        text = f"network {network.name} ({network.licence}, {use}): {row.state}"
        fetch = f"faceveil weights fetch {network.name}"
        if row.state == "intact":
            yield Finding("ok", text)
        elif is_default or row.state == "corrupt":
            yield Finding("MISSING", f"{text}; {fetch}")
        else:
            yield Finding("note", f"{text}; optional: {fetch}")


def _engines() -> Iterator[Finding]:
    from faceveil.errors import FaceveilError
    from faceveil.weights import catalogue, engines
    from faceveil.weights.session import Runtime

    available = engines.available_engines()
    yield Finding("ok", f"engines: {', '.join(available)}")
    if engines.processor().has_bfloat16 and engines.OPENVINO not in available:
        hint = "pip install 'faceveil[openvino]' for --engine openvino-bf16"
        yield Finding("note", f"this processor multiplies bfloat16 by itself: {hint}")
    if engines.CUDA not in available and shutil.which("nvidia-smi"):
        yield Finding(
            "note", "this machine has an NVIDIA GPU: pip install onnxruntime-gpu to use it"
        )
    try:
        for name, choice in catalogue.default_engines(Runtime(everyone_veiled=True)).items():
            yield Finding("ok", f"engine of {name}: {choice}, where everyone is veiled")
    except FaceveilError as error:
        yield Finding("MISSING", str(error))


def _encoders() -> Iterator[Finding]:
    import av
    from av.codec import codecs_available

    for name in ("libx264", "libx265", "libsvtav1", "prores_ks"):
        level: Level = "ok" if name in codecs_available else "note"
        yield Finding(level, f"encoder {name}" + ("" if level == "ok" else ": not in this PyAV"))
    for name in HARDWARE_ENCODERS:
        if name not in codecs_available:
            continue
        try:
            encoder = av.CodecContext.create(name, "w")
            assert isinstance(encoder, av.VideoCodecContext)
            encoder.width, encoder.height, encoder.pix_fmt = 256, 256, "yuv420p"
            encoder.time_base = Fraction(1, 25)
            encoder.open()
        except Exception:  # FFmpeg's errors depend on the driver
            continue
        yield Finding("ok", f"hardware encoder {name}")


def _room() -> Iterator[Finding]:
    from faceveil.weights.cache import weights_folder

    places = {
        "this folder": Path.cwd(),
        "temporary files (TMPDIR)": Path(tempfile.gettempdir()),
        "weights (FACEVEIL_WEIGHTS)": weights_folder(),
    }
    for what, path in places.items():
        existing = next(item for item in (path, *path.parents) if item.exists())
        free = shutil.disk_usage(existing).free
        level: Level = "ok" if free >= LITTLE_ROOM else "note"
        yield Finding(level, f"{free / 1e9:.1f} GB free for {what}, {path}")
        if not os.access(existing, os.W_OK):
            yield Finding("note", f"{path} may not be written to")


def _aws() -> Iterator[Finding]:
    try:
        from faceveil.aws.identity import caller_identity
    except ModuleNotFoundError:
        yield Finding("MISSING", "boto3: pip install 'faceveil[aws]'")
        return
    from faceveil.errors import FaceveilError

    try:
        yield Finding("ok", f"AWS: {caller_identity()}")
    except FaceveilError as error:
        yield Finding("MISSING", f"AWS: {error}")
    bucket = os.environ.get("FACEVEIL_BUCKET")
    yield Finding("ok" if bucket else "note", f"FACEVEIL_BUCKET: {bucket or 'not set'}")
