"""Does `faceveil live` keep up at 720p30 on two cores, and is as much veiled as by `faceveil veil`?

    python -m benchmarks.live.real_time [report.md]

A clip of up to six faces, whose truth is known, plays in a loop at its own pace, as the command
runs where everyone is veiled. Every picture of the output is compared with the frame that it shows
(`numbered`); the same clip veiled by the offline command stands beside it, and what each size of
pictures costs that a slow machine falls back to. FACEVEIL_LIVE_MINUTES (5) says how long it runs;
the clip of 1080p runs for two fifths of that. Nothing else may run beside it.
"""

from __future__ import annotations

import os
import tempfile
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.live import foreground, glass
from benchmarks.live.memory import megabytes
from benchmarks.live.numbered import RATE, Judged, Numbered, judged
from benchmarks.report import machine, publish, table
from faceveil import pipeline
from faceveil.detect.build import FAST, AnalyzerOptions, build_analyzer
from faceveil.detect.no_recognizer import NO_RECOGNIZER
from faceveil.live.load import SCALES, LoadControl
from faceveil.live.options import LiveOptions
from faceveil.live.run import LiveRun
from faceveil.live.sinks import SinkOptions, open_sink
from faceveil.live.sources import LiveSource, SourceOptions
from testkit.clips import Actor, Scene, make_clip
from testkit.scenes_footage import Footage

MINUTES = float(os.environ.get("FACEVEIL_LIVE_MINUTES", "5"))
FRAMES = 300
WARM_SECONDS = 5
STAGE = Scene(
    1,
    ((150, 130, 105), (60, 75, 90)),
    (
        Actor("biden", ((0, 0.12, 0.30, 0.12), (1, 0.20, 0.30, 0.13))),
        Actor("obama2", ((0, 0.34, 0.32, 0.13), (1, 0.36, 0.32, 0.13))),
        Actor("astronaut", ((0, 0.62, 0.30, 0.12), (1, 0.58, 0.30, 0.13))),
        Actor("obama", ((0, 0.84, 0.34, 0.14), (1, 0.88, 0.34, 0.14))),
        Actor("obama2", ((0, 1.15, 0.62, 0.28), (0.5, 0.6, 0.62, 0.28), (1, -0.15, 0.62, 0.28))),
        Actor("biden", ((0, 0.22, 0.66, 0.30), (1, 0.28, 0.66, 0.32))),
    ),
)
"""Four people behind, one in front, and one who walks through."""
PAIR = Scene(
    1,
    ((70, 80, 120), (165, 150, 135)),
    (
        Actor("biden", ((0, 0.30, 0.46, 0.30), (1, 0.36, 0.46, 0.32))),
        Actor("obama", ((0, 1.15, 0.48, 0.28), (0.4, 0.7, 0.48, 0.28), (1, 0.68, 0.48, 0.30))),
    ),
)
CLIPS = {
    "720p30, six faces": ((1280, 720), STAGE, 1.0, 4),
    "1080p30, two faces": ((1920, 1080), PAIR, 0.4, 2),
}
"""Size, scene, share of the minutes, and turns of the loop that are judged."""
FEWEST_LOOKS = 8
"""The largest distance of looks at 30 frames a second (`load.MOST_SECONDS_APART`)."""


@dataclass(frozen=True)
class Outcome:
    """What became of one run: the metrics of each second, and how well it is veiled."""

    title: str
    history: list[dict[str, float]]
    live: Judged
    offline: Judged

    @property
    def settled(self) -> list[dict[str, float]]:
        return self.history[WARM_SECONDS:] or self.history

    def median(self, name: str) -> float:
        return float(np.median([one[name] for one in self.settled]))

    def total(self, name: str) -> float:
        return self.history[-1][name]

    def a_frame(self, name: str) -> float:
        """Milliseconds of processor for each frame that came, once it has settled."""
        first, last = self.settled[0], self.settled[-1]
        frames = max(last["frames_in"] - first["frames_in"], 1)
        return 1e3 * (last[name] - first[name]) / frames


NETWORKS = AnalyzerOptions(profile=FAST, recognizer=NO_RECOGNIZER)


def run(title: str, folder: Path) -> Outcome:
    size, scene, share, turns = CLIPS[title]
    footage = make_clip(*size, FRAMES, seed=1, scenes=(scene,))
    source = Numbered(footage).write(folder / "in.mp4")
    output = folder / "live.mkv"
    history: list[dict[str, float]] = []

    def tell(values: dict[str, float]) -> None:
        pids = [detector.pid for detector in live.looks.detectors]
        history.append(
            {
                **values,
                "memory": megabytes(os.getpid()),
                "main": time.process_time(),
                "detecting": sum(processor_seconds(pid) for pid in pids if pid),
            }
        )
        if len(history) >= max(60 * MINUTES * share, WARM_SECONDS + 2):
            live.stop()

    live = LiveRun(
        LiveSource(str(source), SourceOptions(loop=True)),
        open_sink(str(output), SinkOptions(overwrite=True)),
        partial(build_analyzer, NETWORKS),
        LiveOptions(),
        tell=tell,
    )
    live.run()
    offline = folder / "veil.mkv"
    pipeline.veil(source, offline, verification=None)
    return Outcome(
        title,
        history,
        judged(footage, source, output, turns),
        judged(footage, source, offline),
    )


def processor_seconds(pid: int) -> float:
    """What a process has used of the processor, in user and system mode."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Fixed(LoadControl):
    """Detects in as few frames as are allowed, at one size."""

    def __init__(self, scale: float) -> None:
        super().__init__(1)
        self._stride, self._level, self._has_reserve = FEWEST_LOOKS, SCALES.index(scale), False

    def looked(self, seconds: float, rate: float, now: float) -> None:
        return


def falling_back(folder: Path) -> list[tuple[object, ...]]:
    """What the least number of looks shows, at each size: rows of recall and longest run."""
    footage: Footage = make_clip(1280, 720, FRAMES, seed=1, scenes=(STAGE,))
    source = Numbered(footage).write(folder / "in.mp4")
    rows: list[tuple[object, ...]] = []
    for scale in SCALES:
        output = folder / "fixed.mkv"
        LiveRun(
            LiveSource(str(source)),
            open_sink(str(output), SinkOptions(overwrite=True)),
            partial(build_analyzer, NETWORKS),
            LiveOptions(),
            paced=False,
            load=Fixed(scale),
        ).run()
        found = judged(footage, source, output)
        rows.append((f"{scale:.0%}", f"{found.recall:.4f}", found.faces, found.longest))
    return rows


def report() -> str:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        outcomes = [run(title, folder) for title in CLIPS]
        fewest = falling_back(folder)
        footage = make_clip(1280, 720, FRAMES, seed=1, scenes=(STAGE,))
        parts = glass.measured(footage, folder)
        kept = foreground.section(folder)
    return "\n".join(
        [
            "# Live in real time",
            "",
            machine(),
            "",
            f"`python -m benchmarks live`. Each clip of {FRAMES / RATE:g} s played in a loop: that "
            f"of 720p for {MINUTES:g} minutes. The delay was 1 s; detection ran on "
            f"{NETWORKS.engine}, without recognition, since no one is kept.",
            "",
            *table(
                ("clip", "frames/s", "came", "left", "dropped", "frozen", "blank",
                 "detected in one of", "at size"),
                [_flow(one) for one in outcomes],
            ),
            "",
            "Milliseconds of processor for each frame, of two cores' 66.7: the main process "
            "(decoding, following, veiling, encoding, writing) and detection. The delay, how much "
            "later than due a frame left, one look and one plan (for 0.2 s) are medians in ms of "
            "the clock; memory is that of the main process after a tenth of the run and at its "
            "end, in MB.",
            "",
            *table(
                ("clip", "main", "detection", "together", "delay", "late", "one look", "one plan",
                 "memory", "at the end"),
                [_parts(one) for one in outcomes],
            ),
            "",
            "Veiled faces by pixels, over the pictures that were shown in the first turns of the "
            "loop, beside `faceveil veil` on the same frames.",
            "",
            *table(
                ("clip", "faces", "recall live", "recall offline", "longest exposed run live",
                 "offline"),
                [
                    (
                        one.title,
                        one.live.faces,
                        f"{one.live.recall:.4f}",
                        f"{one.offline.recall:.4f}",
                        one.live.longest,
                        one.offline.longest,
                    )
                    for one in outcomes
                ],
            ),
            "",
            "## What a slow machine falls back to",
            "",
            f"The clip of 720p, faces detected in one frame of {FEWEST_LOOKS} only, in a picture "
            "of each size.",
            "",
            *table(("size", "recall", "faces", "longest exposed run"), fewest),
            "",
            "## From glass to glass",
            "",
            "A sender, `faceveil live` and a viewer over loopback (MPEG-TS over TCP), in ms for "
            "each picture. The camera, its encoder and the viewer's screen are not in it. A "
            "picture in MPEG-TS is whole only when the next one begins: one frame later, twice.",
            "",
            *table(("part", "median", "95th percentile", "pictures"), parts),
            "",
            "## The foreground",
            "",
            *kept,
            "",
        ]
    )  # fmt: skip


def _flow(one: Outcome) -> tuple[object, ...]:
    rate = float(np.mean([second["frames_per_second"] for second in one.settled]))
    names = ("in", "out", "dropped", "frozen", "blanked")
    return (
        one.title,
        f"{rate:.1f}",
        *(f"{one.total(f'frames_{name}'):.0f}" for name in names),
        f"{one.median('look_stride'):.0f}",
        f"{one.median('look_scale'):.0%}",
    )


def _parts(one: Outcome) -> tuple[object, ...]:
    main, detecting = one.a_frame("main"), one.a_frame("detecting")
    early = one.history[len(one.history) // 10]["memory"]
    names = ("delay_seconds", "late_seconds", "look_seconds", "plan_seconds")
    return (
        one.title,
        *(f"{value:.1f}" for value in (main, detecting, main + detecting)),
        *(f"{1e3 * one.median(name):.0f}" for name in names),
        f"{early:.0f}",
        f"{one.total('memory'):.0f}",
    )


if __name__ == "__main__":
    publish(report, needs_data=False)
