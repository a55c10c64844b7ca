"""Running ONNX files: the one place that imports onnxruntime."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from faceveil.errors import UsageError, WeightsError

# onnxruntime reports its use to its maker unless this is set before it is loaded.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
import onnxruntime

CPU = "CPUExecutionProvider"
AUTOMATIC = ("CUDAExecutionProvider", "CoreMLExecutionProvider", CPU)
QUIET = 4


@dataclass(frozen=True, slots=True)
class Runtime:
    """Where networks run, and with how many threads.

    Attributes
    ----------
    providers : tuple of str
        Names such as "cuda", "coreml", "cpu" (or onnxruntime's own), in order of preference; empty
        means automatic.
    threads : int
        Threads that one call of a network may use.
    """

    providers: tuple[str, ...] = ()
    threads: int = 1


class Session:
    """An open network. `run` may be called from several threads at once."""

    def __init__(self, name: str, inner: onnxruntime.InferenceSession) -> None:
        self._name = name
        self._inner = inner
        self.inputs: dict[str, tuple[int | str | None, ...]] = {
            value.name: tuple(value.shape) for value in inner.get_inputs()
        }
        self.outputs: dict[str, tuple[int | str | None, ...]] = {
            value.name: tuple(value.shape) for value in inner.get_outputs()
        }
        self.types: dict[str, str] = {value.name: value.type for value in inner.get_inputs()}
        self.metadata: dict[str, str] = dict(inner.get_modelmeta().custom_metadata_map)
        self.providers: tuple[str, ...] = tuple(inner.get_providers())

    def run(
        self, feeds: Mapping[str, NDArray[Any]], outputs: Sequence[str] = ()
    ) -> list[NDArray[Any]]:
        """Return the named outputs, or all in the order of the file.

        Raises WeightsError where onnxruntime cannot run the network.
        """
        try:
            results: list[NDArray[Any]] = self._inner.run(list(outputs) or None, dict(feeds))
        except Exception as error:  # onnxruntime's exceptions share no base class but Exception
            raise WeightsError(f"{self._name}: onnxruntime cannot run it: {error}") from error
        return results


def open_session(path: Path, runtime: Runtime = Runtime()) -> Session:
    """Open an ONNX file.

    Raises UsageError for a provider this machine lacks, WeightsError for a file that onnxruntime
    cannot load.
    """
    providers = choose_providers(runtime.providers)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = runtime.threads
    options.inter_op_num_threads = 1
    options.log_severity_level = QUIET
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    # waiting threads of one network would spin on the cores that the next one needs
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # a memory plan per input size pays only where all inputs have one size
    options.enable_mem_pattern = False
    if providers == [CPU]:
        _register_shared_arena()
        options.add_session_config_entry("session.use_env_allocators", "1")
    try:
        inner = onnxruntime.InferenceSession(str(path), options, providers=providers)
    except Exception as error:  # onnxruntime's exceptions share no base class but Exception
        raise WeightsError(f"{path.name}: onnxruntime cannot load it: {error}") from error
    if runtime.providers and inner.get_providers()[0] != providers[0]:
        raise UsageError(
            f"provider {runtime.providers[0]!r} is installed but does not start on this machine; "
            "check its driver, or name another"
        )
    return Session(path.name, inner)


def choose_providers(names: Sequence[str]) -> list[str]:
    """Return onnxruntime's names of the providers to use, best first."""
    available = onnxruntime.get_available_providers()
    if not names:
        return [provider for provider in AUTOMATIC if provider in available]
    by_short_name = {_short(provider): provider for provider in available}
    chosen = [by_short_name.get(_short(name)) for name in names]
    for name, provider in zip(names, chosen, strict=True):
        if provider is None:
            raise UsageError(
                f"no provider {name!r} on this machine; available: {', '.join(by_short_name)}"
            )
    return [provider for provider in chosen if provider]


@lru_cache(maxsize=1)
def _register_shared_arena() -> None:
    """One memory arena for the sessions of this process, instead of one each.

    Networks run one after the other can use the same memory: half the peak, and no slower.
    """
    memory = onnxruntime.OrtMemoryInfo(
        "Cpu", onnxruntime.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, onnxruntime.OrtMemType.DEFAULT
    )
    # all of onnxruntime's own defaults
    onnxruntime.create_and_register_allocator(memory, onnxruntime.OrtArenaCfg(0, -1, -1, -1))


def _short(provider: str) -> str:
    return provider.lower().removesuffix("executionprovider")
