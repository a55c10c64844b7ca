"""Dissolves and wipes, found in thumbnails: one picture turns into another."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from faceveil.faces import Image
from faceveil.luma import luma

HALF_LENGTHS = (3, 4, 6, 8, 11)
"""Frames from the middle of a transition to its ends."""
REST = 3
"""Frames before and after a transition in which little changes."""
REACH = HALF_LENGTHS[-1] + REST

# Measured on dissolves and wipes of 6 to 20 frames and on what lies between them: people passing
# close to the camera, pans. A change below the faint limits is no transition.
FAINT_CHANGE, FAINT_OUTSIDE, FAINT_UNREST, FAINT_LIKENESS = 18.0, 0.2, 0.75, 0.65
CLEAR_CHANGE, CLEAR_OUTSIDE, CLEAR_UNREST, CLEAR_LIKENESS = 26.0, 0.12, 0.55, 0.6
MOST_DOUBT = 0.95
LARGEST_STEP = 0.4
LEAST_CONTRAST = 5.0


@dataclass(frozen=True, slots=True)
class Change:
    """How much a stretch of frames looks like a transition.

    change: mean difference of its ends, in grey levels. outside: how far pixels in between lie
    outside the two values at the ends, and unrest: how much the picture changes before and after,
    both as parts of the change. likeness: correlation of the ends.
    """

    change: float
    outside: float
    unrest: float
    likeness: float

    @property
    def doubt(self) -> float:
        return self.unrest + 2 * self.outside

    @property
    def is_clear(self) -> bool:
        """Whether it is a transition beyond doubt."""
        return (
            self.change >= CLEAR_CHANGE
            and self.outside <= CLEAR_OUTSIDE
            and self.unrest <= CLEAR_UNREST
            and self.likeness <= CLEAR_LIKENESS
        )


def differ(before: Image, after: Image) -> bool:
    """Whether two thumbnails differ enough to be the ends of a transition.

    This takes a microsecond, `change_at` takes many.
    """
    return cv2.norm(before, after, cv2.NORM_L1) >= FAINT_CHANGE * before.size


def change_at(thumbnails: Image) -> Change | None:
    """The change around the middle one of thumbnails uint8 [2 * REACH + 1, 27, 48, 3] RGB.

    None where it cannot be a transition of any length. A pan, or a person who passes by, brings
    values that neither end has, and the picture changes before or after it as well.
    """
    frames = thumbnails.reshape(len(thumbnails), -1, 3)
    changes = [_change(frames, half) for half in HALF_LENGTHS]
    return min((one for one in changes if one), key=lambda one: one.doubt, default=None)


def _change(frames: Image, half: int) -> Change | None:
    first, last = REACH - half, REACH + half
    before, after = (frames[at].astype(np.float32) for at in (first, last))
    change = float(np.abs(after - before).mean())
    if change < FAINT_CHANGE:
        return None
    rest = np.abs(before - frames[first - REST]).mean() + np.abs(after - frames[last + REST]).mean()
    unrest = float(rest) / change
    if unrest > FAINT_UNREST:
        return None
    old, new = (luma(picture) for picture in (before, after))
    old, new = old - old.mean(), new - new.mean()
    if min(old.std(), new.std()) < LEAST_CONTRAST:
        return None  # black, or nearly: a fade, which the cut detector finds
    likeness = float((old * new).mean() / (old.std() * new.std()))
    if likeness > FAINT_LIKENESS:
        return None
    between = frames[first + 1 : last].astype(np.float32)
    if _largest_step(before, after, between) > LARGEST_STEP:
        return None
    above = np.maximum(between - np.maximum(before, after), 0)
    below = np.maximum(np.minimum(before, after) - between, 0)
    outside = float((above + below).mean(axis=(1, 2)).max()) / change
    found = Change(change, outside, unrest, likeness)
    return found if outside <= FAINT_OUTSIDE and found.doubt <= MOST_DOUBT else None


def _largest_step(before: np.ndarray, after: np.ndarray, between: np.ndarray) -> float:
    """The largest part of the whole change that happens from one frame to the next."""
    way = (after - before).ravel()
    start = float(before.ravel() @ way)
    gone = (between.reshape(len(between), -1) @ way - start) / float(way @ way)
    return float(np.diff(gone, prepend=0.0, append=1.0).max())
