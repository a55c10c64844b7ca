"""Shot transitions, found while the frames go by."""

from __future__ import annotations

import cv2
import numpy as np
from scenedetect import ContentDetector, FrameTimecode

from faceveil.faces import Image

# Measured on 48x27 thumbnails: cuts between unlike shots change the content by 43 and more,
# people moving within a shot by 17 at most, while the structure stays alike (0.7 and more).
CLEAR_CHANGE, CLEAR_LIKENESS = 27.0, 0.8
FAINT_CHANGE, FAINT_LIKENESS = 18.0, 0.4
LEAST_BRIGHTNESS_CHANGE = 4.0
BLACK = 32

# Without a minimum shot length PySceneDetect decides from the pictures alone, not from the time.
_NO_TIME = FrameTimecode(0, fps=25.0)


class ShotDetector:
    """Finds cuts on the very frame where the new shot starts, and returns from black.

    The change of content is PySceneDetect's ContentDetector (mean change of hue, saturation and
    brightness). A change counts as a transition when the structure of the picture, the
    correlation of its luma, is lost as well: a flash or a fade keeps it. There is no minimum shot
    length, because a missed cut may join two people whereas a false one only splits a sequence,
    which its identity joins again. Dissolves are not found.

    It looks only at the thumbnails, so that a video on disk and detections from a batch job give
    the same shots.
    """

    def __init__(self) -> None:
        self._change = ContentDetector(threshold=FAINT_CHANGE, min_scene_len=0)
        self._previous: Image | None = None

    def push(self, thumbnail: Image | None) -> bool:
        """Whether this frame starts a new shot; never the first.

        thumbnail: uint8 [27, 48, 3] RGB, or None where the frame could not be read: then the next
        frame is compared with the last one known.
        """
        if thumbnail is None:
            return False
        previous, self._previous = self._previous, thumbnail
        changed = bool(self._change.process_frame(_NO_TIME, _bgr(thumbnail)))
        if previous is None:
            return False
        if previous.max() < BLACK <= thumbnail.max():
            return True
        return changed and _is_transition(previous, thumbnail)


def _is_transition(before: Image, after: Image) -> bool:
    """Whether two frames with a change of content belong to different shots."""
    old, new = (
        cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32) for image in (before, after)
    )
    if np.abs(new - old).mean() < LEAST_BRIGHTNESS_CHANGE:
        return False  # noise in the dark changes hue and saturation, which mean nothing there
    likeness = _correlation(old, new)
    if likeness < FAINT_LIKENESS:
        return True
    return likeness < CLEAR_LIKENESS and _is_clear_change(before, after)


def _is_clear_change(before: Image, after: Image) -> bool:
    detector = ContentDetector(threshold=CLEAR_CHANGE, min_scene_len=0)
    detector.process_frame(_NO_TIME, _bgr(before))
    return bool(detector.process_frame(_NO_TIME, _bgr(after)))


def _bgr(image: Image) -> Image:
    return cv2.cvtColor(image, cv2.COLOR_RGB2BGR).astype(np.uint8, copy=False)


def _correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Pearson correlation of two pictures, 0 where one of them is flat."""
    a, b = a - a.mean(), b - b.mean()
    norm = float(np.sqrt((a * a).sum() * (b * b).sum()))
    return float((a * b).sum()) / norm if norm > 1.0 else 0.0
