"""Which engine runs a network: the fastest one, measured once on this machine and remembered.

Only engines that do as well are compared. Where everyone is veiled, bfloat16 is used for networks
that were measured to do as well in it (`bfloat16` in manifest.toml), where its results agree with
float32's here. A second run reads what the first one measured, so that results stay the same on one
machine; where nothing can be remembered it is always onnxruntime.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import orjson
from filelock import FileLock
from numpy.typing import NDArray

from faceveil.errors import UsageError, WeightsError
from faceveil.weights.engine_cache import EngineCache, engines_folder
from faceveil.weights.engines import (
    AUTO,
    CUDA,
    ONNXRUNTIME,
    OPENVINO,
    available_engines,
    engine_named,
    installed_version,
)
from faceveil.weights.session import Runtime, Session, open_session
from faceveil.weights.store import Located

WORTHWHILE = 1.2
"""How many times as fast as float32 bfloat16 must be: chance never decides between equals."""
AGREEMENT = 0.99
"""Least cosine between the outputs of bfloat16 and float32."""
_ROUNDS = 8
_WARM = 2
_VERSION = 1
_LOCK_SECONDS = 120


@dataclass(frozen=True, slots=True)
class Choice:
    """An engine and what it was chosen by.

    Attributes
    ----------
    engine : str
    milliseconds : mapping of str to float
        Least processor time of one call of the network, by engine, for all its files together;
        empty where there was nothing to choose.
    agreement : float
        Least cosine between outputs in bfloat16 and float32; 1 where there was nothing to choose.
    """

    engine: str
    milliseconds: Mapping[str, float]
    agreement: float = 1.0

    def __str__(self) -> str:
        """The engine, with what was measured of it and of the others."""
        times = [f"{name} {spent:.1f} ms" for name, spent in self.milliseconds.items()]
        return f"{self.engine} ({', '.join(times)})" if times else self.engine


def choose_engine(located: Located, runtime: Runtime, again: bool = False) -> Choice:
    """Return the engine for a network.

    Parameters
    ----------
    located : Located
    runtime : Runtime
        Its engine is used where it is not "auto".
    again : bool
        Measure also where a measurement is remembered.

    Raises
    ------
    UsageError
        For an engine that this machine lacks.
    """
    named = engine_named(runtime.engine)
    if named != AUTO:
        return Choice(named, {})
    available = available_engines()
    if CUDA in available and _starts(CUDA, located):
        return Choice(CUDA, {})
    may_be_bfloat16 = runtime.everyone_veiled and located.network.bfloat16
    if OPENVINO not in available or not may_be_bfloat16:
        return Choice(ONNXRUNTIME, {})
    folder = engines_folder()
    if folder is None:
        return Choice(ONNXRUNTIME, {})
    versions = [installed_version(package) for package in (ONNXRUNTIME, "openvino")]
    about = orjson.dumps([_VERSION, runtime.threads, versions]).decode()
    kept = EngineCache.of_network(located.digest, f"choice-{runtime.threads}", about)
    choice = None if again else _remembered(kept)
    if choice is None:
        with _alone(folder):
            # another process may have measured while this one waited
            if again or _remembered(kept) is None:
                kept.write(orjson.dumps(asdict(_measured(located, runtime))))
        choice = _remembered(kept)
    return choice or Choice(ONNXRUNTIME, {})


def _starts(engine: str, located: Located) -> bool:
    """Whether an engine that is installed runs here: it may lack its driver or its device."""
    try:
        open_session(min(located.files.values()), Runtime(engine))
    except UsageError:
        return False
    return True


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Measure one network at a time, where files can be locked: others would slow it down."""
    lock = FileLock(folder / ".measuring.lock", timeout=_LOCK_SECONDS)
    with suppress(OSError):  # which a timeout is, too
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _remembered(kept: EngineCache) -> Choice | None:
    try:
        stored = orjson.loads(kept.read() or b"")
        return Choice(stored["engine"], stored["milliseconds"], stored["agreement"])
    except (ValueError, KeyError, TypeError):
        return None


def _measured(located: Located, runtime: Runtime) -> Choice:
    """The faster engine of two, by the least time of several rounds, one after the other."""
    total = dict.fromkeys((ONNXRUNTIME, OPENVINO), 0.0)
    agreement = 1.0
    for file, shape in located.network.bfloat16.items():
        path = located.files[file]
        try:
            sessions = {
                engine: open_session(path, Runtime(engine, runtime.threads, 1)) for engine in total
            }
            feed = _noise(shape, located.network.mean, located.network.scale)
            for engine, milliseconds in _race(sessions, feed).items():
                total[engine] += milliseconds
            agreement = min(agreement, _agreement(list(sessions.values()), feed))
        except WeightsError:  # OpenVINO cannot run it: what onnxruntime cannot is seen later
            return Choice(ONNXRUNTIME, {}, 0.0)
    faster = total[ONNXRUNTIME] >= WORTHWHILE * total[OPENVINO]
    engine = OPENVINO if faster and agreement >= AGREEMENT else ONNXRUNTIME
    return Choice(engine, total, agreement)


def _race(sessions: Mapping[str, Session], feed: NDArray[np.float32]) -> dict[str, float]:
    """Least milliseconds of a call, by engine: of processor time, which other programs change less
    than the time on the clock."""
    least = dict.fromkeys(sessions, np.inf)
    for number in range(_WARM + _ROUNDS):
        for engine, session in sessions.items():
            start = time.process_time()
            session.run({next(iter(session.inputs)): feed})
            if number >= _WARM:
                least[engine] = min(least[engine], 1000 * (time.process_time() - start))
    return least


def _agreement(sessions: list[Session], feed: NDArray[np.float32]) -> float:
    """Least cosine between the outputs of two engines."""
    answers = [session.run({next(iter(session.inputs)): feed}) for session in sessions]
    cosines = []
    for first, second in zip(*answers, strict=True):
        a, b = first.ravel().astype(np.float64), second.ravel().astype(np.float64)
        cosines.append(float(a @ b / max(np.linalg.norm(a) * np.linalg.norm(b), 1e-12)))
    return min(cosines)


def _noise(shape: tuple[int, ...], mean: float, scale: float) -> NDArray[np.float32]:
    """Always the same squares of 8 x 8 pixels in any colour, as the network is fed."""
    small = (*shape[:2], *(-(-side // 8) for side in shape[2:]))
    pixels = np.random.default_rng(0).uniform(0, 255, small).repeat(8, axis=2).repeat(8, axis=3)
    return ((pixels[:, :, : shape[2], : shape[3]] - mean) * scale).astype(np.float32)
