"""Does a veil flicker? What changes from frame to frame under it, beside the face that it hides.

    python -m benchmarks.veil.steadiness [report.md]

A lattice of 16 x 16 samples follows each face of the real clip with cuts. Flicker is what a frame
differs from the mean of the frame before and the frame after: steady motion and fades do not count.
"""

from __future__ import annotations

from collections import defaultdict

import numpy as np

from benchmarks.report import machine, publish, table
from faceveil import analyse, decide, open_source
from faceveil.analysis import Analysis
from faceveil.assure.traces import Tracer
from faceveil.faces import Floats
from faceveil.media.frames import FrameSource
from faceveil.veils.styles import STYLE_NAMES, VeilStyle
from testkit import SHARED_DATA

CLIP = SHARED_DATA / "hamilton" / "short_hamilton_clip.mp4"


def lattices(
    source: FrameSource, analysis: Analysis, style: VeilStyle
) -> dict[int, dict[int, tuple[Floats, Floats]]]:
    """Samples of each sequence and frame, from the input and veiled: float32 [16, 16] each."""
    tracer = Tracer.of(analysis, style)
    found: dict[int, dict[int, tuple[Floats, Floats]]] = defaultdict(dict)
    for frame in source:
        _, sequences = tracer.regions(frame.number, frame.width, frame.height)
        trace = tracer.trace(frame)
        for row, sequence in enumerate(sequences.tolist()):
            found[sequence][frame.number] = (
                trace.original[row].astype(np.float32),
                trace.veiled[row].astype(np.float32),
            )
    return found


def flicker(found: dict[int, dict[int, tuple[Floats, Floats]]]) -> Floats:
    """Grey levels by which frames differ from their neighbours' mean, float32 [n, 2]: of the input
    and of what is veiled, a row for each face of each frame."""
    rows = []
    for frames in found.values():
        for number in frames:
            if number - 1 in frames and number + 1 in frames:
                before, now, after = (frames[number + step] for step in (-1, 0, 1))
                rows.append([np.abs((before[i] + after[i]) / 2 - now[i]).mean() for i in range(2)])
    return np.array(rows, np.float32)


def report() -> str:
    source = open_source(CLIP)
    analysis = decide(analyse(source), source)
    rows = []
    for name in STYLE_NAMES:
        values = flicker(lattices(source, analysis, VeilStyle(name)))
        rows.append((name, *(f"{value:.2f}" for value in _summary(values[:, 1]))))
    rows.append(("no veil", *(f"{value:.2f}" for value in _summary(values[:, 0]))))
    return "\n".join(
        [
            "# Does a veil flicker?",
            "",
            "Repeat with `python -m benchmarks.veil.steadiness report.md`.",
            "",
            machine(),
            "",
            f"{len(values)} faces in frames of a real clip with cuts and a moving camera. Grey "
            "levels (of 255) by which a frame differs from the mean of its neighbours, in places "
            "that follow the face.",
            "",
            *table(("veil", "mean", "median", "95 % are below"), rows),
            "",
        ]
    )


def _summary(values: Floats) -> tuple[float, float, float]:
    return float(values.mean()), float(np.median(values)), float(np.quantile(values, 0.95))


if __name__ == "__main__":
    publish(report)
