"""The facial sequence at a point of the picture."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from faceveil.boxes import centres, sides
from faceveil.decisions import Point
from faceveil.errors import InputError
from faceveil.faces import FaceSequence

POINT_MARGIN = 0.15
"""How far outside a box a point may lie, as a share of the box's width and height."""


def sequence_at(point: Point, sequences: Sequence[FaceSequence]) -> int:
    """Return the index of the sequence whose box contains the point, the nearest of several.

    Raises
    ------
    InputError
        When no face is there. The message lists the faces on that frame, or names the nearest frame
        with one.
    """
    present = [
        (index, box)
        for index, sequence in enumerate(sequences)
        if (box := sequence.box_at(point.frame)) is not None
    ]
    if not present:
        raise InputError(f"there is no face in {point}: {_nearest_frame(point.frame, sequences)}")
    boxes = np.array([box for _, box in present])
    middles = centres(boxes)
    offset = np.abs(middles - (point.x, point.y))
    distance = np.hypot(*offset.T)
    inside = (offset <= sides(boxes) * (0.5 + POINT_MARGIN)).all(axis=1)
    if not inside.any():
        nearest = ", ".join(f"({x:.0f}, {y:.0f})" for x, y in middles[distance.argsort()[:5]])
        raise InputError(
            f"there is no face in {point}; those on that frame, nearest first, are at {nearest}"
        )
    return present[int(np.where(inside, distance, np.inf).argmin())][0]


def _nearest_frame(frame: int, sequences: Sequence[FaceSequence]) -> str:
    if not sequences:
        return "no face was detected in the whole video"
    frames = np.concatenate([sequence.frames for sequence in sequences])
    nearest = int(frames[np.abs(frames - frame).argmin()])
    return f"no face was detected on that frame; the nearest frame with a face is {nearest}"
