"""Other networks behind the same analyzer: what they find, whom they tell apart, what they cost.

    python benchmarks/other_networks.py [report.md [pack]]

Detectors look at every frame of the real clips with hand-checked labels (labels/); recognisers
compare the LFW pairs of ../shared/data. Needs the extra `dlib`. `pack` is a folder of InsightFace's
(buffalo_l, …), measured likewise by whoever has one: naming it accepts its licence.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from time import process_time

import numpy as np
from common import machine, publish
from dlib_centre import SHARE, people_count, prices
from quality_clips import FILES, labelled
from quality_detections import ANALYZERS, Detectors, Shown
from quality_source import HeldSource
from quality_variants import Variant
from recognition import DATA as LFW
from recognition import FACE_SHARE, features_of, row

from faceveil.detect.align import ARCFACE
from faceveil.detect.analyzer import AnalyzerOptions, FaceAnalyzer, build_analyzer
from faceveil.evaluation.judging import Evaluation, evaluate
from faceveil.identity.thresholds import thresholds_of

PACK = sys.argv[2] if len(sys.argv) > 2 else None
DETECTORS = ["default", "mtcnn", "centerface", "dlib-hog"]
RECOGNIZERS = {
    "arcface-mobilefacenet": AnalyzerOptions(),
    "dlib-resnet": AnalyzerOptions(recognizer="dlib-resnet"),
    "dlib-resnet, faces of dlib-hog": ANALYZERS["dlib-hog"],
}
SIZES = (250, 125, 80)
FACES, ROUNDS = 16, 4
LEAST_SIZE = 24
DETECTOR_TEXT = (
    "Everybody is to be veiled, in the default style; a face is veiled when 0.9 of what can be "
    "seen of it is covered. Detections alone, and then all that follows them: sequences, tracking, "
    "extension, smoothing. Time is of the processor, with a recogniser: dlib-resnet for dlib-hog, "
    "the usual one for the others. dlib-hog was made for faces of 80 pixels that look at the "
    "camera; pictures are enlarged until the smallest face wanted has them."
)
RECOGNIZER_TEXT = (
    "450 pairs of one person and 4500 of two. TAR is the share of the same person's pairs accepted "
    "where that share of the others' is; the last two columns are at the recogniser's own "
    "threshold. The ten people are part of dlib-resnet's centre; see below for what it is worth "
    "without them."
)
CENTRE_TEXT = (
    "All of dlib's descriptors lie on one side of the origin, so that the cosine of any two faces "
    "is high. Taken off a centre their directions spread like ArcFace's, and all that compares "
    "features (matching, identities, photos, verification) works on one scale. The centre in the "
    "manifest is {share:g} of the mean over {people} people. Here, for each pair, it is made "
    "without the pair's people: what to expect of people it has never seen."
)
PACK_TEXT = (
    "InsightFace's packs are not measured here: their licence is for non-commercial research only. "
    "Whoever may use one measures it with `python benchmarks/other_networks.py report.md FOLDER`. "
    "That SCRFD's answers are decoded rightly is tested with a network whose answers are known."
)


def detector_rows() -> Iterable[str]:
    """One row for each detector, over all labelled clips."""
    clips = [labelled(name) for name in FILES]
    for name in DETECTORS:
        detectors, alone, whole = Detectors(), [], []
        seconds = 0.0
        for clip in clips:
            found, source = detectors(name, Shown(clip)), HeldSource(clip)
            starts, _ = source.shot_starts()
            seconds += found.seconds
            for variant, results in (
                (Variant(name, options=None), alone),
                (Variant(name), whole),
            ):
                output, _ = variant.output(found, source, starts)
                results.append(evaluate(clip.truth, output))
            print(f"{name}: {clip.path.name}", file=sys.stderr, flush=True)
        frames = sum(len(clip) for clip in clips)
        run = max(result.longest_run(LEAST_SIZE) for result in whole)
        yield (
            f"| {name} | {_recall(alone, 'veils'):.4f} | {_recall(whole, 'veils'):.4f} | {run} | "
            f"{_recall(whole, 'boxes'):.3f} | {1000 * seconds / frames:.0f} ms |"
        )


def _recall(results: list[Evaluation], kind: str) -> float:
    shares = [getattr(result, kind) for result in results]
    return sum(share.hits for share in shares) / max(1, sum(share.faces for share in shares))


def recognizer_rows() -> Iterable[str]:
    """One row for each recogniser and size of picture."""
    paths = sorted(LFW.glob("*/*.jpg"))
    people = np.array([path.parent.name for path in paths])
    for name, options in RECOGNIZERS.items():
        analyzer = build_analyzer(options)
        accept = thresholds_of(analyzer.models.recognizer).accept
        for side in SIZES:
            features, missed = features_of(paths, analyzer, side)
            label = f"{name}: {side} px, face about {side * FACE_SHARE:.0f} px"
            yield row(label, features, missed, people, accept)
            print(label, file=sys.stderr, flush=True)


def times() -> list[str]:
    """Processor time of each recogniser for a face, in turns; the least of several rounds."""
    analyzers = {name: build_analyzer(options) for name, options in RECOGNIZERS.items()}
    least = {analyzer.recognizer.name: np.inf for analyzer in analyzers.values()}
    for _ in range(ROUNDS):
        for analyzer in analyzers.values():
            name = analyzer.recognizer.name
            least[name] = min(least[name], _time(analyzer))
    return [f"{name} {1000 * seconds:.1f} ms" for name, seconds in least.items()]


def _time(analyzer: FaceAnalyzer) -> float:
    size = getattr(analyzer.recognizer, "alignment", ARCFACE).size
    crops = np.random.default_rng(3).integers(0, 256, (FACES, size, size, 3), np.uint8)
    start = process_time()
    analyzer.recognizer.features(crops)
    return (process_time() - start) / FACES


def report() -> str:
    if PACK:
        options = AnalyzerOptions(detector=PACK, recognizer=PACK, accept_licence=True)
        ANALYZERS["pack"] = RECOGNIZERS["pack"] = options
        DETECTORS.append("pack")
    load = os.getloadavg()[0]
    lines = [
        "# Other networks behind the same analyzer",
        "",
        "`python benchmarks/other_networks.py`",
        "",
        f"{machine()} Other work on the machine: a load of {load:.1f} at the start.",
        "",
        "## Detectors, on real clips with hand-checked labels",
        "",
        DETECTOR_TEXT,
        "",
        "| | veiled by detections alone | veiled | of 24 px and more, longest exposed run | "
        "veils on a face | a frame |",
        "|---|---:|---:|---:|---:|---:|",
        *detector_rows(),
        "",
        "## Recognisers, on LFW",
        "",
        RECOGNIZER_TEXT,
        "",
        "| | no face | AUC | TAR at FAR 1 % | TAR at FAR 0.1 % | same accepted "
        "| different accepted |",
        "|---|---|---|---|---|---|---|",
        *recognizer_rows(),
        "",
        f"A face takes: {', '.join(times())}, on one thread.",
        "",
        "## From dlib's descriptors to directions",
        "",
        CENTRE_TEXT.format(share=SHARE, people=people_count()),
        "",
        *prices(),
        "",
        "## InsightFace's packs",
        "",
        PACK_TEXT,
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    publish(report)
