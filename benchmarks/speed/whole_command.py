"""What the whole command costs beside deface 1.5: time, processor time and memory.

    python -m benchmarks.speed.whole_command [report.md]

`faceveil veil` and `deface`, both with their default settings (verification of the output
included), and `faceveil veil` in each profile of the detector, with adaptive sampling, and with all
that is fast, on a real clip of 640x360 and on a 1080p clip of walking people
(street.py), one after the other on the same two cores, with real-time priority where the system
grants it, so that other work on the machine does not count. deface runs in an environment of its
own with onnxruntime, which is its faster backend, made once in the user's cache folder; its
default drops the sound, which faceveil keeps.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections import Counter
from pathlib import Path

import av

from benchmarks.environments import environment
from benchmarks.report import machine, publish, table
from benchmarks.timing import Run, in_own_process, run_command, take_precedence
from testkit import SHARED_DATA

DEFACE = ("deface==1.5.0", "onnx==1.22.0", "onnxruntime==1.31.0")
HAMILTON = SHARED_DATA / "hamilton" / "short_hamilton_clip.mp4"
CORES = 2
WAYS = {
    "faceveil": (),
    "faceveil, fast": ("--profile", "fast"),
    "faceveil, high-recall": ("--profile", "high-recall"),
    "faceveil, adaptive": ("--sampling", "adaptive"),
    "faceveil, adaptive, fast, ultrafast": (
        *("--sampling", "adaptive"),
        *("--profile", "fast"),
        *("--preset", "ultrafast"),
    ),
}
STREET_REPEATED = 2
PEER = "deface"


def make_clips(scratch: Path) -> dict[str, Path]:
    """The clips by their titles; the libraries for making one are loaded in another process."""
    street = scratch / "street.mp4"
    in_own_process(make_street, street, STREET_REPEATED)
    return {"hamilton, 640x360": HAMILTON, "street, 1920x1080": street}


def make_street(path: Path, repeat: int = 1) -> None:
    """Write the clip of walking people."""
    from benchmarks.speed.street import write_street

    write_street(path, repeat)


def commands(source: Path, target: Path) -> dict[str, list[str | Path]]:
    """Each program's command line."""
    deface = environment("deface", DEFACE) / "deface"
    ours: tuple[str | Path, ...] = (
        sys.executable,
        "-m",
        "faceveil",
        "veil",
        source,
        target,
        "--overwrite",
    )
    lines = {name: [*ours, *words] for name, words in WAYS.items()}
    lines[PEER] = [deface, source, "-o", target]
    return lines


def compare(clip: Path, scratch: Path) -> tuple[dict[str, Run], dict[str, str]]:
    """Each program's figures, and what it wrote."""
    target = scratch / "out.mp4"
    runs, wrote = {}, {}
    for name, command in commands(clip, target).items():
        target.unlink(missing_ok=True)
        runs[name] = run_command(command)
        wrote[name] = contents(target)
    return runs, wrote


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


COLUMNS = (
    "program",
    "seconds",
    "input frames a second",
    "times deface's speed",
    "processor seconds",
    "deface's times as many",
    "peak MB",
    "writes",
)


def comparison(title: str, clip: Path, scratch: Path) -> list[str]:
    """The table of one clip."""
    frames = frame_count(clip)
    runs, wrote = compare(clip, scratch)
    peer = runs[PEER]
    lines = [
        f"## {title}",
        "",
        f"The input: {contents(clip)}.",
        "",
    ]
    rows = [
        (
            name,
            f"{run.wall:.1f}",
            f"{frames / run.wall:.1f}",
            f"{peer.wall / run.wall:.2f}x",
            f"{run.processor:.1f}",
            f"{peer.processor / run.processor:.2f}x",
            f"{run.peak:.0f}",
            wrote[name],
        )
        for name, run in runs.items()
    ]
    lines += table(COLUMNS, rows)
    return [*lines, ""]


def report() -> str:
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])
    priority = take_precedence()
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        lines = [
            "# The whole command beside deface",
            "",
            "`python -m benchmarks.speed.whole_command`: default settings but for what is named "
            "(`--profile fast` or `high-recall`, `--sampling adaptive`, `--preset ultrafast`), "
            "verification included, "
            f"the programs one after the other on the same {CORES} cores, {priority}.",
            "",
            machine(),
            f"deface's environment: {', '.join(DEFACE)}, with the FFmpeg of imageio-ffmpeg.",
            "",
        ]
        for title, clip in make_clips(scratch).items():
            lines += comparison(title, clip, scratch)
    return "\n".join(lines)


if __name__ == "__main__":
    publish(report)
