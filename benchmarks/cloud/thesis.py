"""The thesis's tables 4.1 to 4.14, and faceveil's figures for the same work beside them.

    python -m benchmarks.cloud.thesis [report.md]

Running times and costs of a minute of 1080p at 30 frames a second (tables 4.5 to 4.12): faceveil's
processor time is measured here on a hundred frames of each kind of clip, and the time on the
thesis's instances is computed from it. Frames counted as true and false positives and negatives
(tables 4.1 to 4.4, 4.13, 4.14): on the real clips with hand-checked labels. Needs ../shared/thesis
and ../shared/data.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import process_time
from typing import Any

from benchmarks.report import machine, publish, table
from benchmarks.timing import in_own_process, run_command, take_precedence
from testkit import THESIS_TABLES

MINUTE = 1800
"""Frames of the thesis's clips."""
SAMPLES, SAMPLE_ROUNDS = 8, 3
SHORT_FRAMES = 2
MODES = {
    "every frame": ("every_frame", (), "4.5 to 4.7", "4.11"),
    "dynamic (ours: adaptive)": ("dynamic", ("--sampling", "adaptive"), "4.8 to 4.10", "4.12"),
}
"""The table's key, our options, and the thesis's tables of times and of costs."""
Tables = dict[str, Any]


@dataclass(frozen=True)
class Cost:
    """Processor seconds of a minute of 1080p: of the command, and of its networks alone.

    start: of Python, libraries and networks, contained in `full`. analysed: the share of frames in
    which faces are detected.
    """

    full: float
    processing: float
    start: float
    analysed: float


@dataclass(frozen=True)
class Range:
    """Seconds on an instance, by how much of one of this machine's processors a vCPU is worth."""

    least: float
    most: float

    def __str__(self) -> str:
        return f"{self.least:.0f} to {self.most:.0f}"


def measure_all(scratch: Path) -> dict[str, dict[str, Cost]]:
    """The cost of each mode and kind of clip."""
    costs: dict[str, dict[str, Cost]] = {mode: {} for mode in MODES}
    for kind in in_own_process(kinds):
        clip, short = scratch / "clip.mp4", scratch / "short.mp4"
        frames = in_own_process(write_clip, kind, clip, short)
        a_frame = in_own_process(network_seconds, clip)
        for mode, (_, words, _, _) in MODES.items():
            costs[mode][kind] = command_cost(clip, short, frames, words, a_frame)
            print(f"{kind}, {mode}: {costs[mode][kind]}", file=sys.stderr, flush=True)
    return costs


def kinds() -> list[str]:
    """The kinds of clip; loaded in a process of its own, so that this one stays small."""
    from benchmarks.cloud.thesis_clips import CLIPS

    return list(CLIPS)


def write_clip(kind: str, clip: Path, short: Path) -> int:
    from benchmarks.cloud import thesis_clips

    return thesis_clips.write_clip(kind, clip, short, SHORT_FRAMES)


def network_seconds(clip: Path) -> float:
    """Processor seconds of detection and recognition for a frame: the mean over frames spread over
    the clip, of each the least of several rounds."""
    import cv2

    from faceveil.detect.build import AnalyzerOptions, build_analyzer
    from faceveil.media.video import VideoSource

    cv2.setNumThreads(1)
    source = VideoSource(clip)
    assert source.frame_count
    step = source.frame_count // SAMPLES
    pictures = [frame.rgb() for frame in source if frame.number % step == step // 2]
    analyzer = build_analyzer(AnalyzerOptions())
    analyzer(pictures[0])
    quickest = [float("inf")] * len(pictures)
    for _ in range(SAMPLE_ROUNDS):
        for index, picture in enumerate(pictures):
            start = process_time()
            analyzer(picture)
            quickest[index] = min(quickest[index], process_time() - start)
    return sum(quickest) / len(quickest)


def command_cost(
    clip: Path, short: Path, frames: int, words: tuple[str, ...], network_seconds: float
) -> Cost:
    """`faceveil veil` on a clip, scaled to a minute; its start is that of a very short clip."""
    analysis, output = clip.with_name("analysis.json"), clip.with_name("out.mp4")

    def seconds(source: Path) -> float:
        command = [sys.executable, "-m", "faceveil", "veil", source, output, "--quiet"]
        output.unlink(missing_ok=True)
        analysis.unlink(missing_ok=True)
        return run_command([*command, *words, "--analysis", analysis]).processor

    start, whole = seconds(short), seconds(clip)
    analysed = json.loads(analysis.read_text())["parameters"]["frames_looked_at"] / frames
    a_frame = (whole - start) / (frames - SHORT_FRAMES)
    return Cost(
        full=start + MINUTE * a_frame,
        processing=MINUTE * analysed * network_seconds,
        start=start,
        analysed=analysed,
    )


def on_instance(seconds: float, vcpus: int) -> Range:
    """Processor seconds of this machine as seconds of an instance whose vCPUs are all busy.

    A vCPU is a thread of a core: alone it works like a processor here, two on one core at least
    like one together.
    """
    return Range(seconds / vcpus, 2 * seconds / vcpus)


def time_rows(tables: Tables, mode: str, costs: dict[str, Cost]) -> Iterator[tuple[object, ...]]:
    """The thesis's seconds and ours for each instance and kind of clip."""
    for name, instance, clip, kind, times in _runs(tables, mode, costs):
        vcpus = tables["running_time"]["vcpus"][instance]
        full = on_instance(costs[kind].full, vcpus)
        processing = on_instance(costs[kind].processing, vcpus)
        yield (
            name,
            instance,
            kind,
            times["processing"][clip],
            processing,
            times["full"][clip],
            full,
            f"{times['full'][clip] / full.most:.0f} to {times['full'][clip] / full.least:.0f}",
        )


def cost_rows(tables: Tables, mode: str, costs: dict[str, Cost]) -> Iterator[tuple[object, ...]]:
    """The thesis's dollars and ours, at its prices and with its start of the container."""
    number = MODES[mode][3]
    stated = tables["cost_usd"][f"table_{number.replace('.', '_')}"]
    for _, instance, clip, kind, times in _runs(tables, mode, costs):
        price = tables["running_time"]["usd_per_hour"][instance] / 3600
        start = times["container"][clip] - times["full"][clip]
        full = on_instance(costs[kind].full, tables["running_time"]["vcpus"][instance])
        yield (
            number,
            instance,
            kind,
            f"{stated[instance][clip]:.2f}",
            f"{price * (full.least + start):.3f} to {price * (full.most + start):.3f}",
            start,
            f"{price * full.least:.4f} to {price * full.most:.4f}",
        )


def _runs(
    tables: Tables, mode: str, costs: dict[str, Cost]
) -> Iterator[tuple[str, str, int, str, Tables]]:
    """Table, instance, column and kind of clip, and the table's times."""
    for name, times in tables["running_time"][MODES[mode][0]].items():
        for clip, kind in enumerate(costs):
            number = name.removeprefix("table_").replace("_", ".")
            yield number, times["instance"], clip, kind, times


def quality_tables(tables: Tables) -> list[str]:
    """The thesis's frames beside ours on all labelled clips together, then ours clip by clip."""
    from benchmarks.quality.thesis_frames import EVERY_FRAME, labelled_frames

    rows = []
    for name, row in tables["prediction_quality"].items():
        number = name.removeprefix("table_").replace("_", ".")
        counts = [row[key] for key in COUNTS]
        rows.append(quality_row(f"{number}: {row['network']}, {row['mode']}", counts))
    found = labelled_frames()
    for name, clips in found.items():
        counts = [sum(getattr(frames, key) for frames in clips.values()) for key in COUNTS]
        rows.append(quality_row(f"faceveil, {name}", counts))
    by_clip = [
        (f"{clip}.json", *(getattr(frames, key) for key in COUNTS))
        for clip, frames in found[EVERY_FRAME.name].items()
    ]
    text = QUALITY_TEXT.format(count=sum(sum(row[1:]) for row in by_clip))
    return [
        text,
        "",
        *table(QUALITY, rows),
        "",
        FALSE_VEILS,
        "",
        *table(("labels/, every frame", *QUALITY[1:5]), by_clip),
        "",
    ]


def quality_row(name: str, counts: Sequence[int]) -> tuple[object, ...]:
    """True and false positives and negatives, and the shares that follow from them."""
    tp, tn, fp, fn = counts
    shares = ((tp + tn) / sum(counts), tp / (tp + fp), tp / (tp + fn), 2 * tp / (2 * tp + fp + fn))
    return name, *counts, *(f"{share:.3f}" for share in shares)


TIMES = (
    "table",
    "instance",
    "clip",
    "thesis: networks, s",
    "faceveil: networks, s",
    "thesis: all, s",
    "faceveil: all, s",
    "times as fast",
)
COSTS = (
    "table",
    "instance",
    "clip",
    "thesis, $",
    "faceveil, $",
    "start of the container in both, s",
    "faceveil without it, $",
)
QUALITY = ("", "TP", "TN", "FP", "FN", "accuracy", "precision", "recall", "F1")
WHAT_IS_MEASURED = f"""\
**Measured here**: processor seconds, not seconds on the wall, on one processor of this machine,
{{priority}}, so that other work adds little to them: those of detection and recognition on
{SAMPLES} frames of each clip, of each the least of {SAMPLE_ROUNDS} rounds; and those of the whole
command `faceveil veil` (decoding, networks, following, tracking, veiling, encoding, verification of
the output), once, on 102 to 144 frames of 1080p made from the real clips of ../shared/data. Both
are scaled to {MINUTE:,} frames; the command's start (Python, libraries, networks), measured on
{SHORT_FRAMES} frames, counts once. The share of frames that the adaptive mode analyses is that of
these frames.

**Computed**: seconds on the thesis's instances, as though all vCPUs were busy throughout. The first
figure takes a vCPU for a processor of this machine; the second takes two vCPUs, which are threads
of one core, for one. Their processors differ from this one in ways that neither figure knows. On
two idle processors the command keeps them busy for about 90 % of its time
([whole_command.md](whole_command.md)); how well it uses eight was not measured. The T4 of
ml.g4dn.xlarge is not used in our figures, which are of its four vCPUs: no such GPU was at hand. Our
clips are of the thesis's kinds, not its own, which are not public.

**From the thesis** (SageMaker Processing, eu-north-1, May 2022): its figures, its prices, and the
time between the start of the container and that of the program, which is billed and stands in both
columns of dollars. Nothing of this ran on AWS."""
COUNTS = ("tp", "tn", "fp", "fn")
QUALITY_TEXT = """\
A frame is a false negative where a face is missed, else a false positive where a veil lies on no
face, else a true positive where it shows faces, else a true negative. The thesis's clip has 4,587
frames with a face in each. Ours are the {count} frames of labels/, with cuts, profiles, faces of 14
pixels and frames without a face; a face counts as missed when less than 0.9 of it is veiled. These
are different clips: the figures stand side by side, and small differences between them say nothing.
Our row without sequences corresponds to table 4.13, adaptive to the dynamic ones. Sequences that
are too weakly supported are removed in all of ours that have sequences, as in table 4.14."""
FALSE_VEILS = """\
faceveil covers rather too much than too little: a veil starts before a face is seen and stays
after it has gone (the extension, which one row leaves out), and where a face is hidden for a moment
its veil stays. In every frame of walking.json there is also one plain error: the ornament on a
man's shirt is taken for a face, with a score just above the threshold."""


def report() -> str:
    if not THESIS_TABLES.is_file():
        sys.exit("needs ../shared/thesis/tables.toml, which is not beside this checkout")
    tables = tomllib.loads(THESIS_TABLES.read_text())
    made_on = machine()
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    priority = take_precedence()
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as scratch:
        costs = measure_all(Path(scratch))
    lines = [
        "# The thesis's tables, and faceveil beside them",
        "",
        "`python -m benchmarks.cloud.thesis`",
        "",
        f"{made_on} The machine was busy: a load of {load:.1f} at the start and "
        f"{os.getloadavg()[0]:.1f} at the end.",
        "",
        WHAT_IS_MEASURED.format(priority=priority),
        "",
        "## Processor seconds of a minute, measured",
        "",
        *table(MEASURED, measured_rows(costs)),
    ]
    for mode, (_, _, numbers, number) in MODES.items():
        lines += ["", f"## Running time, {mode}: tables {numbers}", ""]
        lines += table(TIMES, time_rows(tables, mode, costs[mode]))
        lines += ["", f"## Cost, {mode}: table {number}", ""]
        lines += table(COSTS, cost_rows(tables, mode, costs[mode]))
    lines += ["", "## Frames found: tables 4.1 to 4.4, 4.13, 4.14", "", *quality_tables(tables)]
    return "\n".join(lines)


MEASURED = ("mode", "clip", "networks", "all", "of it start", "frames analysed")


def measured_rows(costs: dict[str, dict[str, Cost]]) -> Iterator[tuple[object, ...]]:
    for mode, by_kind in costs.items():
        for kind, cost in by_kind.items():
            seconds = (f"{each:.1f}" for each in (cost.processing, cost.full, cost.start))
            yield mode, kind, *seconds, f"{cost.analysed:.0%}"


if __name__ == "__main__":
    publish(report)
