"""How much memory does the command take, and does a video 20 times as long take more?

    python -m benchmarks.speed.memory [report.md]

At 1080p, with MTCNN alone, as the longer run would take many minutes otherwise; what could grow
with the length (decoding, following, veiling, encoding) is the same.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from benchmarks.report import machine, publish, table
from benchmarks.speed.whole_command import contents, make_street
from benchmarks.timing import in_own_process, run_command

TIMES_AS_LONG = 20
WAYS = {"every frame": (), "adaptive": ("--sampling", "adaptive")}


def report() -> str:
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        street, long = scratch / "once.mp4", scratch / "long.mp4"
        in_own_process(make_street, street)
        in_own_process(make_street, long, TIMES_AS_LONG)
        rows = [_peaks(way, words, street, long, scratch) for way, words in WAYS.items()]
        inputs = f"Short: {contents(street)}; long: {contents(long)}."
    return "\n".join(
        [
            "# Memory of a long clip",
            "",
            "`python -m benchmarks.speed.memory`: 1080p, `--detector mtcnn` (for time).",
            "",
            machine(),
            inputs,
            "",
            *table(("", "peak MB, short", "peak MB, long", "growth"), rows),
            "",
        ]
    )


def _peaks(
    way: str, words: tuple[str, ...], street: Path, long: Path, scratch: Path
) -> tuple[str, str, str, str]:
    command = [sys.executable, "-m", "faceveil", "veil", "--overwrite", "--detector", "mtcnn"]
    short_peak, long_peak = (
        run_command([*command, *words, clip, scratch / "out.mp4"]).peak for clip in (street, long)
    )
    growth = long_peak / short_peak - 1
    return way, f"{short_peak:.0f}", f"{long_peak:.0f}", f"{growth:+.1%}"


if __name__ == "__main__":
    publish(report)
