"""Frames as true and false positives and negatives, counted as in the thesis, on labelled clips."""

from __future__ import annotations

import sys
from dataclasses import replace

from benchmarks.quality.clips import FILES, labelled
from benchmarks.quality.detections import Detectors, Shown
from benchmarks.quality.source import HeldSource
from benchmarks.quality.variants import DEFAULT, Variant
from faceveil.evaluation.judging import evaluate
from faceveil.evaluation.measures import Frames
from faceveil.sampling.adaptive import SamplingOptions

EVERY_FRAME = Variant("every frame")
VARIANTS = (
    Variant("every frame, without sequences", options=None),
    EVERY_FRAME,
    Variant("every frame, without extension", options=replace(DEFAULT, extension=0)),
    Variant("adaptive", sampling=SamplingOptions()),
)


def labelled_frames() -> dict[str, dict[str, Frames]]:
    """The frames of each labelled clip, by variant and clip."""
    detectors = Detectors()
    counts: dict[str, dict[str, Frames]] = {variant.name: {} for variant in VARIANTS}
    for name in FILES:
        clip = labelled(name)
        source = HeldSource(clip)
        starts, _ = source.shot_starts()
        detections = detectors("default", Shown(clip))
        for variant in VARIANTS:
            output, _ = variant.output(detections, source, starts)
            counts[variant.name][name] = evaluate(clip.truth, output).frames
        print(f"labels/{name}.json", file=sys.stderr, flush=True)
    return counts
