"""Points in the picture -> the facial sequences that were pointed at."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from faceveil.decisions import Point
from faceveil.errors import InputError
from faceveil.faces import FaceSequence

POINT_MARGIN = 0.15
"""How far outside a box a point may lie, as a part of the box's width and height."""


def sequence_at(point: Point, sequences: Sequence[FaceSequence]) -> int:
    """The index of the sequence whose box holds the point; the nearest of several.

    Raises InputError that lists the faces on that frame, or names the nearest frame with one,
    when nobody is there.
    """
    present = [
        (index, box)
        for index, sequence in enumerate(sequences)
        if (box := sequence.box_at(point.frame)) is not None
    ]
    if not present:
        raise InputError(f"nobody is in {point}: {_nearest_frame(point.frame, sequences)}")
    boxes = np.array([box for _, box in present])
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2
    sides = boxes[:, 2:] - boxes[:, :2]
    offset = np.abs(centres - (point.x, point.y))
    distance = np.hypot(*offset.T)
    inside = (offset <= sides * (0.5 + POINT_MARGIN)).all(axis=1)
    if not inside.any():
        nearest = ", ".join(f"({x:.0f}, {y:.0f})" for x, y in centres[distance.argsort()[:5]])
        raise InputError(
            f"nobody is in {point}; the faces on that frame, nearest first, are at {nearest}"
        )
    return present[int(np.where(inside, distance, np.inf).argmin())][0]


def _nearest_frame(frame: int, sequences: Sequence[FaceSequence]) -> str:
    if not sequences:
        return "no face was found in the whole video"
    frames = np.concatenate([sequence.frames for sequence in sequences])
    nearest = int(frames[np.abs(frames - frame).argmin()])
    return f"no face was found on that frame; the nearest frame with a face is {nearest}"
