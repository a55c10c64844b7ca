"""The policy "coverage": no accepted detection that must be veiled shows.

It compares two things that were made apart: what the detector said, before any filling, smoothing
or pruning, and the boxes the renderer is about to veil.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from faceveil.errors import CoverageError
from faceveil.faces import DetectionLog, Floats, Ints
from faceveil.veils.plan import VeilPlan
from faceveil.veils.region import contains, core, must_cover
from faceveil.veils.styles import VeilStyle

_CHUNK = 1 << 13
_NAMED = 5


@dataclass(frozen=True, slots=True, eq=False)
class Coverage:
    """What the check found: how many detections were checked, and the breaches as columns.

    frames int32 [b] and boxes float32 [b, 4] of the detections that would have stayed visible.
    """

    checked: int
    frames: Ints
    boxes: Floats

    def require(self) -> None:
        """Raise CoverageError naming the first breaches; return where there are none."""
        if len(self.frames) == 0:
            return
        named = "; ".join(
            f"frame {frame} at ({x1:.0f}, {y1:.0f})-({x2:.0f}, {y2:.0f})"
            for frame, (x1, y1, x2, y2) in zip(
                self.frames[:_NAMED].tolist(), self.boxes[:_NAMED].tolist(), strict=True
            )
        )
        more = len(self.frames) - _NAMED
        raise CoverageError(
            f"{len(self.frames)} of {self.checked} detected faces that must be veiled would stay "
            f"visible: {named}{f'; and {more} more' if more > 0 else ''}. Analyse again with less "
            "smoothing and without pruning, or widen the veil's margin"
        )


def check_coverage(
    detections: DetectionLog,
    plan: VeilPlan,
    veiled: NDArray[np.bool_],
    style: VeilStyle,
    *,
    width: int | Ints,
    height: int | Ints,
) -> Coverage:
    """Check every detection whose sequence is veiled, or that no sequence took.

    Each must lie inside the opaque core of one veil of its own frame, or its frame be veiled whole;
    for "upper", the top 60 % of its box must. What lies outside the frame needs no veil.

    veiled: bool [sequences]. width, height: of the frames, or int32 [detections] where they differ.
    Memory beyond the columns is bounded: detections are taken in chunks.
    """
    required = np.ones(len(detections), bool)
    taken = detections.sequence >= 0
    required[taken] = veiled[detections.sequence[taken]]
    rows = np.flatnonzero(required)
    widths = np.broadcast_to(np.asarray(width, np.float64), len(detections))
    heights = np.broadcast_to(np.asarray(height, np.float64), len(detections))
    breaches = [np.zeros(0, np.int64)]
    for start in range(0, len(rows), _CHUNK):
        part = rows[start : start + _CHUNK]
        limits = np.stack([widths[part], heights[part]] * 2, axis=1)
        visible = np.clip(must_cover(detections.boxes[part], style), 0, limits)
        breaches.append(part[~_covered(detections.frames[part], visible, plan, style)])
    breached = np.concatenate(breaches)
    return Coverage(len(rows), detections.frames[breached], detections.boxes[breached])


def _covered(
    frames: Ints, visible: NDArray[np.float64], plan: VeilPlan, style: VeilStyle
) -> NDArray[np.bool_]:
    """bool [n]: whether what is visible of a detection, [n, 4], lies in one veil of its frame."""
    covered = np.isin(frames, plan.whole_frames)
    covered |= (visible[:, 2:] <= visible[:, :2]).any(axis=1)
    first = np.searchsorted(plan.frames, frames, side="left")
    count = np.searchsorted(plan.frames, frames, side="right") - first
    # Every detection beside every veil of its frame, the pairs one after the other.
    detection = np.repeat(np.arange(len(frames)), count)
    offset = np.arange(len(detection)) - np.repeat(np.cumsum(count) - count, count)
    veil = first[detection] + offset
    inside = contains(core(plan.boxes[veil], style), visible[detection], style)
    covered[detection[inside]] = True
    return covered
