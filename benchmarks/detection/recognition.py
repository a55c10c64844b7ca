"""How well features tell people apart: the LFW pairs of ../shared/data.

    python -m benchmarks.detection.recognition [report.md]

Ten people with ten pictures each give 450 pairs of one person and 4500 of two. Each picture goes
through the default analyzer; the face nearest to its middle is compared by cosine.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from benchmarks.report import publish, table
from faceveil.detect.analyzer import FaceAnalyzer
from faceveil.detect.build import AnalyzerOptions, build_analyzer
from faceveil.faces import Floats
from faceveil.weights.manifest import load_manifest
from testkit import SHARED_DATA

LFW = SHARED_DATA / "lfw"
FACE_SHARE = 0.45
"""Height of an LFW face as a share of its picture, to give sizes in pixels of the face."""
SIZES = {250: "full size", 125: "half", 80: "a third", 56: "2/9"}
FALSE_ACCEPTS = (0.01, 0.001)
COLUMNS = (
    "no face",
    "AUC",
    "TAR at FAR 1 %",
    "TAR at FAR 0.1 %",
    "same accepted",
    "different accepted",
)


def features_of(paths: list[Path], analyzer: FaceAnalyzer, side: int) -> tuple[Floats, int]:
    """A feature of each picture [n, D] reduced to `side` pixels; zeros, counted, where no face."""
    rows, missed = [], 0
    for path in paths:
        picture = cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)
        picture = cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA)
        seen = analyzer(picture)
        seen = seen.select(seen.accepted)
        if not len(seen):
            missed += 1
            rows.append(np.zeros(seen.features.shape[1], np.float32))
            continue
        middle = (seen.boxes[:, :2] + seen.boxes[:, 2:]) / 2
        rows.append(seen.features[np.abs(middle - side / 2).sum(axis=1).argmin()])
    return np.array(rows), missed


def area_under_curve(same: NDArray[np.float64], different: NDArray[np.float64]) -> float:
    """Chance that a pair of one person is more alike than a pair of two."""
    ranks = rankdata(np.concatenate([same, different]))[: len(same)]
    return float((ranks.sum() - len(same) * (len(same) + 1) / 2) / (len(same) * len(different)))


def row(
    label: str, features: Floats, missed: int, people: NDArray[np.str_], accept: float
) -> list[str]:
    """The label, then the cells of COLUMNS."""
    first, second = np.triu_indices(len(features), 1)
    alike = (features[first] * features[second]).sum(axis=1).astype(np.float64)
    is_same = people[first] == people[second]
    same, different = alike[is_same], np.sort(alike[~is_same])[::-1]
    cells = [label, str(missed), f"{area_under_curve(same, different):.4f}"]
    for share in FALSE_ACCEPTS:
        threshold = different[int(share * len(different))]
        cells.append(f"{(same > threshold).mean():.1%} (from {threshold:.2f})")
    cells += [f"{(same >= accept).mean():.1%}", f"{(different >= accept).mean():.2%}"]
    return cells


def report() -> str:
    paths = sorted(LFW.glob("*/*.jpg"))
    people = np.array([path.parent.name for path in paths])
    options = AnalyzerOptions()
    analyzer = build_analyzer(options)
    accept = load_manifest()[options.recognizer].thresholds["accept"]
    lines = [
        "# Recognition",
        "",
        f"`python -m benchmarks.detection.recognition`: {options.recognizer} on {len(paths)} LFW "
        f"pictures of {len(np.unique(people))} people, 450 pairs of one person and 4500 of two, "
        "found and aligned by the default analyzer. TAR is the share of the same person's pairs "
        "accepted where that share of the others' is; the last two columns are at cosine "
        f"{accept:.2f}.",
        "",
    ]
    rows = []
    for side, name in SIZES.items():
        features, missed = features_of(paths, analyzer, side)
        label = f"{name}, about {side * FACE_SHARE:.0f} px"
        rows.append(row(label, features, missed, people, accept))
    lines += [
        *table(("picture, face height", *COLUMNS), rows),
        "",
        "Expected: an AUC of 1.000 at full size, a cosine of 0.40 as a good accept "
        "threshold, and no trust in faces under 24 pixels.",
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    publish(report)
