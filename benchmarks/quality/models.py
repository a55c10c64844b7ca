"""Which model fills gaps best: interpolation and a filter, or the Rauch-Tung-Striebel smoother.

In every clip detections are taken away for stretches of 3 to 12 frames, two fifths of all frames;
each model then says where the faces were. Measured is what is known to be true there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from benchmarks.quality.detections import Detections
from benchmarks.quality.source import KnownShots
from benchmarks.quality.variants import DEFAULT, output_of_sequences
from benchmarks.report import table
from faceveil.boxes import centres, sides
from faceveil.evaluation.coverage import coverage_of_output, match
from faceveil.evaluation.judging import judge_coverage
from faceveil.evaluation.measures import measure_area, measure_jitter
from faceveil.evaluation.output import Output
from faceveil.evaluation.truth import Truth
from faceveil.faces import FrameFaces
from faceveil.finding import follow
from faceveil.sequence.options import SequenceOptions

MODELS = {
    "PCHIP, Gaussian of 9 (default)": DEFAULT,
    "straight lines, Gaussian of 9": replace(DEFAULT, interpolation="linear"),
    "Akima, Gaussian of 9": replace(DEFAULT, interpolation="akima"),
    "PCHIP, Savitzky-Golay of 9": replace(DEFAULT, smoothing="savitzky_golay"),
    "PCHIP, moving average of 9": replace(DEFAULT, smoothing="moving_average"),
    "PCHIP, no filter": replace(DEFAULT, smoothing="none"),
    "RTS of 5": replace(DEFAULT, smoothing="rts", smoothing_window=5),
    "RTS of 9": replace(DEFAULT, smoothing="rts", smoothing_window=9),
    "RTS of 15": replace(DEFAULT, smoothing="rts", smoothing_window=15),
}


@dataclass(frozen=True)
class Filled:
    """What a model makes of one clip: `faces` in the frames without detections and how many of
    them are `veiled`; the squared errors there, of `placed` boxes; and of the whole clip the
    squared jitter in `steps` and the share of the picture `wasted` in `frames`.
    """

    faces: int
    veiled: int
    placed: int
    centre: float
    size: float
    steps: int
    jitter_centre: float
    jitter_size: float
    frames: int
    wasted: float


@dataclass(frozen=True, eq=False)
class Example:
    """A clip whose gaps are to be filled."""

    detections: Detections
    truth: Truth
    shot_starts: list[bool]


def fill(example: Example, options: SequenceOptions) -> Filled:
    """Take detections away and let a model fill the gaps, by boxes alone."""
    detections, truth = example.detections, example.truth
    missing = _gaps(len(detections.frames), np.random.default_rng(0))
    frames = [
        _empty(faces) if gone else faces
        for faces, gone in zip(detections.frames, missing, strict=True)
    ]
    size, shots = (truth.width, truth.height), KnownShots(example.shot_starts)
    found = follow(enumerate(frames), options, size=size, shots=shots)
    output = output_of_sequences(found.sequences)
    verdict = judge_coverage(truth, coverage_of_output(truth, output))
    there = missing[truth.frames]
    trembling = measure_jitter(truth, output)
    return Filled(
        faces=int((verdict.to_veil & there).sum()),
        veiled=int((verdict.to_veil & ~verdict.missed & there).sum()),
        **_errors(truth, output, missing),
        steps=trembling.steps,
        jitter_centre=trembling.centre**2 * trembling.steps,
        jitter_size=trembling.size**2 * trembling.steps,
        frames=len(frames),
        wasted=measure_area(truth, output).wasted * len(frames),
    )


COLUMNS = (
    "",
    "faces veiled in the gaps",
    "error of the centre there, in face sizes",
    "error of the size there, as a logarithm",
    "jitter, centre and size",
    "area on no face",
)


def models_table(filled: dict[str, list[Filled]]) -> list[str]:
    """One row per model, over all clips."""
    rows = []
    for name, parts in filled.items():
        sums = {key: sum(getattr(part, key) for part in parts) for key in Filled.__annotations__}
        centre, size = (np.sqrt(sums[key] / max(sums["placed"], 1)) for key in ("centre", "size"))
        tremble = [
            np.sqrt(sums[key] / max(sums["steps"], 1)) for key in ("jitter_centre", "jitter_size")
        ]
        rows.append(
            (
                name,
                f"{sums['veiled'] / max(sums['faces'], 1):.4f}",
                f"{centre:.4f}",
                f"{size:.4f}",
                f"{tremble[0]:.4f}, {tremble[1]:.4f}",
                f"{sums['wasted'] / max(sums['frames'], 1):.1%}",
            )
        )
    return table(COLUMNS, rows)


def _gaps(count: int, random: np.random.Generator) -> np.ndarray:
    """bool [count]: which frames lose their detections."""
    missing, at = np.zeros(count, bool), 4
    while at < count:
        length = int(random.integers(3, 13))
        missing[at : at + length] = True
        at += length + int(random.integers(6, 17))
    return missing


def _empty(faces: FrameFaces) -> FrameFaces:
    return faces.select(np.zeros(len(faces), bool))


def _errors(truth: Truth, output: Output, missing: np.ndarray) -> dict[str, float]:
    """Squared errors of the boxes that lie on wholly seen faces of those frames."""
    whole = (truth.visible > 0.99) & missing[truth.frames]
    rows = match(truth, output.frames, output.boxes, 0.2, rows=whole)
    made, true = output.boxes[rows >= 0], truth.boxes[rows[rows >= 0]]
    size = np.sqrt(sides(true).prod(axis=1, keepdims=True))
    centre = (centres(made) - centres(true)) / size
    scale = np.log(np.sqrt(sides(made).prod(axis=1)) / size[:, 0])
    scale = scale - (np.median(scale) if len(scale) else 0)  # detectors draw boxes of their own
    return {
        "placed": len(made),
        "centre": float((centre**2).sum()),
        "size": float((scale**2).sum()),
    }


def compare(examples: Sequence[Example]) -> dict[str, list[Filled]]:
    """Every model over every clip."""
    return {
        name: [fill(example, options) for example in examples] for name, options in MODELS.items()
    }
