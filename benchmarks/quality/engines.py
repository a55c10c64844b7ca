"""What bfloat16 costs and gains: the same clips detected on onnxruntime and on OpenVINO.

    python -m benchmarks.quality.engines [report.md]

It decides which networks `--engine auto` may run in bfloat16 (faceveil/weights/manifest.toml). The
clips, their truth and what is counted are those of benchmarks.quality.conditions.
"""

from __future__ import annotations

import sys
from collections import defaultdict

from benchmarks.quality.clips import SYNTHETIC, clips
from benchmarks.quality.conditions import GROUPS, Result, variants_table
from benchmarks.quality.detections import ANALYZERS, Detections, Detectors, Shown
from benchmarks.quality.keeping import Kept, keep_each, summary
from benchmarks.quality.source import HeldSource
from benchmarks.quality.variants import Variant
from benchmarks.report import machine, publish, table
from faceveil.evaluation.judging import evaluate
from faceveil.sampling.adaptive import SamplingOptions
from faceveil.weights.engines import processor

PRECISIONS = ("float32", "bfloat16", "CenterFace in bfloat16")
VARIANTS = tuple(
    Variant(f"{precision}, {how}", detector=precision, sampling=sampling)
    for how, sampling in (("every frame", None), ("adaptive", SamplingOptions()))
    for precision in PRECISIONS
)
TEXT = (
    "float32 is onnxruntime, bfloat16 is OpenVINO, for every network or for CenterFace alone: the "
    "last is what `--engine auto` uses, and only where everyone is veiled. Photos are examined on "
    "the same engine as the clip. Counted as in [quality.md](quality.md)."
)


def measure() -> tuple[list[Result], dict[str, list[Kept]], dict[str, list[int]]]:
    """Every variant over every clip; by precision who is kept, and how many faces are accepted."""
    detectors = Detectors()
    results: list[Result] = []
    kept: dict[str, list[Kept]] = defaultdict(list)
    accepted: dict[str, list[int]] = defaultdict(list)
    for clip in clips():
        truth, shown = clip.footage.truth, Shown(clip.footage)
        source = HeldSource(clip.footage)
        starts, search = source.shot_starts()
        for variant in VARIANTS:
            detections = detectors(variant.detector, shown)
            output, seconds = variant.output(detections, source, starts)
            results.append(
                Result(
                    variant.name,
                    clip.group,
                    clip.condition,
                    clip.clip,
                    evaluate(truth, output),
                    clip.footage.frame_count,
                    seconds + search,
                )
            )
            if variant.sampling is None:
                accepted[variant.detector].append(_faces(detections))
                if clip.group == SYNTHETIC or clip.clip.startswith("hamilton"):
                    found = variant.found(detections, source, starts)
                    networks = ANALYZERS[variant.detector]
                    kept[variant.detector] += keep_each(clip.clip, truth, found, networks)
        print(f"{clip.group}: {clip.clip}", file=sys.stderr, flush=True)
    return results, kept, accepted


def _faces(detections: Detections) -> int:
    return sum(int(faces.accepted.sum()) for faces in detections.frames)


def report() -> str:
    results, kept, accepted = measure()
    lines = [
        "# What bfloat16 costs and gains",
        "",
        f"`python -m benchmarks.quality.engines`, on {processor().name}.",
        "",
        machine(),
        "",
        TEXT,
        "",
    ]
    for group in GROUPS:
        rows = [row for row in results if row.group == group]
        if rows:
            lines += [f"## {group[0].upper()}{group[1:]}", "", *variants_table(rows), ""]
    counts = [(name, sum(accepted[name])) for name in PRECISIONS]
    lines += ["## Accepted faces of all frames", "", *table(("", "faces"), counts), ""]
    for name in PRECISIONS:
        lines += [f"## Keeping one person by photo, {name}", "", *summary(kept[name]), ""]
    return "\n".join(lines)


if __name__ == "__main__":
    publish(report, needs_data=False)
