"""Does `faceveil live` keep up at 720p30 on two cores, and is as much veiled as by `faceveil veil`?

    python -m benchmarks.live.real_time [report.md]

A clip of up to six faces, whose truth is known, plays in a loop at its own pace. Each of its frames
holds its number in a row of black and white squares, so that whatever is dropped or shown twice,
every picture of the output is compared with the frame that it shows: the share of its faces that
its pixels veil. The same clip veiled by the offline command stands beside it. The clock of each
part of the delay is that of the run. FACEVEIL_LIVE_MINUTES (5) says how long each run takes.
"""

from __future__ import annotations

import os
import resource
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path

import av
import numpy as np

from benchmarks.report import machine, publish, table
from faceveil import pipeline
from faceveil.detect.build import AnalyzerOptions, build_analyzer
from faceveil.faces import Image
from faceveil.live.options import LiveOptions
from faceveil.live.run import LiveRun
from faceveil.live.sinks import SinkOptions, open_sink
from faceveil.live.sources import LiveSource, SourceOptions
from testkit.clips import Actor, Clip, Scene, make_clip
from testkit.truth import ENCODED, Truth, coverage_of_pixels, evaluate

MINUTES = float(os.environ.get("FACEVEIL_LIVE_MINUTES", "5"))
RATE = 30
FRAMES = 300
BITS, SQUARE = 12, 8
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


@dataclass(frozen=True)
class Numbered:
    """A clip whose frames hold their number, written as squares at the bottom left."""

    clip: Clip

    def frame(self, number: int) -> Image:
        picture = self.clip.frame(number)
        for bit in range(BITS):
            value = 235 if number >> bit & 1 else 16
            picture[-SQUARE:, bit * SQUARE : (bit + 1) * SQUARE] = value
        picture[-SQUARE:, BITS * SQUARE : (BITS + 1) * SQUARE] = 235
        return picture

    def write(self, path: Path) -> Path:
        with av.open(str(path), "w") as output:
            video = output.add_stream("libx264", rate=RATE)
            video.width, video.height, video.pix_fmt = self.clip.width, self.clip.height, "yuv420p"
            video.options = {"crf": "16", "preset": "veryfast"}
            for number in range(len(self.clip)):
                frame = av.VideoFrame.from_ndarray(self.frame(number), "rgb24")
                frame.pts, frame.time_base = number, Fraction(1, RATE)
                output.mux(video.encode(frame))
            output.mux(video.encode(None))
        return path


def number_of(picture: Image) -> int | None:
    """The number that a picture holds; None for one that is blank."""
    row = picture[-SQUARE // 2]
    values = [int(row[bit * SQUARE + SQUARE // 2].mean()) for bit in range(BITS + 1)]
    if values[-1] < 128:
        return None
    return sum((value > 128) << bit for bit, value in enumerate(values[:-1]))


def decoded(path: Path) -> Iterator[Image]:
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            yield np.asarray(frame.to_ndarray(format="rgb24"), np.uint8)


def recall_of(numbered: Numbered, output: Path, turns: int) -> tuple[float, int, int]:
    """Recall by pixels over the pictures that an output shows, their faces, and the longest run of
    frames in which a face shows; of the first `turns` turns of the loop."""
    truth: Truth = numbered.clip.truth
    shown: dict[tuple[int, int], Image] = {}
    turn, last = 0, -1
    faces = missed = longest = 0
    for picture in decoded(output):
        number = number_of(picture)
        if number is None or number >= len(numbered.clip):
            continue
        if number < last - len(numbered.clip) // 2:
            one_faces, one_missed, run = _judge(numbered, truth, shown, turn)
            faces, missed, longest = faces + one_faces, missed + one_missed, max(longest, run)
            shown.clear()
            turn += 1
            if turn == turns:
                break
        last = number
        shown[turn, number] = picture
    if shown:
        one_faces, one_missed, run = _judge(numbered, truth, shown, turn)
        faces, missed, longest = faces + one_faces, missed + one_missed, max(longest, run)
    return 1 - missed / max(faces, 1), faces, longest


def _judge(
    numbered: Numbered, truth: Truth, shown: dict[tuple[int, int], Image], turn: int
) -> tuple[int, int, int]:
    count = len(numbered.clip)
    originals = [numbered.frame(number) for number in range(count)]
    after = [shown.get((turn, number), 255 - originals[number]) for number in range(count)]
    coverage = coverage_of_pixels(truth, originals, after, ENCODED)
    visible = np.array([(turn, number) in shown for number in range(count)])
    rows = visible[truth.frames]
    counted = evaluate(truth, np.where(rows, coverage, 1.0).astype(np.float32))
    unseen = evaluate(truth, np.where(rows, 0.0, 1.0).astype(np.float32))
    return len(unseen.missed), len(counted.missed), _longest_run(counted.missed)


def _longest_run(missed: tuple[tuple[int, str], ...]) -> int:
    """The most successive frames in which a person shows."""
    longest = run = 0
    before: tuple[int, str] | None = None
    for frame, person in sorted(missed, key=lambda one: (one[1], one[0])):
        run = run + 1 if before == (frame - 1, person) else 1
        before, longest = (frame, person), max(longest, run)
    return longest


@dataclass(frozen=True)
class Outcome:
    """What became of one run."""

    title: str
    values: dict[str, float]
    history: list[dict[str, float]]
    recall: float
    faces: int
    longest: int
    offline: float

    def rate(self) -> float:
        after = self.history[5:] or self.history
        return float(np.mean([one["frames_per_second"] for one in after]))

    def median(self, name: str) -> float:
        after = self.history[5:] or self.history
        return float(np.median([one[name] for one in after]))


def run(title: str, size: tuple[int, int], scene: Scene, folder: Path) -> Outcome:
    numbered = Numbered(make_clip(*size, FRAMES, seed=1, scenes=(scene,)))
    source = numbered.write(folder / f"{title}.mp4")
    output = folder / f"{title}.live.mkv"
    history: list[dict[str, float]] = []

    def tell(values: dict[str, float]) -> None:
        history.append({**values, "memory": _megabytes()})
        if len(history) >= 60 * MINUTES:
            live.stop()

    networks = AnalyzerOptions(profile="fast")
    live = LiveRun(
        LiveSource(str(source), SourceOptions(loop=True)),
        open_sink(str(output), SinkOptions(overwrite=True)),
        partial(build_analyzer, networks),
        LiveOptions(),
        tell=tell,
    )
    live.run()
    recall, faces, longest = recall_of(numbered, output, turns=6)
    offline = folder / f"{title}.veil.mkv"
    pipeline.veil(source, offline, verification=None)
    return Outcome(
        title,
        live.metrics.values(),
        history,
        recall,
        faces,
        longest,
        recall_of(numbered, offline, turns=1)[0],
    )


def _megabytes() -> float:
    """What this process holds now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


def report() -> str:
    with tempfile.TemporaryDirectory() as folder:
        outcomes = [
            run("720p30, six faces", (1280, 720), STAGE, Path(folder)),
            run("1080p30, two faces", (1920, 1080), PAIR, Path(folder)),
        ]
    return "\n".join(
        [
            "# Live in real time",
            "",
            machine(),
            f"Each clip of {FRAMES / RATE:g} s played in a loop for {MINUTES:g} minutes; "
            "the delay was 1 s.",
            "",
            *table(
                ("clip", "frames/s", "came", "left", "dropped", "frozen", "blank", "one look in",
                 "at size"),
                [_flow(one) for one in outcomes],
            ),
            "",
            "Recall is by pixels, over the pictures that were shown in the first six turns.",
            "",
            *table(
                ("clip", "recall live", "recall offline", "faces", "longest exposed run"),
                [
                    (
                        one.title,
                        f"{one.recall:.4f}",
                        f"{one.offline:.4f}",
                        one.faces,
                        f"{one.longest} frames" if one.longest else "0",
                    )
                    for one in outcomes
                ],
            ),
            "",
            "The delay and its parts, medians in ms; memory of the main process after a tenth of "
            "the run and at its end, in MB.",
            "",
            *table(
                ("clip", "delay", "late", "one look", "one plan", "memory", "at the end"),
                [_parts(one) for one in outcomes],
            ),
            "",
        ]
    )  # fmt: skip


def _flow(one: Outcome) -> tuple[object, ...]:
    values = one.values
    return (
        one.title,
        f"{one.rate():.1f}",
        f"{values['frames_in']:.0f}",
        f"{values['frames_out']:.0f}",
        f"{values['frames_dropped']:.0f}",
        f"{values['frames_frozen']:.0f}",
        f"{values['frames_blanked']:.0f}",
        f"{one.median('look_stride'):.0f}",
        f"{one.median('look_scale'):.0%}",
    )


def _parts(one: Outcome) -> tuple[object, ...]:
    early = one.history[len(one.history) // 10]["memory"]
    return (
        one.title,
        f"{1e3 * one.median('delay_seconds'):.0f}",
        f"{1e3 * one.median('late_seconds'):.0f}",
        f"{1e3 * one.median('look_seconds'):.0f}",
        f"{1e3 * one.median('plan_seconds'):.0f}",
        f"{early:.0f}",
        f"{one.history[-1]['memory']:.0f}",
    )


if __name__ == "__main__":
    publish(report, needs_data=False)
