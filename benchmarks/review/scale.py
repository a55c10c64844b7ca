"""How long a person waits for the review studio over eight hours of video, and its memory.

    python -m benchmarks.review.scale [report.md]

`faceveil review` runs as a person starts it, over a real H.264 file and an analysis with three
faces in every frame (hours.py). It is asked over HTTP, as its page asks. Then it opens one hour at
1080p, for the first picture.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.report import machine, table
from benchmarks.review.hours import CAST, analysis_of_hours, write_hours
from faceveil import write_analysis

HOURS = 8.0
TIMES = 12
"""How often each kind of request is made."""
OPENS_SECONDS, ANSWER_MS, PICTURE_SECONDS, MEMORY_MB = 10, 100, 2, 1000
_ADDRESS = re.compile(r"http://127\.0\.0\.1:(\d+)/\?token=(\S+)")
_MEGABYTE = 1e6


@dataclass
class Studio:
    """A running `faceveil review`, asked over one connection, as a page does.

    opened, used: seconds, and seconds of processor, from the start of the process to the first
    answer of its API.
    """

    process: subprocess.Popen[str]
    connection: http.client.HTTPConnection
    token: str
    opened: float = 0.0
    used: float = 0.0

    def ask(self, method: str, path: str, body: object = None) -> bytes:
        port = self.connection.port
        headers = {
            "Cookie": f"faceveil-{port}={self.token}",
            "Origin": f"http://127.0.0.1:{port}",
            "Content-Type": "application/json",
        }
        content = None if body is None else json.dumps(body)
        self.connection.request(method, f"/api/v1/{path}", content, headers)
        answer = self.connection.getresponse()
        data = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"{path}: {answer.status} {data[:300]!r}")
        return data

    def get(self, path: str) -> dict[str, Any]:
        return json.loads(self.ask("GET", path))

    def change(self, path: str, **fields: object) -> None:
        """Send a change of the newest revision."""
        self.ask("POST", path, {"revision": self.revision, **fields})

    @property
    def revision(self) -> int:
        return int(self.get("state")["revision"])

    @property
    def processor(self) -> float:
        """Seconds of processor that the process has used."""
        text = Path(f"/proc/{self.process.pid}/stat").read_text(encoding="utf-8")
        user, system = text.rpartition(")")[2].split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")

    @property
    def peak(self) -> float:
        """The most memory of the process so far, in MB."""
        status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="utf-8")
        found = re.search(r"VmHWM:\s+(\d+) kB", status)
        assert found is not None
        return int(found[1]) * 1024 / _MEGABYTE


@contextmanager
def studio(video: Path, analysis: Path) -> Iterator[Studio]:
    """`faceveil review` over a video, from its start to its end."""
    command = [sys.executable, "-m", "faceveil", "review", str(video), "--analysis", str(analysis)]
    command += ["--no-browser", "--port", "0"]
    began = time.monotonic()
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        try:
            found = next(filter(None, map(_ADDRESS.search, process.stderr)))
            connection = http.client.HTTPConnection("127.0.0.1", int(found[1]), timeout=120)
            running = Studio(process, connection, found[2])
            running.get("state")
            running.opened, running.used = time.monotonic() - began, running.processor
            yield running
        finally:
            process.terminate()
            process.wait(60)


def seconds_of(act: Callable[[], object]) -> float:
    began = time.monotonic()
    act()
    return time.monotonic() - began


def requests_of(running: Studio, frames: int) -> dict[str, list[float]]:
    """Milliseconds of what a page asks and changes, each kind several times."""
    spread = [frames * (2 * turn + 1) // (2 * TIMES) for turn in range(TIMES)]
    looking: dict[str, Callable[[int], object]] = {
        "a page of people": lambda n: running.get(f"people?offset={n % CAST}&limit=20"),
        "the sequences of a person": lambda n: running.get(
            f"people/{n % CAST}/sequences?offset=0&limit=50"
        ),
        "the boxes of ten seconds": lambda n: running.get(f"boxes?first={n}&last={n + 299}"),
        "the timeline": lambda n: running.get("timeline?buckets=1200"),
        "the timeline of a minute": lambda n: running.get(
            f"timeline?first={n}&last={n + 1799}&buckets=1200"
        ),
        "the riskiest stretch": lambda n: running.get("next"),
    }
    found = {
        name: [1000 * seconds_of(lambda a=ask, n=n: a(n)) for n in spread]
        for name, ask in looking.items()
    }
    return found | changes_of(running, spread)


def changes_of(running: Studio, spread: list[int]) -> dict[str, list[float]]:
    """Milliseconds of corrections of all sorts, made while the risk is computed anew."""

    def at(frame: int) -> int:
        return int(running.get(f"boxes?first={frame}&last={frame}")["sequences"][0])

    corrections: dict[str, Callable[[int], dict[str, object]]] = {
        "keep one sequence": lambda n: {
            "op": "decide",
            "target": {"sequence": at(n)},
            "decision": "keep",
        },
        "keep a person": lambda n: {
            "op": "decide",
            "target": {"identity": n % CAST},
            "decision": "keep",
        },
        "name a person": lambda n: {"op": "name", "identity": n % CAST, "name": f"Person at {n}"},
        "split a sequence": lambda n: {"op": "split", "sequence": at(n), "frame": n + 1},
        "move a sequence": lambda n: {"op": "move", "sequence": at(n), "identity": None},
        "remove a veil": lambda n: {"op": "remove", "sequence": at(n), "why": "a poster"},
    }
    found: dict[str, list[float]] = {name: [] for name in (*corrections, "undo", "redo")}
    for name, correction in corrections.items():
        for frame in spread:
            body = {"revision": running.revision, **correction(frame)}
            taken = seconds_of(lambda body=body: running.ask("POST", "corrections", body))
            found[name].append(1000 * taken)
    for name in ("undo", "redo"):
        for _ in range(TIMES):
            body = {"revision": running.revision}
            taken = seconds_of(lambda name=name, body=body: running.ask("POST", name, body))
            found[name].append(1000 * taken)
    return found


def first_picture(video: Path, analysis: Path, middle: int) -> tuple[float, float, float]:
    """Seconds from the start of the command to its address, to the first picture, and then to the
    first one in the middle of the video."""
    began = time.monotonic()
    with studio(video, analysis) as running:
        running.ask("GET", "frames/0.jpg?width=960")
        first = time.monotonic() - began
        jump = seconds_of(lambda: running.ask("GET", f"frames/{middle}.jpg?width=960"))
        return running.opened, first, jump


def report(hours: float) -> str:
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        long, path = folder / "long.mp4", folder / "long.json"
        frames = write_hours(long, hours, 640, 360)
        analysis = analysis_of_hours(long, frames)
        sequences = len(analysis.sequences)
        write_analysis(analysis, path)
        size = path.stat().st_size / _MEGABYTE
        del analysis
        with studio(long, path) as running:
            opened, used = running.opened, running.used
            running.get("next")  # the risk has been computed once
            answers = requests_of(running, frames)
            for frame in range(0, frames, frames // 40):
                running.ask("GET", f"frames/{frame}.jpg?width=640")
            peak = running.peak
        long.unlink()
        short = folder / "hour.mp4"
        count = write_hours(short, 1, 1920, 1080)
        write_analysis(analysis_of_hours(short, count), path)
        pictures = first_picture(short, path, count // 2)
        hour_size = short.stat().st_size / _MEGABYTE
    load = os.getloadavg()[1]
    return "\n".join(
        [
            "# The review studio over hours of video",
            "",
            "    python -m benchmarks review_scale",
            "",
            machine(),
            f"Other work ran on the machine: its load was {load:.1f} over the last five minutes.",
            "",
            f"{hours:g} hours: {frames:,} frames with 3 faces each, {sequences:,} sequences of "
            f"{CAST} people, analysis.json of {size:,.0f} MB.",
            "",
            *table(
                ("", "asked", "measured"),
                [
                    (
                        "from the command to the first answer",
                        f"{OPENS_SECONDS} s",
                        f"{opened:.1f} s",
                    ),
                    ("processor time of that", "", f"{used:.1f} s"),
                    ("most memory of the server", f"{MEMORY_MB} MB", f"{peak:,.0f} MB"),
                ],
            ),
            "",
            f"Each kind of request was made {TIMES} times; {ANSWER_MS} ms are asked. The risk of "
            "all frames is computed anew behind each correction, on the same cores.",
            "",
            *table(
                ("request", "median", "slowest"),
                [
                    (name, f"{median(times):.0f} ms", f"{max(times):.0f} ms")
                    for name, times in answers.items()
                ],
            ),
            "",
            f"One hour at 1080p, a file of {hour_size:,.0f} MB, with its own analysis:",
            "",
            *table(
                ("", "asked", "measured"),
                [
                    ("from the command to the first answer", "", f"{pictures[0]:.1f} s"),
                    (
                        "from the command to the first picture",
                        f"{PICTURE_SECONDS} s",
                        f"{pictures[1]:.1f} s",
                    ),
                    ("then a picture half an hour later", "", f"{pictures[2]:.1f} s"),
                ],
            ),
            "",
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("report", nargs="?", type=Path, help="write the report to this file, too")
    parser.add_argument("--hours", type=float, default=HOURS, metavar="H")
    options = parser.parse_args()
    text = report(options.hours)
    print(text)
    if options.report:
        options.report.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
