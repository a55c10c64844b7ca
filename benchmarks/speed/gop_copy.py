"""What does copying pictures without a veil save, where faces are veiled in a tenth of a video?

    python -m benchmarks.speed.gop_copy [report.md]

`faceveil render` with `--unveiled encode` and `copy`, in turn, of a real clip of 640x360 and of a
1080p one, with an analysis in which one person is veiled in a tenth of the frames. Networks do not
verify here, whose time depends on how often they do.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import av
import numpy as np

from benchmarks.report import machine, publish, table
from benchmarks.speed.presets import ssim
from benchmarks.speed.whole_command import make_clips
from benchmarks.timing import Run, least, run_command
from faceveil.analysis import Analysis, write_analysis
from faceveil.faces import FaceSequence
from faceveil.media.video import VideoSource
from testkit.veil_removal import analysis_of

TURNS = 3
WAYS = ("encode", "copy")


def analysed(clip: Path) -> Analysis:
    """An analysis of a clip with one face, in a tenth of the frames from its middle on."""
    source = VideoSource(clip)
    count = sum(1 for _ in source)
    frames = np.arange(count // 2, count // 2 + count // 10, dtype=np.int32)
    side = source.height / 4
    boxes = np.tile(np.float32([side, side, 2 * side, 2 * side]), (len(frames), 1))
    scores, provenance = np.ones(len(frames), np.float32), np.zeros(len(frames), np.uint8)
    return analysis_of([FaceSequence(frames, boxes, scores, provenance)], source, count)


def measure(clip: Path, scratch: Path) -> list[tuple[str, str, str, str, str]]:
    analysis = scratch / "analysis.json"
    write_analysis(analysed(clip), analysis)
    runs: dict[str, list[Run]] = {way: [] for way in WAYS}
    for _ in range(TURNS):
        for way in WAYS:
            words = ["--unveiled", way, "--verify-frames", "off", "--overwrite"]
            target = scratch / f"{way}.mp4"
            command = [sys.executable, "-m", "faceveil", "render", clip, analysis, target, *words]
            runs[way].append(run_command(command))
    with av.open(str(clip)) as container:
        originals = [*container.decode(video=0)]
    seconds = {way: least(runs[way]).processor for way in WAYS}
    return [
        (
            way,
            f"{seconds[way]:.2f}",
            f"{seconds['encode'] / seconds[way]:.2f}x",
            f"{(scratch / f'{way}.mp4').stat().st_size / 1e6:.2f}",
            f"{ssim(originals, scratch / f'{way}.mp4', scratch / 'ssim.log'):.4f}",
        )
        for way in WAYS
    ]


def report() -> str:
    lines = [
        "# Pictures copied where nothing is veiled",
        "",
        "`python -m benchmarks gop_copy`: `faceveil render --unveiled WAY`, without verification "
        f"by networks, the least of {TURNS} runs in turn; start of the program included.",
        "",
        machine(),
    ]
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        for title, clip in make_clips(scratch).items():
            columns = ("way", "processor seconds", "times as fast", "MB", "SSIM to the input")
            lines += ["", f"## {title}", "", *table(columns, measure(clip, scratch))]
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    publish(report)
