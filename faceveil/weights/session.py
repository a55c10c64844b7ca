"""Networks opened to be run, each on the engine that is named or chosen for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from weakref import WeakValueDictionary

from numpy.typing import NDArray

from faceveil.resources import usable_cores
from faceveil.weights.engines import AUTO, ONNXRUNTIME, OPENVINO, engine_named

if TYPE_CHECKING:
    from faceveil.weights.store import Located


@dataclass(frozen=True, slots=True)
class Runtime:
    """Where networks run, and with how many threads.

    Attributes
    ----------
    engine : str
        A name of `weights.engines`, or "auto".
    threads : int
        Threads that one call of a network may use.
    concurrent : int, optional
        How many calls may run at the same time; by default as many as keep all cores busy. More
        wait for each other.
    everyone_veiled : bool
        Whether no one can become visible by what the networks find. Only then may "auto" be
        bfloat16, which detects as well and tells people apart worse.
    """

    engine: str = AUTO
    threads: int = 1
    concurrent: int | None = None
    everyone_veiled: bool = False


class Session(Protocol):
    """An open network. `run` may be called from several threads at once."""

    engine: str
    inputs: dict[str, tuple[int | str | None, ...]]
    outputs: dict[str, tuple[int | str | None, ...]]

    def run(
        self, feeds: Mapping[str, NDArray[Any]], outputs: Sequence[str] = ()
    ) -> list[NDArray[Any]]:
        """Return the named outputs, or all in the order of the file.

        Raises WeightsError where the engine cannot run the network.
        """
        ...


_in_use: WeakValueDictionary[tuple[str, str, Runtime], Session] = WeakValueDictionary()
"""Verification runs the networks of the analysis: while they are open none is opened again."""


def open_session(path: Path, runtime: Runtime = Runtime()) -> Session:
    """Open an ONNX file: "auto" is onnxruntime, as nothing is known of the network.

    Raises UsageError for an engine this machine lacks, WeightsError for a file that the engine
    cannot load.
    """
    engine = ONNXRUNTIME if runtime.engine == AUTO else engine_named(runtime.engine)
    if engine == OPENVINO:
        from faceveil.weights.openvino_engine import open_on_openvino

        concurrent = runtime.concurrent or max(1, usable_cores() // runtime.threads)
        return open_on_openvino(path, runtime.threads, concurrent)
    from faceveil.weights.onnxruntime_engine import open_on_onnxruntime

    return open_on_onnxruntime(path, engine, runtime.threads)


def open_networks(networks: Sequence[Located], runtime: Runtime) -> list[dict[str, Session]]:
    """Open all files of several networks at the same time.

    "auto" is FACEVEIL_ENGINE, or where that is not set the fastest engine that detects as well,
    network by network (`engine_choice`).

    Returns
    -------
    list of dict
        For each network its sessions by the name of the file; none for one that is not ONNX.

    Raises
    ------
    UsageError, WeightsError
        As `open_session` does.
    """
    with ThreadPoolExecutor(max(len(networks), 1)) as pool:
        return list(pool.map(lambda located: _open_network(located, runtime), networks))


def _open_network(located: Located, runtime: Runtime) -> dict[str, Session]:
    from faceveil.weights.engine_choice import choose_engine

    files = {name: path for name, path in located.files.items() if path.suffix == ".onnx"}
    if not files:
        return {}
    chosen = Runtime(choose_engine(located, runtime).engine, runtime.threads, runtime.concurrent)
    sessions = {}
    for name, path in files.items():
        key = (located.digest, name, chosen)
        session = _in_use.get(key) or open_session(path, chosen)
        sessions[name] = _in_use[key] = session
    return sessions
