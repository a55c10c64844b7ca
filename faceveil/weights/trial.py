"""A user's network run once on noise, in a process of its own, before it is used.

A file may want any amount of memory, crash onnxruntime or return NaN. In a process with little
memory none of that does harm, and what the network answers tells which family it is of, also where
the file leaves the shapes of its outputs open.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from faceveil.errors import FaceveilError, WeightsError
from faceveil.weights.cache import writable_folder

PICTURE = (1024, 640)
"""Width and height of the picture that a network of any size is given: the largest tile."""
MEMORY_GIB = 4
TIMEOUT_SECONDS = 300
VERSION = 1
_TYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(double)": np.float64}
_OUT_OF_MEMORY, _FAULT = 3, 1
_OUT_OF_MEMORY_TEXTS = ("bad allocation", "bad_alloc", "Failed to allocate memory", "std::length")


@dataclass(frozen=True, slots=True)
class Port:
    """An input or output. shape: as the file declares it; seen: as it was in the trial."""

    name: str
    type: str
    shape: tuple[int | str | None, ...]
    seen: tuple[int, ...]

    def __str__(self) -> str:
        shape = ", ".join("?" if size is None else str(size) for size in self.shape or self.seen)
        return f"{self.name} {self.type} [{shape}]"


@dataclass(frozen=True, slots=True)
class Form:
    """What goes into a network and what comes out.

    Attributes
    ----------
    name : str
        The name of the file.
    inputs, outputs : tuple of Port
    metadata : mapping of str to str
        What the file says of itself.
    finite : bool
        Whether all numbers that came out were.
    """

    name: str
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    metadata: Mapping[str, str] = field(default_factory=dict)
    finite: bool = True


def try_network(name: str, data: bytes) -> Form:
    """Return the form of a network from one run on noise; a second call reads the first one's.

    Raises
    ------
    WeightsError
        Where onnxruntime cannot open or run it, it wants more than 4 GiB, takes longer than five
        minutes, or returns numbers that are not finite.
    """
    note = writable_folder() / "trials" / f"{hashlib.sha256(data).hexdigest()}-{VERSION}.json"
    form = _read(note, name)
    if form is None:
        answer = _run(name, data)
        form = _form(name, json.loads(answer))
        note.parent.mkdir(parents=True, exist_ok=True)
        temporary = note.with_suffix(f".{os.getpid()}")
        temporary.write_bytes(answer)
        temporary.replace(note)
    if not form.finite:
        raise WeightsError(
            f"{name}: returns numbers that are not finite (NaN or infinity) for a picture of "
            "noise; export it again in float32"
        )
    return form


def _read(note: Path, name: str) -> Form | None:
    try:
        return _form(name, json.loads(note.read_bytes()))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _form(name: str, document: dict[str, Any]) -> Form:
    ports = {
        key: tuple(
            Port(one["name"], one["type"], tuple(one["shape"]), tuple(one["seen"]))
            for one in document[key]
        )
        for key in ("inputs", "outputs")
    }
    return Form(name, ports["inputs"], ports["outputs"], document["metadata"], document["finite"])


def _run(name: str, data: bytes) -> bytes:
    with tempfile.TemporaryDirectory(prefix="faceveil-") as folder:
        path = Path(folder) / "network.onnx"
        path.write_bytes(data)
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        command = [sys.executable, "-m", "faceveil.weights.trial", str(path)]
        try:
            done = subprocess.run(
                command, env=environment, capture_output=True, timeout=TIMEOUT_SECONDS, check=False
            )
        except subprocess.TimeoutExpired as error:
            raise WeightsError(
                f"{name}: one picture takes longer than {TIMEOUT_SECONDS} s: use a smaller network"
            ) from error
    if done.returncode == 0:
        return done.stdout
    lines = done.stderr.decode(errors="replace").strip().splitlines()
    if done.returncode == _OUT_OF_MEMORY:
        raise WeightsError(
            f"{name}: wants more than {MEMORY_GIB} GiB of memory for one picture: use a smaller "
            "network, or one exported for smaller pictures"
        )
    if done.returncode < 0:
        raise WeightsError(
            f"{name}: onnxruntime crashes when it runs this file (signal {-done.returncode}): "
            "export it again"
        )
    reason = lines[-1].removeprefix(f"{path.name}: ") if lines else "it gives no reason"
    reason = reason.replace(str(path), name)
    raise WeightsError(f"{name}: {reason}")


def main(arguments: list[str]) -> int:
    """Run the network of a path once and print its form: what the process does."""
    from faceveil.weights.engines import ONNXRUNTIME
    from faceveil.weights.onnxruntime_engine import open_on_onnxruntime

    _limit_memory(MEMORY_GIB << 30)
    try:
        session = open_on_onnxruntime(Path(arguments[0]), ONNXRUNTIME, 1)
        feeds = {key: _noise(session.types[key], shape) for key, shape in session.inputs.items()}
        results = session.run(feeds)
        _check_ports(feeds, dict(zip(session.outputs, results, strict=True)))
    except MemoryError:
        return _OUT_OF_MEMORY
    except FaceveilError as error:
        print(" ".join(str(error).split()), file=sys.stderr)
        wants_memory = any(text in str(error) for text in _OUT_OF_MEMORY_TEXTS)
        return _OUT_OF_MEMORY if wants_memory else _FAULT
    ports = {
        "inputs": [
            Port(key, str(value.dtype), session.inputs[key], value.shape)
            for key, value in feeds.items()
        ],
        "outputs": [
            Port(key, str(value.dtype), session.outputs[key], value.shape)
            for key, value in zip(session.outputs, results, strict=True)
        ],
    }
    document = {key: [asdict(port) for port in value] for key, value in ports.items()}
    finite = all(bool(np.isfinite(value).all()) for value in results if value.dtype.kind == "f")
    print(json.dumps({**document, "metadata": session.metadata, "finite": finite}))
    return 0


def _check_ports(inputs: Mapping[str, object], outputs: Mapping[str, object]) -> None:
    """Raise WeightsError for a network without inputs, or with outputs that are no arrays."""
    if not inputs or not outputs:
        raise WeightsError("takes no picture, or returns nothing: it is no network for faces")
    for name, value in outputs.items():
        if not isinstance(value, np.ndarray):
            raise WeightsError(
                f"returns a {type(value).__name__} as {name}, where an array is needed; export it "
                "with tensors as outputs"
            )


def _limit_memory(more: int) -> None:
    """Let this process take so many bytes more than it has; a system without limits sets none."""
    try:
        import resource

        pages = int(Path("/proc/self/statm").read_text().split()[0])
        limit = pages * os.sysconf("SC_PAGE_SIZE") + more
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    except (ImportError, OSError, ValueError):
        pass


def _noise(kind: str, shape: tuple[int | str | None, ...]) -> np.ndarray[Any, np.dtype[Any]]:
    """An input: noise for pictures [N, 3, H, W] or [N, H, W, 3], a size for whole numbers."""
    width, height = PICTURE
    free = {4: (1, 3, height, width), 2: (1, 2)}.get(len(shape), (1,) * len(shape))
    if len(shape) == 4 and shape[3] == 3:
        free = (1, height, width, 3)
    sizes = [
        size if isinstance(size, int) and size > 0 else usual
        for size, usual in zip(shape, free, strict=True)
    ]
    if kind == "tensor(int64)":
        return np.full(sizes, 640, np.int64)
    if kind == "tensor(uint8)":
        return np.zeros(sizes, np.uint8)
    return np.random.default_rng(0).uniform(0, 1, sizes).astype(_TYPES.get(kind, np.float32))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
