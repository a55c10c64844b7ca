"""Cuts and returns from black, found in the thumbnails of successive frames."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np

from faceveil.faces import Image

# Measured on 48x27 thumbnails: cuts between unlike shots change the content by 43 and more,
# people moving within a shot by 17 at most, while the structure stays alike (0.7 and more).
CLEAR_CHANGE, CLEAR_LIKENESS = 27.0, 0.8
FAINT_CHANGE, FAINT_LIKENESS = 18.0, 0.4
LEAST_BRIGHTNESS_CHANGE = 4.0
BLACK = 32

# Two shots of one place are alike: a cut between them changes the thumbnail by 8 grey levels or
# more, at least twice as much as any frame near it, and for good. Movement within a shot has no
# such step, a flash goes away again, and a lamp that is switched on keeps the structure.
LEAST_STEP, TIMES_AROUND, LASTING, STEP_LIKENESS = 8.0, 2.5, 0.8, 0.8
AROUND = 4
"""Frames before and after a step that it is compared with."""


class ShotDetector:
    """Detects cuts on the frame where the new shot starts, and returns from black.

    Notes
    -----
    The change of content is that of PySceneDetect's ContentDetector (mean change of hue, saturation
    and brightness). A change counts as a transition when the structure of the picture, the
    correlation of its luma, is lost as well: a flash or a fade keeps it. There is no minimum shot
    length: a missed cut may join two people, whereas a false one only splits a sequence, which its
    identity joins again. Dissolves are not detected.

    Only thumbnails are compared, so that a video on disk and the detections of a batch job have the
    same shots.
    """

    def __init__(self) -> None:
        self._previous: _Seen | None = None

    def push(self, thumbnail: Image | None) -> bool:
        """Return whether this frame starts a new shot; the first frame never does.

        Parameters
        ----------
        thumbnail : ndarray of uint8 [27, 48, 3] or None
            RGB; None where the frame could not be read. The next frame is then compared with the
            last one that could.
        """
        if thumbnail is None:
            return False
        before, self._previous = self._previous, _Seen.of(thumbnail)
        if before is None:
            return False
        if before.brightest < BLACK <= self._previous.brightest:
            return True
        return _is_transition(before, self._previous)


def is_step(thumbnails: Image) -> bool:
    """Whether the middle one of thumbnails uint8 [2 * AROUND + 1, 27, 48, 3] RGB starts a new shot.

    Knowing the frames that follow, it finds cuts between shots of one place, which `ShotDetector`
    takes for movement.
    """
    before, after = thumbnails[AROUND - 1], thumbnails[AROUND]
    step = _difference(before, after)
    if step < LEAST_STEP:
        return False
    steps = [_difference(*pair) for pair in pairwise(thumbnails)]
    del steps[AROUND - 1]
    lasting = min(
        _difference(old, new) for old in (thumbnails[0], before) for new in (after, thumbnails[-1])
    )
    if step < TIMES_AROUND * max(steps) or lasting < LASTING * step:
        return False
    return _correlation(*(_grey(one).astype(np.float32) for one in (before, after))) < STEP_LIKENESS


def _difference(before: Image, after: Image) -> float:
    """Mean change in grey levels."""
    return cv2.norm(before, after, cv2.NORM_L1) / before.size


def _grey(picture: Image) -> Image:
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), np.uint8)


@dataclass(frozen=True, slots=True, eq=False)
class _Seen:
    """A thumbnail, its luma uint8 [27, 48] and its largest value."""

    picture: Image
    grey: Image
    brightest: int

    @classmethod
    def of(cls, picture: Image) -> _Seen:
        return cls(picture, _grey(picture), int(picture.max()))


def _is_transition(before: _Seen, after: _Seen) -> bool:
    """Whether two frames belong to different shots. The cheap tests come first."""
    if cv2.norm(before.grey, after.grey, cv2.NORM_L1) < LEAST_BRIGHTNESS_CHANGE * after.grey.size:
        return False  # noise in the dark changes hue and saturation, which mean nothing there
    if not _has_changed(before.picture, after.picture, FAINT_CHANGE):
        return False
    likeness = _correlation(before.grey.astype(np.float32), after.grey.astype(np.float32))
    if likeness < FAINT_LIKENESS:
        return True
    return likeness < CLEAR_LIKENESS and _has_changed(before.picture, after.picture, CLEAR_CHANGE)


def _has_changed(before: Image, after: Image, threshold: float) -> bool:
    from scenedetect import ContentDetector, FrameTimecode

    # Without a minimum shot length it decides from the pictures alone, not from the time.
    no_time = FrameTimecode(0, fps=25.0)
    detector = ContentDetector(threshold=threshold, min_scene_len=0)
    detector.process_frame(no_time, _bgr(before))
    return bool(detector.process_frame(no_time, _bgr(after)))


def _bgr(image: Image) -> Image:
    return cv2.cvtColor(image, cv2.COLOR_RGB2BGR).astype(np.uint8, copy=False)


def _correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Pearson correlation of two pictures, 0 where one of them is flat."""
    a, b = a - a.mean(), b - b.mean()
    norm = float(np.sqrt((a * a).sum() * (b * b).sum()))
    return float((a * b).sum()) / norm if norm > 1.0 else 0.0
