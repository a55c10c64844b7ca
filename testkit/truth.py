"""How well an output agrees with the truth of a synthetic clip, by plan or by pixels.

`Truth` and the measures are the library's (faceveil.evaluation); here is what only tests and
benchmarks need: coverage measured from the pixels of an output (`coverage_of_pixels`), and
`evaluate`, which names the faces that are missed or veiled by mistake.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

import cv2
import numpy as np
from cv2.typing import MatLike
from numpy.typing import NDArray

from faceveil.analysis import Analysis
from faceveil.evaluation.coverage import coverage_of_boxes, coverage_of_output, match, share_covered
from faceveil.evaluation.judging import Rules, judge_coverage
from faceveil.evaluation.measures import IdentityErrors, identity_errors, names_of
from faceveil.evaluation.output import output_of_analysis
from faceveil.evaluation.truth import ELLIPSE, GRID, Truth, grid_points
from faceveil.faces import Floats, Image
from faceveil.veils.styles import VeilStyle

__all__ = [
    "ELLIPSE",
    "ENCODED",
    "GRID",
    "Evaluation",
    "IdentityErrors",
    "Truth",
    "coverage_of_analysis",
    "coverage_of_boxes",
    "coverage_of_pixels",
    "evaluate",
    "grid_points",
    "identity_errors",
    "match",
]

ENCODED = 7.0
"""Mean difference in grey levels that a veil exceeds, and encoding at high quality does not."""


def coverage_of_analysis(truth: Truth, analysis: Analysis, style: VeilStyle) -> Floats:
    """The share float32 [n] of each true face's seen part under the opaque part of a veil."""
    return coverage_of_output(truth, output_of_analysis(analysis, style))


def coverage_of_pixels(
    truth: Truth, before: Iterable[Image], after: Iterable[Image], tolerance: float = 0.0
) -> Floats:
    """The share float32 [n] of each true face's seen part that an output has changed.

    `before` and `after` are the frames in order, RGB uint8 [H, W, 3]. A sample counts as changed
    where a channel differs by more than `tolerance` grey levels: 0 for a lossless output,
    `ENCODED` for a video that was encoded again, where the mean difference around the sample is
    compared. Gaps smaller than a fifth of the face are closed: a veil may by chance leave a patch
    of skin as it was.

    Raises ValueError when there are not exactly as many frames as the truth has.
    """
    covered = np.zeros(truth.seen.shape, bool)
    count = 0
    for number, (original, output) in enumerate(zip(before, after, strict=True)):
        rows = np.flatnonzero(truth.frames == number)
        if rows.size:
            covered[rows] = _changed(original, output, truth.boxes[rows], tolerance)
        count = number + 1
    if count != truth.frame_count:
        raise ValueError(f"{count} frames, but the truth has {truth.frame_count}")
    return share_covered(truth, covered)


def _changed(original: Image, output: Image, boxes: Floats, tolerance: float) -> NDArray[np.bool_]:
    """bool [n, GRID, GRID]: which sample points of the boxes the output has changed."""
    difference: MatLike = cv2.absdiff(original, output).astype(np.float32)
    if tolerance > 0:
        window = max(3, len(original) // 40)
        difference = cv2.blur(difference, (window, window))
    difference = difference.max(axis=2)
    points = np.floor(grid_points(boxes)).astype(np.intp)
    height, width = difference.shape
    x, y = points[..., 0].clip(0, width - 1), points[..., 1].clip(0, height - 1)
    changed = (difference[y, x] > tolerance).astype(np.uint8)
    gap = np.ones((5, 5), np.uint8)
    closed = [cv2.morphologyEx(mask, cv2.MORPH_CLOSE, gap) for mask in changed]
    return np.array(closed, bool)


@dataclass(frozen=True)
class Evaluation:
    """How an output compares with the truth; counts are of (frame, person) rows.

    recall: share of the faces to veil that are veiled. missed: (frame, person) of those that are
    not. untouched: of the missed, those with hardly any veil, as when the wrong person is kept.
    kept_veiled: (frame, person) where a veil hides a person to keep; kept_veiled_share: the share
    of her frames.
    """

    faces: int
    recall: float
    missed: tuple[tuple[int, str], ...]
    untouched: tuple[tuple[int, str], ...]
    kept_faces: int
    kept_veiled: tuple[tuple[int, str], ...]
    kept_veiled_share: float


def evaluate(
    truth: Truth,
    coverage: Floats,
    keep: Collection[str] = (),
    *,
    min_visible: float = 0.5,
    hit: float = 0.9,
    untouched: float = 0.1,
    kept_limit: float = 0.3,
    margin: float = 0.25,
) -> Evaluation:
    """Compare coverage float32 [n] of the true faces with who is to be kept.

    A face counts when at least `min_visible` of it can be seen, and is veiled when `hit` of what
    can be seen is covered. A kept person's frame counts as wrongly veiled when more than
    `kept_limit` of her face is covered, unless a veiled person's box, grown by `margin` of its
    size to each side as a veil is, overlaps hers (in front or hidden behind).
    """
    rules = Rules(
        min_visible=min_visible, hit=hit, bare=untouched, kept_limit=kept_limit, margin=margin
    )
    verdict = judge_coverage(truth, coverage, keep, rules)
    faces, kept_faces = int(verdict.to_veil.sum()), int(verdict.kept.sum())
    return Evaluation(
        faces=faces,
        recall=1 - float(verdict.missed.sum()) / max(faces, 1),
        missed=names_of(truth, verdict.missed),
        untouched=names_of(truth, verdict.missed & (coverage < untouched)),
        kept_faces=kept_faces,
        kept_veiled=names_of(truth, verdict.kept_veiled),
        kept_veiled_share=float(verdict.kept_veiled.sum()) / max(kept_faces, 1),
    )
