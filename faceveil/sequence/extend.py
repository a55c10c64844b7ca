"""Boxes before the first and after the last detection of a face."""

from __future__ import annotations

import numpy as np

from faceveil.boxes import centres, from_centres, sides
from faceveil.faces import FaceSequence, Floats, Ints, Provenance

BOXES_AT_AN_END = 6
DAMPING = 0.85
GROWTH_PER_FRAME = 0.02


def extend(
    sequence: FaceSequence,
    first_frame: int,
    last_frame: int,
    width: int,
    height: int,
    *,
    frames: int = 10,
) -> FaceSequence:
    """Add boxes at both ends of a sequence, beyond what was detected.

    Parameters
    ----------
    sequence : FaceSequence
    first_frame, last_frame : int
        First and last frame of its shot, both inclusive.
    width, height : int
        Size of the picture in pixels.
    frames : int
        How many frames beyond the outermost detections.

    Returns
    -------
    FaceSequence
        The new boxes have score 0 and provenance EXTENDED.

    Notes
    -----
    The face goes on at its last speed and comes to rest, while its box grows a little because its
    place is less certain. A face that is leaving the picture keeps its speed until it is out. An
    end that tracking followed for fewer frames is extended from there.
    """
    known = sequence.frames[sequence.provenance != Provenance.EXTENDED]
    furthest, earliest = int(known[-1]) + frames, int(known[0]) - frames
    ahead = np.arange(sequence.last + 1, min(furthest, last_frame) + 1)
    back = np.arange(sequence.first - 1, max(earliest, first_frame) - 1, -1)
    picture = np.array([width, height], np.float32)
    end = slice(None, -BOXES_AT_AN_END - 1, -1)
    start = slice(BOXES_AT_AN_END)
    frames_ahead, boxes_ahead = _follow(sequence, end, ahead.astype(np.int32), picture)
    frames_back, boxes_back = _follow(sequence, start, back.astype(np.int32), picture)
    return sequence.with_boxes(
        np.concatenate([frames_back, frames_ahead]),
        np.concatenate([boxes_back, boxes_ahead]),
        Provenance.EXTENDED,
    )


def _follow(
    sequence: FaceSequence, part: slice, new_frames: Ints, picture: Floats
) -> tuple[Ints, Floats]:
    """Frames and boxes beyond one end; `part` picks the boxes near it, the outermost first."""
    boxes, seen = sequence.boxes[part], sequence.frames[part]
    centre, side = centres(boxes[0]), sides(boxes[0])
    velocity = _velocity(boxes, seen)
    steps = np.arange(1, len(new_frames) + 1, dtype=np.float32)[:, None]
    leaving = ((velocity < 0) & (boxes[0, :2] <= 0)) | ((velocity > 0) & (boxes[0, 2:] >= picture))
    way = np.where(leaving.any(), steps, DAMPING * (1 - DAMPING**steps) / (1 - DAMPING))
    moved = from_centres(centre + way * velocity, side * (1 + GROWTH_PER_FRAME * steps))
    inside = np.all((moved[:, :2] < picture) & (moved[:, 2:] > 0), axis=1)
    count = len(inside) if inside.all() else int(np.argmin(inside))
    return new_frames[:count], moved[:count]


def _velocity(boxes: Floats, frames: Ints) -> Floats:
    """Pixels a frame away from this end, float32 [2]: the median, robust to a single bad box."""
    if len(frames) < 2:
        return np.zeros(2, np.float32)
    apart = np.abs(np.diff(frames)).astype(np.float32)[:, None]
    return np.asarray(np.median(-np.diff(centres(boxes), axis=0) / apart, axis=0), np.float32)
