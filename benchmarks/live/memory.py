"""Does the memory of `faceveil live` stay flat over an hour of stream?

    python -m benchmarks.live.memory [report.md]

The hour passes at the pace of the machine: frames leave as soon as they are ready. The real
networks detect faces in every eighth frame of a clip of 640x360 that plays in a loop, to an HLS
folder. FACEVEIL_LIVE_HOURS (1) says how long the stream is.
"""

from __future__ import annotations

import os
import resource
import tempfile
from functools import partial
from pathlib import Path

from benchmarks.report import machine, publish, table
from faceveil.detect.build import FAST, AnalyzerOptions, build_analyzer
from faceveil.live.load import LoadControl
from faceveil.live.options import LiveOptions
from faceveil.live.run import LiveRun
from faceveil.live.sinks import open_sink
from faceveil.live.sources import LiveSource, SourceOptions
from testkit.clips import RATE, make_clip, write_video

HOURS = float(os.environ.get("FACEVEIL_LIVE_HOURS", "1"))
SHARES = (0.02, 0.1, 0.25, 0.5, 0.75, 1.0)
"""Where the memory is told, as shares of the stream."""


class EveryEighth(LoadControl):
    """Detects in every eighth frame, at full size."""

    def __init__(self) -> None:
        super().__init__(1)
        self._stride = 8

    def looked(self, seconds: float, rate: float, now: float) -> None:
        return


def megabytes(pid: int) -> float:
    """What a process holds in memory now, in MB."""
    pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="utf-8").split()[1])
    return pages * resource.getpagesize() / 1e6


def held(folder: Path, frames: int) -> list[tuple[float, float, float]]:
    """Frames that left, and the megabytes of the main process and of detection, each second."""
    source = folder / "in.mp4"
    write_video(make_clip(640, 360, 250, seed=2), source)
    history: list[tuple[float, float, float]] = []

    def tell(values: dict[str, float]) -> None:
        pids = [detector.pid for detector in run.looks.detectors]
        detecting = sum(megabytes(pid) for pid in pids if pid)
        history.append((values["frames_out"], megabytes(os.getpid()), detecting))
        if values["frames_out"] >= frames:
            run.stop()

    run = LiveRun(
        LiveSource(str(source), SourceOptions(loop=True)),
        open_sink(f"{folder / 'hls'}/"),
        partial(build_analyzer, AnalyzerOptions(profile=FAST)),
        LiveOptions(workers=1),
        tell=tell,
        paced=False,
        load=EveryEighth(),
    )
    run.run()
    return history


def report() -> str:
    frames = round(HOURS * 3600 * RATE)
    with tempfile.TemporaryDirectory() as folder:
        history = held(Path(folder), frames)
    rows: list[tuple[object, ...]] = []
    for share in SHARES:
        out, main, detecting = next(one for one in history if one[0] >= share * frames)
        minutes = f"{out / RATE / 60:.0f}"
        rows.append((minutes, f"{main:.0f}", f"{detecting:.0f}"))
    most = max(main for _, main, _ in history), max(detecting for *_, detecting in history)
    rows.append(("the most", *(f"{value:.0f}" for value in most)))
    return "\n".join(
        [
            "# Memory of a live stream",
            "",
            machine(),
            "",
            f"{frames} frames of a stream of {RATE} a second, with sound and recognition, took "
            f"{len(history) / 60:.1f} minutes. MB that the processes hold.",
            "",
            *table(("minute of the stream", "main process", "detection"), rows),
            "",
        ]
    )


if __name__ == "__main__":
    publish(report, needs_data=False)
