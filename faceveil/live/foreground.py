"""Who stands in the foreground: large, near the centre, steady, and there for some time.

A face becomes visible only where all of these hold clearly, and is veiled again as soon as one of
them no longer nearly holds ("fail closed"): between the two limits it stays as it was.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from faceveil.boxes import centres, iou, sides
from faceveil.faces import FaceSequence, Kind, Provenance


@dataclass(frozen=True, slots=True)
class Limits:
    """What a face must reach.

    Attributes
    ----------
    height
        Of its box, as a share of the frame's height, in every frame.
    of_largest
        The same, as a share of the largest face of these frames.
    off_centre
        Distance of its centre from the frame's middle, at most, as a share of half the width.
    speed
        How far it moves in a second, at most, in its own heights.
    seconds
        How long it is seen.
    detected
        The share of the looks in which it was detected.
    """

    height: float
    of_largest: float
    off_centre: float
    speed: float
    seconds: float
    detected: float


ENTER = Limits(height=0.18, of_largest=0.7, off_centre=0.65, speed=0.5, seconds=2.0, detected=0.8)
STAY = Limits(height=0.13, of_largest=0.5, off_centre=0.85, speed=1.2, seconds=0.5, detected=0.5)
_OVERLAP = 0.1
"""Of two faces that overlap by more it is not certain which is which."""


class Foreground:
    """Remembers which tracks stand in the foreground."""

    def __init__(self) -> None:
        self._inside: set[int] = set()

    def update(
        self,
        sequences: Sequence[FaceSequence],
        tracks: Sequence[int],
        width: int,
        height: int,
        rate: float,
        looks: Sequence[int],
    ) -> set[int]:
        """Return the tracks in the foreground.

        Parameters
        ----------
        sequences
            Those of a window; its frames are numbered from 0.
        tracks
            The number of each.
        width, height
            Of the frame, in pixels.
        rate
            Frames per second.
        looks
            The frames of the window in which faces were detected.
        """
        faces = [row for row, one in enumerate(sequences) if one.kind == Kind.FACE]
        seen = np.array(sorted(looks), np.int32)
        largest = max((_height(sequences[row]) for row in faces), default=0.0)
        inside = set()
        for row in faces:
            limits = STAY if tracks[row] in self._inside else ENTER
            others = [sequences[other] for other in faces if other != row]
            if _reaches(
                sequences[row], limits, width, height, rate, largest, seen
            ) and not _is_crossed(sequences[row], others):
                inside.add(tracks[row])
        self._inside = inside
        return inside


def _reaches(
    sequence: FaceSequence,
    limits: Limits,
    width: int,
    height: int,
    rate: float,
    largest: float,
    looks: np.ndarray,
) -> bool:
    detected = sequence.provenance == Provenance.DETECTED
    if not detected.any():
        return False
    frames, boxes = sequence.frames[detected], sequence.boxes[detected]
    among = looks[(looks >= frames[0]) & (looks <= frames[-1])]
    seconds = float(frames[-1] - frames[0]) / rate
    own = float(np.percentile(sides(boxes)[:, 1], 20))
    middle = centres(boxes)
    off = float(np.abs(middle[:, 0] - width / 2).max()) / (width / 2)
    apart = max(1, round(rate))
    moved = 0.0
    for start in range(0, len(frames), max(1, len(frames) // 8)):
        end = min(int(np.searchsorted(frames, frames[start] + apart)), len(frames) - 1)
        if end > start:
            way = float(np.linalg.norm(middle[end] - middle[start]))
            moved = max(moved, way / max(float(frames[end] - frames[start]) / rate, 0.3))
    return (
        seconds >= limits.seconds
        and own >= limits.height * height
        and own >= limits.of_largest * largest
        and off <= limits.off_centre
        and moved <= limits.speed * own
        and len(frames) >= limits.detected * len(among)
        and (len(looks) == 0 or frames[-1] >= looks[-1] - 0.5 * rate)
    )


def _height(sequence: FaceSequence) -> float:
    detected = sequence.provenance == Provenance.DETECTED
    if not detected.any():
        return 0.0
    return float(np.median(sides(sequence.boxes[detected])[:, 1]))


def _is_crossed(sequence: FaceSequence, others: Sequence[FaceSequence]) -> bool:
    """Whether another face comes so near in any frame that the two may be taken for each other."""
    for other in others:
        _, one, two = np.intersect1d(
            sequence.frames, other.frames, assume_unique=True, return_indices=True
        )
        if len(one) and float(iou(sequence.boxes[one], other.boxes[two]).max()) > _OVERLAP:
            return True
    return False
