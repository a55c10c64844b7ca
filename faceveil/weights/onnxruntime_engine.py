"""Networks on onnxruntime."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from faceveil.errors import UsageError, WeightsError
from faceveil.weights.engines import ONNXRUNTIME

# onnxruntime reports its use to its maker unless this is set before it is loaded.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
import onnxruntime

CPU = "CPUExecutionProvider"
_SETTINGS = {"CUDAExecutionProvider": {"use_tf32": "0"}}
"""Convolutions in float32, as on the processor, and not in TensorFloat-32."""
_QUIET = 4


class OnnxruntimeSession:
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
        provider = inner.get_providers()[0]
        self.engine = ONNXRUNTIME if provider == CPU else f"{ONNXRUNTIME}-{_short(provider)}"

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


def open_on_onnxruntime(path: Path, engine: str, threads: int) -> OnnxruntimeSession:
    """Open an ONNX file on one of onnxruntime's engines.

    Raises UsageError for a provider that does not start, WeightsError for a file that onnxruntime
    cannot load.
    """
    wanted = [name for name in providers() if f"{ONNXRUNTIME}-{_short(name)}" == engine]
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = _QUIET
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    # waiting threads of one network would spin on the cores that the next one needs
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # a memory plan per input size pays only where all inputs have one size
    options.enable_mem_pattern = False
    if not wanted:
        _register_shared_arena()
        options.add_session_config_entry("session.use_env_allocators", "1")
    chosen = [(name, _SETTINGS.get(name, {})) for name in (*wanted, CPU)]
    try:
        inner = onnxruntime.InferenceSession(str(path), options, providers=chosen)
    except Exception as error:  # onnxruntime's exceptions share no base class but Exception
        raise WeightsError(f"{path.name}: onnxruntime cannot load it: {error}") from error
    session = OnnxruntimeSession(path.name, inner)
    if session.engine != engine:
        raise UsageError(
            f"engine {engine!r} is installed but does not start on this machine; check its driver, "
            "or name another"
        )
    return session


def providers() -> list[str]:
    """Return onnxruntime's names of the execution providers that it was built with."""
    names: list[str] = onnxruntime.get_available_providers()
    return names


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
