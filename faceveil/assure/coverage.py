"""The coverage invariant: every accepted detection that must be veiled lies under a veil.

Two things of different origin are compared: the detections before any filling, smoothing or
pruning, and the boxes that the renderer is about to veil.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from faceveil.errors import CoverageError
from faceveil.faces import DetectionLog, Floats, Ints
from faceveil.veils.kinds import contained, required_of
from faceveil.veils.plan import VeilPlan
from faceveil.veils.styles import VeilStyle

_CHUNK = 1 << 13
_NAMED = 5


@dataclass(frozen=True, slots=True, eq=False)
class Coverage:
    """The result of the check.

    Attributes
    ----------
    checked : int
        How many detections were checked.
    frames : ndarray of int32 [b]
        Frames of the detections that would stay visible.
    boxes : ndarray of float32 [b, 4]
        Their boxes, in pixels of the upright frame.
    """

    checked: int
    frames: Ints
    boxes: Floats

    def require(self) -> None:
        """Raise CoverageError, naming the first breaches, unless there are none."""
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
    """Check every detection whose sequence is veiled, or that belongs to no sequence.

    Each must lie inside the opaque core of one veil of its frame (for "upper" the top 60 % of its
    box), or its frame must be veiled whole. What lies outside the frame needs no veil.

    Parameters
    ----------
    detections : DetectionLog
    plan : VeilPlan
    veiled : ndarray of bool [sequences]
    style : VeilStyle
    width, height : int or ndarray of int32 [detections]
        Size of the frames in pixels, or of the frame of each detection where they differ.

    Returns
    -------
    Coverage

    Notes
    -----
    Detections are processed in chunks, so that memory beyond the columns is bounded.
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
        kinds = np.zeros(len(part), np.uint8)
        known = detections.sequence[part] >= 0
        kinds[known] = plan.kinds[detections.sequence[part][known]]
        visible = np.clip(required_of(detections.boxes[part], kinds, style), 0, limits)
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
    kinds = plan.kinds[plan.sequence[veil]]
    inside = contained(plan.boxes[veil], kinds, visible[detection], style)
    covered[detection[inside]] = True
    return covered
