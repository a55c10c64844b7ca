"""Which frame between two analysed ones to analyse next, told by the pixels of their faces.

Where the boxes of two frames do not agree, a face has moved far, appeared or vanished between them.
Halving the stretch until the boxes agree takes three or four analyses each time. The pixels mostly
answer it without one: a face that can be followed from one frame to the other was there all the
time, and where it can no longer be followed is the frame to analyse.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from faceveil.boxes import centres, iou, sizes
from faceveil.faces import Floats, FrameFaces, Image
from faceveil.media.frames import Frame
from faceveil.media.reduced import grey
from faceveil.sampling.agreement import Agreement, Unmatched
from faceveil.tracking.median_flow import follow_box
from faceveil.tracking.track import ARRIVED_IOU, shrink_factor

UNCLEAR_SCORE = 0.6
"""A face with a lower score is detected in some frames and not in others. Following it settles
nothing: the stretch is halved, so that it is given more than one chance to be detected."""
NEAR = 4
"""Over so few frames an unclear face is followed, too, and a face that arrives where none is
detected: tracking covers it there."""
MOST_BEND = 0.25
"""How far the path of a face may leave the straight line that interpolation will draw, in face
sizes: a veil is wider than the face by more than that."""


class NextByPixels:
    """Chooses the frame to analyse next; it remembers the small pictures of one stretch.

    Parameters
    ----------
    agreement : Agreement, optional
        Faces that agree by their boxes are not followed.
    """

    def __init__(self, agreement: Agreement | None = None) -> None:
        self._agreement = agreement or Agreement()
        self._pictures: dict[int, Image] = {}

    def __call__(
        self, before: FrameFaces, after: FrameFaces, frames: Sequence[Frame]
    ) -> int | None:
        """Return the index of a frame between the first and the last, None where none is needed.

        Parameters
        ----------
        before, after : FrameFaces
            The faces of the first and of the last frame.
        frames : sequence of Frame
            Successive frames of one shot, three or more.

        Notes
        -----
        No frame is needed where every accepted face of either frame agrees with one of the other,
        or can be followed to one by its pixels along a nearly straight line. Over `NEAR` frames it
        need not arrive at a face. Where it is lost on its way, the frame in which it is lost is
        needed, otherwise that in which it is farthest from the line, or the middle.
        """
        gap = len(frames) - 1
        if before.error is not None or after.error is not None:
            return gap // 2
        unmatched = self._agreement.unmatched(before, after, gap)
        if unmatched.is_empty:
            return None
        scores = np.concatenate([unmatched.before.scores, unmatched.after.scores])
        if gap > NEAR and scores.min() < np.float32(UNCLEAR_SCORE):
            return gap // 2
        doubts = _doubts(unmatched, self._small(frames), frames[0].width)
        return min(doubts, key=lambda index: abs(index - gap / 2), default=None)

    def _small(self, frames: Sequence[Frame]) -> list[Image]:
        numbers = [frame.number for frame in frames]
        factor = shrink_factor(frames[0].height)
        known = self._pictures
        self._pictures = {
            frame.number: known[frame.number] if frame.number in known else grey(frame, factor)
            for frame in frames
        } | {number: known[number] for number in known if number > numbers[-1]}
        return [self._pictures[number] for number in numbers]


def _doubts(unmatched: Unmatched, pictures: list[Image], width: int) -> list[int]:
    """The frames in which a face is lost, or where its path is bent most, by index."""
    scale = np.float32(pictures[0].shape[1] / width)
    gap = len(pictures) - 1
    arrivals = np.concatenate([unmatched.after.boxes, unmatched.faint.boxes])
    has_arrived = np.zeros(len(arrivals), bool)
    doubts = []
    for box in unmatched.before.boxes:
        path = follow_box(pictures, box * scale) / scale
        if len(path) < gap:
            doubts.append(min(len(path) + 1, gap - 1))
            continue
        overlap = iou(path[-1], arrivals)
        if overlap.max(initial=0) >= ARRIVED_IOU:
            at = int(overlap.argmax())
            has_arrived[at] = True
            doubts += _bends(path, box, arrivals[at])
        elif gap > NEAR:
            doubts.append(gap // 2)
    for box in unmatched.after.boxes[~has_arrived[: len(unmatched.after)]]:
        path = follow_box(pictures[::-1], box * scale) / scale
        if len(path) < gap:
            doubts.append(max(gap - len(path) - 1, 1))
        elif gap > NEAR:
            doubts.append(gap // 2)
    return doubts


def _bends(path: Floats, start: Floats, end: Floats) -> list[int]:
    """The index of the frame in which a path is farthest from the straight line, if too far."""
    share = np.arange(1, len(path), dtype=np.float32)[:, None] / len(path)
    line = (1 - share) * start + share * end
    away = np.linalg.norm(centres(path[:-1]) - centres(line), axis=1) / sizes(end)
    farthest = int(away.argmax())
    return [farthest + 1] if away[farthest] > MOST_BEND else []
