"""What the whole command costs beside deface 1.5: time, processor time and memory.

    python benchmarks/whole_command.py [report.md]

`faceveil veil` and `deface`, both with their default settings (verification of the output
included), and `faceveil veil` with adaptive sampling, that also with the fast profile of the
detector and of the encoder, on a real clip of 640x360 and on a 1080p clip of walking people
(street.py), in turns, on the same two cores. The least of several rounds counts, since other work
on the machine only ever adds. deface runs in an environment of its own with onnxruntime, which is
its faster backend, made once in the user's cache folder.
"""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import av
from common import DATA, environment, machine, publish

DEFACE = ("deface==1.5.0", "onnx==1.22.0", "onnxruntime==1.31.0")
HAMILTON = DATA / "hamilton" / "short_hamilton_clip.mp4"
CORES = 2
ROUNDS = 2
FEW = ("--sampling", "adaptive")
FAST = ("--profile", "fast", "--preset", "ultrafast")
TIMES_AS_LONG = 20

Answer = TypeVar("Answer")
Programs = dict[str, Callable[[Path, Path], list[str]]]


@dataclass(frozen=True)
class Run:
    """One run of a command: seconds, processor seconds with those of its children, peak memory.

    The peak, in MB, is that of its largest process (deface has its encoder in another one).
    """

    wall: float
    processor: float
    peak: float


def measured(command: Sequence[str | Path]) -> Run:
    """Run a command to its end. This process must stay small: a child inherits its peak."""
    start = time.monotonic()
    process = subprocess.Popen(
        [str(part) for part in command], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    assert process.stderr
    said = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.monotonic() - start
    if status:
        sys.exit(f"{' '.join(map(str, command))}\n{said.decode(errors='replace')}")
    return Run(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024 / 1e6)


def in_own_process(function: Callable[..., Answer], *arguments: object) -> Answer:
    """A function's answer; its memory does not count as this process's."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(function, arguments)


def make_street(path: Path, repeat: int = 1) -> None:
    from street import write_street

    write_street(path, repeat)


def measure_stages(clip: Path, target: Path) -> dict[str, float]:
    from stages import stages

    return stages(clip, target)


def programs() -> Programs:
    deface = environment("deface", DEFACE) / "deface"
    faceveil = [sys.executable, "-m", "faceveil.cli", "veil"]
    return {
        "faceveil": lambda source, target: [*faceveil, str(source), str(target)],
        "faceveil, adaptive": lambda source, target: [*faceveil, str(source), str(target), *FEW],
        "faceveil, adaptive, fast": lambda source, target: [
            *faceveil,
            str(source),
            str(target),
            *FEW,
            *FAST,
        ],
        "deface": lambda source, target: [str(deface), str(source), "-o", str(target)],
        "deface --keep-audio": lambda source, target: [
            str(deface),
            str(source),
            "--keep-audio",
            "-o",
            str(target),
        ],
    }


def compare(clip: Path, scratch: Path) -> tuple[dict[str, Run], dict[str, str]]:
    """The least of each program's figures, the programs in turns; and what it wrote."""
    runs: dict[str, list[Run]] = {name: [] for name in programs()}
    wrote = {}
    for _ in range(ROUNDS):
        for name, command in programs().items():
            target = scratch / "out.mp4"
            target.unlink(missing_ok=True)
            runs[name].append(measured(command(clip, target)))
            wrote[name] = contents(target)
    return {name: least(each) for name, each in runs.items()}, wrote


def least(runs: Sequence[Run]) -> Run:
    return Run(
        min(run.wall for run in runs),
        min(run.processor for run in runs),
        max(run.peak for run in runs),
    )


def contents(path: Path) -> str:
    """Size, frames and sound of a video, as text."""
    with av.open(str(path)) as container:
        video = container.streams.video[0]
        packets = Counter(
            packet.stream.type for packet in container.demux() if packet.size and packet.stream
        )
        sound = f"{packets['audio']} packets of sound" if packets["audio"] else "no sound"
        return f"{video.width}x{video.height}, {packets['video']} frames, {sound}"


def frame_count(path: Path) -> int:
    with av.open(str(path)) as container:
        return container.streams.video[0].frames


def comparison(title: str, clip: Path, scratch: Path) -> list[str]:
    """The table of one clip."""
    frames = frame_count(clip)
    runs, wrote = compare(clip, scratch)
    peer = runs["deface"]
    lines = [
        f"## {title}",
        "",
        f"The input: {contents(clip)}.",
        "",
        "| program | seconds | input frames a second | times deface's speed "
        "| processor seconds | deface's times as many | peak MB | writes |",
        "|---|---:|---:|---:|---:|---:|---:|---|",
    ]
    lines += [
        f"| {name} | {run.wall:.1f} | {frames / run.wall:.1f} | {peer.wall / run.wall:.2f}x | "
        f"{run.processor:.1f} | {peer.processor / run.processor:.2f}x | {run.peak:.0f} | "
        f"{wrote[name]} |"
        for name, run in runs.items()
    ]
    return [*lines, ""]


def memory(street: Path, scratch: Path) -> list[str]:
    """The peak on a clip 20 times as long, beside that on the clip itself.

    With MTCNN alone, as the longer run would take many minutes otherwise; what could grow with
    the length (decoding, following, veiling, encoding) is the same.
    """
    long = scratch / "long.mp4"
    in_own_process(make_street, long, TIMES_AS_LONG)
    command = [sys.executable, "-m", "faceveil.cli", "veil", "--detector", "mtcnn"]
    peaks = {
        clip: max(measured([*command, clip, scratch / "out.mp4"]).peak for _ in range(turns))
        for clip, turns in ((street, ROUNDS), (long, 1))
    }
    growth = peaks[long] / peaks[street] - 1
    return [
        "## Memory of a long clip",
        "",
        f"1080p, `--detector mtcnn` (for time): {contents(street)}: peak {peaks[street]:.0f} MB; "
        f"{TIMES_AS_LONG} times as long ({contents(long)}): peak {peaks[long]:.0f} MB, "
        f"{growth:+.1%}.",
        "",
    ]


def where_time_goes(clips: dict[str, Path], scratch: Path) -> list[str]:
    """The stages of the default command on each clip, milliseconds a frame."""
    columns = {
        title: in_own_process(measure_stages, clip, scratch / "stages.mp4")
        for title, clip in clips.items()
    }
    counts = {title: frame_count(clip) for title, clip in clips.items()}
    lines = [
        "## Where faceveil's time goes",
        "",
        "Processor milliseconds per frame, everything on one thread (the command itself analyses "
        "as many frames at once as there are cores). Starting Python and loading libraries and "
        "networks comes on top, once.",
        "",
        "| stage | " + " | ".join(columns) + " |",
        "|---|" + "---:|" * len(columns),
    ]
    for stage in next(iter(columns.values())):
        cells = [
            f"{spent[stage] / counts[title] * 1e3:.1f} ({spent[stage] / spent['all']:.0%})"
            for title, spent in columns.items()
        ]
        lines.append(f"| {stage} | " + " | ".join(cells) + " |")
    return [*lines, ""]


def report() -> str:
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        street = scratch / "street.mp4"
        in_own_process(make_street, street)
        clips = {"hamilton, 640x360": HAMILTON, "street, 1920x1080": street}
        lines = [
            "# The whole command beside deface",
            "",
            "`python benchmarks/whole_command.py`: default settings but for what is named "
            f"(adaptive: `{' '.join(FEW)}`; fast: `{' '.join(FAST)}`), verification included, "
            f"the programs in turns on the same {CORES} cores, the least of {ROUNDS} rounds (of "
            "memory the most).",
            "",
            machine(),
            f"deface's environment: {', '.join(DEFACE)}, with the FFmpeg of imageio-ffmpeg.",
            "",
        ]
        for title, clip in clips.items():
            lines += comparison(title, clip, scratch)
        lines += where_time_goes(clips, scratch)
        lines += memory(street, scratch)
    return "\n".join(lines)


if __name__ == "__main__":
    publish(report)
