"""Networks on OpenVINO in bfloat16, twice as fast where the processor multiplies it by itself.

OpenVINO compiles a network when it opens it, which takes longer than all else before the first
frame; the compiled form is kept (`engine_cache`) and opened in a fraction of that.
"""

from __future__ import annotations

import io
import sys
import threading
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faceveil.errors import WeightsError
from faceveil.files import file_digest
from faceveil.weights.engine_cache import EngineCache
from faceveil.weights.engines import OPENVINO

_TOOLS = "openvino.tools.ovc"


def _without_tools() -> Any:  # noqa: ANN401, a module without types
    """Import OpenVINO without its conversion tools, which report each import to its maker."""
    blocked = _TOOLS not in sys.modules
    if blocked:
        sys.modules[_TOOLS] = None  # type: ignore[assignment]
    try:
        import openvino
    finally:
        if blocked:
            del sys.modules[_TOOLS]
    return openvino


openvino = _without_tools()


class OpenVinoSession:
    """An open network. `run` may be called from several threads at once."""

    engine = OPENVINO

    def __init__(self, name: str, compiled: Any) -> None:  # noqa: ANN401, a class without types
        self._name = name
        self._compiled = compiled
        self._own = threading.local()
        self.inputs = _shapes(compiled.inputs)
        self.outputs = _shapes(compiled.outputs)
        self._positions = {name: index for index, name in enumerate(self.outputs)}

    def run(
        self, feeds: Mapping[str, NDArray[Any]], outputs: Sequence[str] = ()
    ) -> list[NDArray[Any]]:
        """Return the named outputs, or all in the order of the file.

        Raises WeightsError where OpenVINO cannot run the network.
        """
        if not hasattr(self._own, "request"):
            self._own.request = self._compiled.create_infer_request()
        request = self._own.request
        try:
            request.infer({name: np.ascontiguousarray(feed) for name, feed in feeds.items()})
            wanted = [self._positions[name] for name in outputs or self.outputs]
            return [np.array(request.get_output_tensor(index).data) for index in wanted]
        except Exception as error:  # OpenVINO raises RuntimeError and others
            raise WeightsError(f"{self._name}: OpenVINO cannot run it: {error}") from error


def open_on_openvino(path: Path, threads: int, concurrent: int) -> OpenVinoSession:
    """Open an ONNX file, or its compiled form where that is kept.

    Parameters
    ----------
    path : Path
    threads : int
        Threads that one call may use.
    concurrent : int
        How many calls may run at the same time. Each takes memory of its own.

    Raises
    ------
    WeightsError
        For a file that OpenVINO cannot load.
    """
    settings = {
        "INFERENCE_PRECISION_HINT": "bf16",
        "INFERENCE_NUM_THREADS": threads * concurrent,
        "NUM_STREAMS": concurrent,
        # several processes would all be bound to the same first cores
        "ENABLE_CPU_PINNING": False,
    }
    try:
        kept = EngineCache.of_network(file_digest(path), OPENVINO, str(openvino.get_version()))
        return OpenVinoSession(path.name, _kept(kept, settings) or _compiled(path, kept, settings))
    except Exception as error:  # OpenVINO raises RuntimeError and others
        raise WeightsError(f"{path.name}: OpenVINO cannot load it: {error}") from error


def _kept(kept: EngineCache, settings: Mapping[str, object]) -> Any:  # noqa: ANN401
    content = kept.read()
    if content is None:
        return None
    try:
        return _core().import_model(content, "CPU", dict(settings))
    except Exception:  # of another build of OpenVINO, in spite of its version
        return None


def _compiled(path: Path, kept: EngineCache, settings: Mapping[str, object]) -> Any:  # noqa: ANN401
    compiled = _core().compile_model(_core().read_model(str(path)), "CPU", dict(settings))
    exported = io.BytesIO()
    compiled.export_model(exported)
    kept.write(exported.getvalue())
    return compiled


@cache
def _core() -> Any:  # noqa: ANN401, a class without types
    return openvino.Core()


def _shapes(ports: Iterable[Any]) -> dict[str, tuple[int | str | None, ...]]:
    return {
        str(port.any_name): tuple(
            size.get_length() if size.is_static else None for size in port.get_partial_shape()
        )
        for port in ports
    }
