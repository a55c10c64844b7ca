"""Other networks behind the same analyzer: what they find and tell apart, and what they cost.

    python -m benchmarks.detection.other_networks [report.md]

Detectors search every frame of the real clips with hand-checked labels (labels/); recognisers
compare the LFW pairs of ../shared/data. Needs the extra `dlib`. FACEVEIL_PACK may name a folder of
InsightFace's (buffalo_l, …) to measure, too: naming it accepts its licence.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from time import process_time

import numpy as np

from benchmarks.detection.dlib_centre import SHARE, people_count, prices_table
from benchmarks.detection.recognition import COLUMNS, FACE_SHARE, LFW, features_of, row
from benchmarks.quality.clips import FILES, labelled
from benchmarks.quality.detections import ANALYZERS, Detectors, Shown
from benchmarks.quality.source import HeldSource
from benchmarks.quality.variants import Variant
from benchmarks.report import machine, publish, table
from faceveil.detect.align import ARCFACE
from faceveil.detect.analyzer import FaceAnalyzer
from faceveil.detect.build import AnalyzerOptions, build_analyzer
from faceveil.evaluation.judging import Evaluation, evaluate
from faceveil.identity.thresholds import thresholds_of

PACK = os.environ.get("FACEVEIL_PACK")
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
    "Everyone is to be veiled, in the default style; a face is veiled when 0.9 of what can be "
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
DETECTOR_COLUMNS = (
    "",
    "veiled by detections alone",
    "veiled",
    "of 24 px and more, longest exposed run",
    "veils on a face",
    "a frame",
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
    "With a licence for one, name its folder: "
    "`FACEVEIL_PACK=FOLDER python -m benchmarks.detection.other_networks report.md`. That SCRFD's "
    "answers are decoded rightly is tested with a network whose answers are known."
)


def detector_rows() -> Iterable[Sequence[object]]:
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
            name,
            f"{_recall(alone, 'veils'):.4f}",
            f"{_recall(whole, 'veils'):.4f}",
            run,
            f"{_recall(whole, 'boxes'):.3f}",
            f"{1000 * seconds / frames:.0f} ms",
        )


def _recall(results: list[Evaluation], kind: str) -> float:
    shares = [getattr(result, kind) for result in results]
    return sum(share.hits for share in shares) / max(1, sum(share.faces for share in shares))


def recognizer_rows() -> Iterable[Sequence[object]]:
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
        "`python -m benchmarks.detection.other_networks`",
        "",
        f"{machine()} Other work on the machine: a load of {load:.1f} at the start.",
        "",
        "## Detectors, on real clips with hand-checked labels",
        "",
        DETECTOR_TEXT,
        "",
        *table(DETECTOR_COLUMNS, detector_rows()),
        "",
        "## Recognisers, on LFW",
        "",
        RECOGNIZER_TEXT,
        "",
        *table(("", *COLUMNS), recognizer_rows()),
        "",
        f"A face takes: {', '.join(times())}, on one thread.",
        "",
        "## From dlib's descriptors to directions",
        "",
        CENTRE_TEXT.format(share=SHARE, people=people_count()),
        "",
        *prices_table(),
        "",
        "## InsightFace's packs",
        "",
        PACK_TEXT,
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    publish(report)
