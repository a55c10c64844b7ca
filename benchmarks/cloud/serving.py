"""What serving costs: the server beside its analyzers in process, and beside the thesis's handler.

    python -m benchmarks.cloud.serving [report.md]

Everything runs in turns on the same two cores, on frames of a real clip enlarged to 720p and 1080p;
the median over rounds counts. Needs the extra `serve`, a JDK and ../shared/data.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median
from timeit import repeat

import cv2
import numpy as np

from benchmarks.cloud.thesis_handler import ThesisHandler, write_networks
from benchmarks.report import machine, publish, table
from faceveil.faces import FrameFaces, Models
from handler.plugin.build import build
from testkit import SHARED_DATA
from testkit.servers import container
from testkit.servers.model_server import RunningServer, start_server

SIZES = {"720p": (1280, 720), "1080p": (1920, 1080)}
FRAMES = (5, 40, 70, 100, 150, 200, 230, 260)
WORKERS = 2
ROUNDS = 7
THESIS_MIN_FACE = 20
"""The thesis's: a first level of 1152x648 for a picture of 1920x1080."""
THESIS = """\
The server runs the union of two detectors, at full recall; the thesis's shape MTCNN alone from 20
pixels, thresholds .6/.7/.8, and ResNet100 for every face, with weights of no meaning (the file is
not available here; time does not depend on them). All processes run one thread each, two at a
time, and onnxruntime, which the thesis did not have: MXNet took 219 ms for P-Net's first level
alone.""".replace("\n", " ")
INVOCATIONS, SAMPLES = 2000, 8
PROCESSES = """
import psutil
from testkit import SHARED_DATA
for process in psutil.process_iter():
    print(process.memory_info().rss, *process.cmdline())
"""
KINDS = {
    "handler.entrypoint": "supervisor",
    "faceveil.serving.Server": "JVM",
    "mms/model_service_worker.py": "worker",
}
Answer = Callable[[bytes], bytes]
Maker = Callable[[dict[str, str]], Answer]
Rate = Callable[[Sequence[bytes]], float]


def frames(size: tuple[int, int]) -> list[bytes]:
    """Frames of the clip, enlarged, as JPEG."""
    clip = cv2.VideoCapture(str(SHARED_DATA / "hamilton" / "short_hamilton_clip.mp4"))
    pictures = []
    for number in FRAMES:
        clip.set(cv2.CAP_PROP_POS_FRAMES, number)
        large = cv2.resize(clip.read()[1], size, interpolation=cv2.INTER_CUBIC)
        quality = [cv2.IMWRITE_JPEG_QUALITY, 92]
        pictures.append(cv2.imencode(".jpg", large, quality)[1].tobytes())
    return pictures


def own_answer(variables: dict[str, str]) -> Answer:
    """What a worker does with a body, without a server."""
    from faceveil.detect.build import build_analyzer
    from handler.options import ServiceOptions
    from handler.service import Service

    options = ServiceOptions.from_environment(variables)
    return Service(build_analyzer(options.analyzer), options).answer


def thesis_answer(variables: dict[str, str]) -> Answer:
    return ThesisHandler(Path(variables["NETWORKS"]), THESIS_MIN_FACE, variables["RECOGNIZER"])


def _process(make: Maker, variables: dict[str, str], pipe: Connection) -> None:
    cv2.setNumThreads(1)
    answer = make(variables)
    answer(frames((640, 360))[0])
    pipe.send("ready")
    while bodies := pipe.recv():
        for body in bodies:
            answer(body)
        pipe.send("done")


@contextmanager
def in_process(make: Maker, **variables: str) -> Iterator[Rate]:
    """Start as many processes as workers; yields a function that times them together."""
    context = get_context("spawn")
    pipes, processes = [], []
    for _ in range(WORKERS):
        mine, theirs = context.Pipe()
        process = context.Process(target=_process, args=(make, variables, theirs), daemon=True)
        process.start()
        pipes.append(mine)
        processes.append(process)
    for pipe in pipes:
        pipe.recv()

    def run(bodies: Sequence[bytes]) -> float:
        start = time.perf_counter()
        for pipe in pipes:
            pipe.send(list(bodies))
        for pipe in pipes:
            pipe.recv()
        return WORKERS * len(bodies) / (time.perf_counter() - start)

    try:
        yield run
    finally:
        for pipe, process in zip(pipes, processes, strict=True):
            pipe.send([])
            process.join()


@contextmanager
def served(plugin: Path, **variables: str) -> Iterator[RunningServer]:
    variables |= {
        "FACEVEIL_MMS_PLUGIN": str(plugin),
        "SAGEMAKER_MODEL_SERVER_WORKERS": str(WORKERS),
    }
    with start_server(**variables) as server:
        server.wait_until_ready(WORKERS)
        yield server


def over_http(server: RunningServer, bodies: Sequence[bytes]) -> float:
    """Frames per second of the server, with as many clients as workers."""

    def client(_: int) -> set[int]:
        return {server.post(body).status for body in bodies}

    with ThreadPoolExecutor(WORKERS) as clients:
        start = time.perf_counter()
        statuses = set().union(*clients.map(client, range(WORKERS)))
        seconds = time.perf_counter() - start
    assert statuses == {200}, statuses
    return WORKERS * len(bodies) / seconds


def throughput(plugin: Path, folder: Path) -> list[str]:
    write_networks(folder)
    rows: list[tuple[str, ...]] = []
    alone = {"FACEVEIL_DETECTOR": "mtcnn", "FACEVEIL_MIN_FACE_SIZE": str(THESIS_MIN_FACE)}
    with ExitStack() as stack:
        server = stack.enter_context(served(plugin))

        def beside(make: Maker, **variables: str) -> Rate:
            return stack.enter_context(in_process(make, **variables))

        def thesis(recognizer: str) -> Rate:
            return beside(thesis_answer, NETWORKS=str(folder), RECOGNIZER=recognizer)

        runs: dict[str, Rate] = {
            "server": lambda bodies: over_http(server, bodies),
            "its analyzers in process": beside(own_answer),
            "the thesis's shape": thesis("resnet100"),
            "the thesis's shape, faceveil's recogniser": thesis("arcface"),
            "faceveil with MTCNN alone, 20 px, in process": beside(own_answer, **alone),
        }
        for name, size in SIZES.items():
            rates = in_turns(runs, frames(size))
            for label, values in rates.items():
                ratio = median(a / b for a, b in zip(rates["server"], values, strict=True))
                rows.append((name, label, f"{median(values):.2f}", f"{ratio:.2f}x"))
    return [*table(("frames", "handler", "frames/s", "the server does"), rows), "", THESIS]


def in_turns(runs: dict[str, Rate], bodies: Sequence[bytes]) -> dict[str, list[float]]:
    rates: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(ROUNDS):
        for name, run in runs.items():
            rates[name].append(run(bodies))
    return rates


def json_times() -> list[str]:
    """Milliseconds to build the answer of a frame with five faces."""
    random = np.random.default_rng(1)
    rows = []
    for size in (192, 512):
        features = random.normal(size=(5, size)).astype(np.float32)
        features /= np.linalg.norm(features, axis=1, keepdims=True)
        faces = FrameFaces(
            1920,
            1080,
            Models("mtcnn+centerface", "arcface", "sha256:" + "0" * 64, 0.5),
            random.uniform(0, 1080, (5, 4)).astype(np.float32),
            random.uniform(0.5, 1, 5).astype(np.float32),
            random.uniform(0, 1080, (5, 5, 2)).astype(np.float32),
            features,
            random.integers(0, 256, (27, 48, 3), np.uint8),
        )
        exact = min(repeat(faces.to_json, number=100, repeat=7)) * 10
        rounded = min(repeat(lambda faces=faces: faces.to_json(4), number=100, repeat=7)) * 10
        rows.append((size, f"{exact:.3f}", f"{rounded:.3f}"))
    return table(("numbers in a feature", "ms, exact", "ms, 4 decimals"), rows)


def long_run(plugin: Path) -> list[str]:
    """Memory and files of the server's processes over many invocations."""
    bodies = frames((640, 360))
    rows = []
    with served(plugin) as server:
        for done in range(0, INVOCATIONS + 1, INVOCATIONS // SAMPLES):
            if done:
                requests = [bodies[i % len(bodies)] for i in range(INVOCATIONS // SAMPLES)]
                with ThreadPoolExecutor(WORKERS) as clients:
                    statuses = set(clients.map(lambda body: server.post(body).status, requests))
                assert statuses == {200}, statuses
            workers = server.workers()
            rows.append(
                (
                    done,
                    f"{resident(server.jvm()):.0f}",
                    " ".join(f"{resident(worker):.0f}" for worker in workers),
                    files(server.jvm()),
                    " ".join(str(files(worker)) for worker in workers),
                )
            )
    return table(("invocations", "JVM MiB", "workers MiB", "JVM files", "workers files"), rows)


def resident(process: int) -> float:
    status = Path(f"/proc/{process}/status").read_text(encoding="utf-8")
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


def files(process: int) -> int:
    return len(list(Path(f"/proc/{process}/fd").iterdir()))


def start_and_overhead(plugin: Path) -> list[str]:
    began = time.perf_counter()
    with served(plugin) as server:
        ready = time.perf_counter() - began
        trips = []
        for _ in range(300):
            start = time.perf_counter()
            server.post(b"no picture")
            trips.append(time.perf_counter() - start)
    return [
        f"- From the start to two ready workers: {ready:.1f} s.",
        f"- A request that needs no analysis, on a new connection: {median(trips) * 1e3:.2f} ms.",
    ]


def image() -> list[str]:
    """The image under a memory limit with a read-only root."""
    if reason := container.missing():
        return [f"Not measured: {reason}."]
    container.build()
    size = container.run("podman", "inspect", "--format", "{{.Size}}", container.IMAGE).stdout
    base = container.run("podman", "inspect", "--format", "{{.Size}}", container.BASE).stdout
    with container.start_container(SAGEMAKER_MODEL_SERVER_WORKERS=str(WORKERS)) as running:
        ready = running.wait_until_ready()
        for picture in SIZES.values():
            for body in frames(picture):
                assert running.post(body).status == 200
        rows = running.execute("python", "-c", PROCESSES).splitlines()
    found = sorted(
        f"{kind} {int(row.split()[0]) >> 20} MiB"
        for row in rows
        for part, kind in KINDS.items()
        if part in row
    )
    return [
        f"- Size: {int(size) / 1e6:.0f} MB, of which {int(base) / 1e6:.0f} MB its Debian base.",
        f"- From `podman run` to a healthy ping: {ready:.1f} s.",
        f"- Resident after frames of both sizes, with --memory 1g: {', '.join(found)} "
        "(the worker that is small starts the others).",
        "- The CUDA image is not measured: no GPU was at hand.",
    ]


def report() -> str:
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        plugin = build(folder / "plugin.jar")
        parts = {
            "Throughput": throughput(plugin, folder),
            "JSON of a frame with five faces": json_times(),
            f"{INVOCATIONS} invocations in a row (640x360)": long_run(plugin),
            "Start and overhead": start_and_overhead(plugin),
            "The image": image(),
        }
    lines = ["# Serving", "", machine(), "", " ".join((__doc__ or "").split("\n\n")[2].split())]
    for title, part in parts.items():
        lines += ["", f"## {title}", "", *part]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    publish(report)
