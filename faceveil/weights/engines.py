"""The engines that run networks: their names, and which of them this machine has.

onnxruntime         the processor, in float32: on every machine
onnxruntime-cuda    another execution provider of onnxruntime: -cuda, -tensorrt, -coreml …
openvino-bf16       the processor, in bfloat16: with the extra `openvino`, where the processor
                    multiplies bfloat16 by itself (AMX, or AVX-512 with BF16)
"""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from faceveil.errors import UsageError

AUTO, ONNXRUNTIME, OPENVINO = "auto", "onnxruntime", "openvino-bf16"
CUDA = f"{ONNXRUNTIME}-cuda"
ENVIRONMENT_VARIABLE = "FACEVEIL_ENGINE"
_BFLOAT16_FLAGS = {"avx512_bf16", "amx_bf16"}
_PROVIDER = "ExecutionProvider"
_OF_OTHER_MACHINES = {"CPU", "Azure"}
"""Providers that are no engine: the processor is onnxruntime itself, and Azure is a service that
would be sent the pictures."""


@dataclass(frozen=True, slots=True)
class Processor:
    """What decides how fast engines are. name: vendor, model and the machine's words for it."""

    name: str
    has_bfloat16: bool


@cache
def processor() -> Processor:
    """Return the processor of this machine."""
    known: dict[str, str] = {}
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            key, separator, value = line.partition(":")
            if separator:
                known.setdefault(key.strip(), value.strip())
    except (OSError, ValueError):
        pass
    numbers = (known.get(key, "") for key in ("cpu family", "model", "stepping"))
    words = (known.get("vendor_id", ""), "-".join(numbers), known.get("model name", ""))
    name = " ".join(word for word in words if word.strip("-"))
    multiplies = set(known.get("flags", "").split()) & _BFLOAT16_FLAGS
    return Processor(name or platform.processor() or platform.machine(), bool(multiplies))


def engine_named(name: str) -> str:
    """Return the engine to use for a name: FACEVEIL_ENGINE's for "auto", where that is set.

    Raises UsageError, listing the engines of this machine, for one that it lacks.
    """
    wanted = name
    if name == AUTO:
        wanted = os.environ.get(ENVIRONMENT_VARIABLE, "").strip() or AUTO
    known = available_engines()
    if wanted not in (AUTO, *known):
        hint = f" ({_why_not_openvino()})" if wanted == OPENVINO else ""
        asked = f"{ENVIRONMENT_VARIABLE}: " if wanted != name else ""
        raise UsageError(
            f"{asked}no engine {wanted!r} on this machine{hint}; available: "
            f"{', '.join((AUTO, *known))}"
        )
    return wanted


def available_engines() -> list[str]:
    """Return the names of the engines that this machine has, onnxruntime first."""
    from faceveil.weights.onnxruntime_engine import providers

    others = [name.removesuffix(_PROVIDER) for name in providers()]
    names = [f"{ONNXRUNTIME}-{name.lower()}" for name in others if name not in _OF_OTHER_MACHINES]
    return [ONNXRUNTIME, *names, *([] if _why_not_openvino() else [OPENVINO])]


def installed_version(package: str) -> str | None:
    """Return the version of an installed package, without importing it."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _why_not_openvino() -> str:
    """Why OpenVINO is no engine here; nothing where it is one."""
    if not processor().has_bfloat16:
        return "this processor does not multiply bfloat16 by itself"
    if installed_version("openvino") is None:
        return "pip install 'faceveil[openvino]'"
    return ""
