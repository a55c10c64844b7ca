"""RetinaFace MobileNet-0.25, alone and as a third member of the union.

    python -m benchmarks.detection.third_member [report.md]

Detections alone, on the real clips of the quality benchmark; the score from which RetinaFace counts
is varied over one run of it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import groupby
from time import process_time

import cv2
import numpy as np
import orjson

from benchmarks.quality.clips import SYNTHETIC, Condition, clips
from benchmarks.quality.detections import Detections, Detectors, Shown
from benchmarks.quality.source import HeldSource
from benchmarks.quality.variants import Variant
from benchmarks.report import machine, publish, table
from faceveil.detect.detector import Detected, rescale
from faceveil.detect.retinaface import RetinaFace
from faceveil.detect.union import merge
from faceveil.evaluation.judging import Evaluation, evaluate
from faceveil.faces import FrameFaces
from faceveil.weights.session import open_session
from faceveil.weights.store import locate

ALONE = (0.3, 0.5, 0.7)
THIRD = (0.5, 0.7, 0.8, 0.9, 0.95)
UNION_ACCEPT = 0.5
COLUMNS = ("", "faces missed", "of", "recall", "false boxes", "a frame", "processor time")
TEXT = (
    "Detections alone, without following: a face is missed where less than 0.9 of what is visible "
    "of it lies under the veils of its own frame's detections; a false box is a veil on no "
    "labelled face. The time is that of RetinaFace as a share of the default's, on one thread; of "
    "the union of three, both together. It was taken on a busy machine: it is no more than a ratio."
)


CONCLUSION = (
    "It joins no profile: on the clips made harder the union of three misses a quarter fewer "
    "faces, but it takes a quarter more time and puts veils on more places without a face, most "
    "of all on the clips as they are."
)


def report() -> str:
    """A table for each group of clips."""
    cv2.setNumThreads(1)
    network = locate("retinaface", "detector").files["model"]
    retinaface = RetinaFace("retinaface", open_session(network))
    lines = ["# RetinaFace as a third member of the union", "", machine(), "", TEXT, "", CONCLUSION]
    real = (condition for condition in clips() if condition.group != SYNTHETIC)
    for group, conditions in groupby(real, key=lambda condition: condition.group):
        rows = list(_rows(list(conditions), retinaface))
        lines += ["", f"## {group.capitalize()}", "", *table(COLUMNS, rows)]
        print("\n".join(lines[-len(rows) - 4 :]), file=sys.stderr, flush=True)
    return "\n".join([*lines, ""])


def _rows(conditions: list[Condition], retinaface: RetinaFace) -> Iterator[Sequence[object]]:
    detectors = Detectors()
    results: dict[str, list[Evaluation]] = {}
    seconds = {"default": 0.0, "third": 0.0}
    frames = 0
    for condition in conditions:
        shown = Shown(condition.footage)
        known = detectors("default", shown)
        third = _third(shown, retinaface)
        seconds["default"] += known.seconds
        seconds["third"] += third.seconds
        frames += len(known.frames)
        variants = {"the default union": known.frames}
        for accept in ALONE:
            variants[f"RetinaFace alone, {accept}"] = [_at(one, accept) for one in third.frames]
        for accept in THIRD:
            variants[f"the union of three, {accept}"] = [
                _merged(one, other, accept)
                for one, other in zip(known.frames, third.frames, strict=True)
            ]
        source = HeldSource(condition.footage)
        for name, found in variants.items():
            output, _ = Variant(name, options=None).output(Detections(found, 0), source, [])
            results.setdefault(name, []).append(evaluate(condition.footage.truth, output))
    for name, evaluations in results.items():
        faces = sum(one.veils.faces for one in evaluations)
        missed = faces - sum(one.veils.hits for one in evaluations)
        false = sum(one.boxes.faces - one.boxes.hits for one in evaluations)
        share = seconds["third"] / seconds["default"]
        spent = share if "alone" in name else 1 + share if "three" in name else 1.0
        yield (
            name,
            missed,
            faces,
            f"{1 - missed / max(faces, 1):.4f}",
            false,
            f"{false / frames:.3f}",
            f"{spent:.2f}",
        )


def _third(shown: Shown, detector: RetinaFace) -> Detections:
    """What RetinaFace finds in every frame, down to low scores."""

    def make() -> bytes:
        spent, lines = 0.0, []
        for number in range(shown.footage.frame_count):
            picture = shown.footage.frame(number)
            start = process_time()
            found = detector.detect(picture)
            spent += process_time() - start
            columns = [found.boxes.tolist(), found.scores.tolist(), found.landmarks.tolist()]
            lines.append(orjson.dumps(columns))
        return b"\n".join([str(spent).encode(), *lines])

    first, *lines = shown.kept("retinaface-mobilenet-0.25", make).split(b"\n")
    return Detections([_faces(shown, line) for line in lines], float(first))


def _faces(shown: Shown, line: bytes) -> FrameFaces:
    boxes, scores, landmarks = (np.array(part, np.float32) for part in orjson.loads(line))
    return FrameFaces(
        shown.footage.width,
        shown.footage.height,
        boxes=boxes.reshape(-1, 4),
        scores=scores,
        landmarks=landmarks.reshape(-1, 5, 2),
        features=np.zeros((len(scores), 0), np.float32),
    )


def _at(faces: FrameFaces, accept: float) -> FrameFaces:
    return faces.select(np.flatnonzero(faces.scores >= np.float32(accept)))


def _merged(known: FrameFaces, third: FrameFaces, accept: float) -> FrameFaces:
    """The faces of the default union and RetinaFace, as `UnionDetector` joins its members."""
    scores = rescale(third.scores, accept, UNION_ACCEPT)
    parts = [
        Detected(known.boxes, known.scores, known.landmarks),
        Detected(third.boxes, scores, third.landmarks),
    ]
    rank = np.repeat(np.arange(2), [len(part) for part in parts])
    found = merge(Detected.joined(parts), rank, UNION_ACCEPT)
    return replace(
        known,
        boxes=found.boxes,
        scores=found.scores,
        landmarks=found.landmarks,
        features=np.zeros((len(found), 0), np.float32),
    )


if __name__ == "__main__":
    publish(report)
