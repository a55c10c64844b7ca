"""From what a search saw to facial sequences: its times to frames, its indexes to tracks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from faceveil.boxes import clip
from faceveil.errors import InputError
from faceveil.faces import DetectionLog, FaceSequence, Floats, Ints, Provenance
from faceveil.rekognition.sightings import Longs, Sightings
from faceveil.sequence.follow.build import Built

ROUNDING = 1.0
"""Milliseconds: times are told in whole ones."""
ONE_MISSED = 2.5
"""Intervals between two looks with a missed one between: looks are not evenly spaced in frames."""
_BEYOND = 1000.0
"""Milliseconds after the last frame at which nothing can have been seen."""


@dataclass(frozen=True, slots=True, eq=False)
class Timeline:
    """When each frame is shown, and where shots start.

    times float64 [n]: milliseconds since the first frame, rising; shot_starts int32 [s].
    """

    times: NDArray[np.float64]
    shot_starts: Ints

    def frames_at(self, milliseconds: Longs) -> Ints:
        """The frames int32 [m] that are shown at times int64 [m]; rates may vary.

        Raises InputError for a time after the end of the video.
        """
        if len(milliseconds) and milliseconds.max() > self.times[-1] + _BEYOND:
            raise InputError(
                f"Rekognition reports a face at {milliseconds.max() / 1000:.1f} s of a video whose "
                f"last frame is shown at {self.times[-1] / 1000:.1f} s: it searched another video"
            )
        frames = np.searchsorted(self.times, milliseconds + ROUNDING, side="right") - 1
        return frames.clip(min=0).astype(np.int32)


@dataclass(frozen=True, slots=True, eq=False)
class Tracks:
    """Sequences of faces that Rekognition saw, and its words on each.

    built: the sequences, and every face as detections [m]. For each detection: part int32 [m], the
    sequence it went to; identity int64 [m]: of whom Rekognition takes for one person; similarity
    float32 [m, p]. interval: frames from one look at the video to the next, usually.
    """

    built: Built
    part: Ints
    identity: Longs
    similarity: Floats
    interval: int


def track(looks: Sightings, timeline: Timeline, size: tuple[int, int], max_gap: int) -> Tracks:
    """One sequence per index and shot, split at gaps of more than `max_gap` frames; where
    Rekognition looks more rarely than that, at gaps of more than one look.

    Several faces of one index at one time are several people. Boxes are cut at the picture's edges;
    `size` is the width and height of the upright frame. Raises InputError as `frames_at` does.
    """
    boxes = clip(looks.boxes * np.array(size * 2, np.float32), *size)
    rows = np.flatnonzero((boxes[:, 2:] - boxes[:, :2]).min(axis=1, initial=np.inf) >= 1)
    frames = timeline.frames_at(looks.milliseconds)[rows]
    interval = _interval(frames)
    identity = _identities(looks.index[rows], looks.milliseconds[rows])
    shots = np.searchsorted(timeline.shot_starts, frames, side="right") - 1

    order = np.lexsort((frames, identity))
    new = np.ones(len(rows), np.bool_)
    new[1:] = np.diff(identity[order]) != 0
    new[1:] |= np.diff(shots[order]) != 0
    new[1:] |= np.diff(frames[order]) > max(max_gap, ONE_MISSED * interval)
    firsts = order[new]
    numbers = np.empty(len(firsts), np.int32)
    numbers[np.argsort(frames[firsts], kind="stable")] = np.arange(len(firsts))
    part = np.empty(len(rows), np.int32)
    part[order] = numbers[np.cumsum(new) - 1]

    log = DetectionLog(frames=frames, boxes=boxes[rows], sequence=part.copy())
    sequences = [
        _sequence(log, looks.scores[rows], members, int(shots[members[0]]))
        for members in members_of(part, len(firsts))
    ]
    built = Built(sequences, log, timeline.shot_starts)
    return Tracks(built, part, identity, looks.similarity[rows], interval)


def members_of(group: Ints, count: int) -> list[NDArray[np.intp]]:
    """The rows of each of `count` groups, given the group of each row; in order."""
    order = np.argsort(group, kind="stable")
    ends = np.searchsorted(group[order], np.arange(count), side="right")
    return np.split(order, ends)[:count]


def _interval(frames: Ints) -> int:
    steps = np.diff(np.unique(frames))
    return int(np.median(steps)) if len(steps) else 1


def _identities(index: Longs, milliseconds: Longs) -> Longs:
    """Numbers from 0 of the people; a second face of an index at the same time is a second one."""
    order = np.lexsort((milliseconds, index))
    new = np.ones(len(order), np.bool_)
    new[1:] = (np.diff(index[order]) != 0) | (np.diff(milliseconds[order]) != 0)
    starts = np.flatnonzero(new)
    double = np.empty(len(order), np.int64)
    double[order] = np.arange(len(order)) - starts[np.cumsum(new) - 1]
    both = np.stack([double, index], axis=1)
    return np.unique(both, axis=0, return_inverse=True)[1].reshape(-1).astype(np.int64)


def _sequence(
    log: DetectionLog, scores: Floats, members: NDArray[np.intp], shot: int
) -> FaceSequence:
    """A frame shown for long may have been looked at several times: its box is around all."""
    frames = log.frames[members]
    first = np.flatnonzero(np.diff(frames, prepend=-1))
    low, high = (f.reduceat(log.boxes[members], first) for f in (np.minimum, np.maximum))
    return FaceSequence(
        frames=frames[first],
        boxes=np.concatenate([low[:, :2], high[:, 2:]], axis=1),
        scores=np.maximum.reduceat(scores[members], first),
        provenance=np.full(len(first), Provenance.DETECTED, np.uint8),
        shot=shot,
    )
