"""How fast and in how much memory hours of detections are analysed, on one core.

    python -m benchmarks.cloud.scale [report.md]

Detections of 1 hour and of 8 hours at 30 frames a second (scale_scene.py: three faces a frame, 192
numbers a face, cuts, people who come and go, faces missed, low scores) are made as JSON while the
analysis asks for them; only the analysis is timed. Each length runs in a process of its own, whose
peak memory counts; it holds one shot of detections to come besides. Then matching alone, features
and boxes at hand, in turns with the master's thesis's way of it (thesis_matching.py).
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack
from time import process_time

from benchmarks.report import machine, publish, table
from testkit import PROJECT

ROUNDS = 5
FRAMES_A_SECOND = 30
HOURS = (1, 8)
MATCHED, MATCHED_BY_THESIS = 32_768, 4_096
MEGABYTE = 1 << 20
ONE_THREAD = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS")


def analysed(frames: int) -> dict[str, float]:
    """Seconds of analysing so many frames and of its parts, peak memory, what was found."""
    import cv2

    from benchmarks.cloud.scale_scene import HEIGHT, WIDTH, scene
    from benchmarks.timing import clocked
    from faceveil import finding
    from faceveil.faces import FrameFaces
    from faceveil.sequence.follow.build import SequenceBuilder
    from faceveil.shots.transitions import TransitionDetector

    cv2.setNumThreads(1)
    spent: dict[str, float] = defaultdict(float)
    made = scene(frames)

    def answers() -> Iterator[bytes]:
        while True:
            start = process_time()
            faces = next(made, None)
            answer = None if faces is None else faces.to_json()
            spent["making"] += process_time() - start
            if answer is None:
                return
            spent["bytes"] += len(answer)
            yield answer

    def read() -> Iterator[tuple[int, FrameFaces]]:
        for number, answer in enumerate(answers()):
            yield number, FrameFaces.from_json(answer)

    with ExitStack() as stack:
        for label, owner, name in (
            ("JSON", FrameFaces, "from_json"),
            ("shots", TransitionDetector, "push"),
            ("matching", SequenceBuilder, "push"),
            ("matching", SequenceBuilder, "finish"),
            ("finishing", finding, "finish_sequences"),
        ):
            stack.enter_context(clocked(spent, label, owner, name))
        start = process_time()
        found = finding.follow(read(), size=(WIDTH, HEIGHT))
        all_of_it = process_time() - start - spent.pop("making")
    return {
        **spent,
        "all": all_of_it,
        "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        "faces": float(len(found.detections)),
        "sequences": float(len(found.sequences)),
        "shots found": float(len(found.shot_starts)),
    }


def matched() -> dict[str, float]:
    """Frames a second that matching follows, and that the thesis's way does: the best of rounds."""
    from benchmarks.cloud.scale_scene import scene
    from benchmarks.cloud.thesis_matching import as_dicts, match
    from faceveil.sequence.follow.build import SequenceBuilder

    frames = list(scene(MATCHED))
    dicts = [as_dicts(faces) for faces in frames[:MATCHED_BY_THESIS]]

    def ours() -> None:
        builder = SequenceBuilder()
        for number, faces in enumerate(frames):
            builder.push(number, faces, False)
        builder.finish()

    best = {"ours": 0.0, "thesis": 0.0}
    for _ in range(ROUNDS):
        for name, way, count in (
            ("ours", ours, len(frames)),
            ("thesis", lambda: match(dicts), len(dicts)),
        ):
            start = process_time()
            way()
            best[name] = max(best[name], count / (process_time() - start))
    return best


def in_a_process(*arguments: str) -> dict[str, float]:
    """This module with these arguments, on one core and one thread."""
    environment = {**os.environ, **dict.fromkeys(ONE_THREAD, "1")}
    command = [sys.executable, "-m", "benchmarks.cloud.scale", *arguments]
    answer = subprocess.run(
        command, cwd=PROJECT, env=environment, stdout=subprocess.PIPE, check=True
    )
    figures: dict[str, float] = json.loads(answer.stdout)
    return figures


def report() -> str:
    matching = in_a_process("--match")
    runs = {
        hours: in_a_process("--analyse", str(hours * 3600 * FRAMES_A_SECOND)) for hours in HOURS
    }
    ratio = matching["ours"] / matching["thesis"]
    lines = [
        "# Analysing hours of detections",
        "",
        "    python -m benchmarks scale",
        "",
        machine(),
        "One core; processor time, which leaves out waiting for S3. Made detections: "
        "`benchmarks/cloud/scale_scene.py`.",
        "",
        *table(
            ("video", "frames", "faces", "JSON", "frames/s", "peak memory", "shots", "sequences"),
            [_length_row(hours, run) for hours, run in runs.items()],
        ),
        "",
        "Where a frame's time goes, in microseconds:",
        "",
        *table(
            ("video", "reading JSON", "shots", "matching", "join, fill, extend, smooth", "all"),
            [_stage_row(hours, run) for hours, run in runs.items()],
        ),
        "",
        "Matching alone, features and boxes at hand, frames a second (the best of "
        f"{ROUNDS} rounds in turns):",
        "",
        *table(
            ("faceveil", "the thesis's way", "ratio"),
            [(f"{matching['ours']:,.0f}", f"{matching['thesis']:,.0f}", f"{ratio:.1f}")],
        ),
        "",
        "The thesis's way compares each face with those of the frame before: a dictionary per "
        "face, SciPy's cosine per pair, `linear_sum_assignment` per frame. faceveil follows faces "
        "over gaps, by their motion and by low scores as well.",
        "",
    ]
    return "\n".join(lines)


def _length_row(hours: int, run: dict[str, float]) -> tuple[str, ...]:
    frames = hours * 3600 * FRAMES_A_SECOND
    return (
        f"{hours} h",
        f"{frames:,}",
        f"{run['faces']:,.0f}",
        f"{run['bytes'] / 1e9:.1f} GB",
        f"{frames / run['all']:,.0f}",
        f"{run['peak'] / MEGABYTE:,.0f} MB",
        f"{run['shots found']:,.0f}",
        f"{run['sequences']:,.0f}",
    )


def _stage_row(hours: int, run: dict[str, float]) -> tuple[str, ...]:
    frames = hours * 3600 * FRAMES_A_SECOND
    parts = ("JSON", "shots", "matching", "finishing", "all")
    return f"{hours} h", *(f"{run[part] / frames * 1e6:.0f}" for part in parts)


def main() -> None:
    if sys.argv[1:2] in (["--analyse"], ["--match"]):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
        figures = analysed(int(sys.argv[2])) if sys.argv[1] == "--analyse" else matched()
        print(json.dumps(figures))
        return
    publish(report, needs_data=False)


if __name__ == "__main__":
    main()
