"""The ends of sequences and the gaps in them, followed by pixels in a second pass of the video."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from faceveil.boxes import from_curves, iou, to_curves
from faceveil.errors import UsageError
from faceveil.faces import FaceSequence, Floats, Image, Ints, Provenance
from faceveil.parallel import ordered_map
from faceveil.tracking.median_flow import follow_box

FRAMES_WITHOUT_RATE = 25
MOST_FRAMES = 125
"""The pictures of so many frames are held in memory: half a megabyte each."""
HEIGHT = 540
ARRIVED_IOU = 0.3
TOGETHER_IOU = 0.3

Pictures = Callable[[NDArray[np.bool_]], Iterable[tuple[int, Image]]]
"""Frame numbers and grey pictures uint8 [H, W], in order, of the frames of a mask bool [n]."""

Follow = Callable[[Sequence[Image], Floats], Floats]
"""Grey pictures and a box float32 [4] of the first in; the boxes [k, 4] in those after it out."""


@dataclass(frozen=True, slots=True)
class TrackOptions:
    """How far faces are followed by their pixels.

    Attributes
    ----------
    seconds : float
        How far from each end of a sequence at most, and into gaps from both sides; up to 10. How
        much of it a sequence has earned, `sequence.support` says.
    least_gap : int
        Gaps of fewer missing frames are left to interpolation.

    Raises
    ------
    UsageError
        For values out of range.
    """

    seconds: float = 5.0
    least_gap: int = 3

    def __post_init__(self) -> None:
        if not 0 < self.seconds <= 10:
            raise UsageError(
                f"tracking must last more than 0 and at most 10 seconds, not {self.seconds}"
            )
        if self.least_gap < 1:
            raise UsageError(f"least_gap must be 1 or more, not {self.least_gap}")

    def frames(self, rate: Fraction | float | None) -> int:
        """Return `seconds` in frames at a frame rate, at most `MOST_FRAMES`."""
        frames = round(self.seconds * rate) if rate else FRAMES_WITHOUT_RATE
        return min(max(frames, 1), MOST_FRAMES)


@dataclass(frozen=True, slots=True)
class _Job:
    """Follow one box for `count` frames, forwards (direction 1) or backwards (-1)."""

    sequence: int
    frame: int
    direction: int
    count: int

    @property
    def ready(self) -> int:
        """The frame with which all pictures of the job have been read."""
        return self.frame + max(self.direction * self.count, 0)


def track_sequences(
    sequences: Sequence[FaceSequence],
    shot_starts: Ints,
    frame_count: int,
    pictures: Pictures,
    size: tuple[int, int],
    options: TrackOptions | None = None,
    *,
    rate: Fraction | float | None = None,
    analysed: NDArray[np.bool_] | None = None,
    reaches: Ints | None = None,
    workers: int = 2,
    follow: Follow = follow_box,
) -> list[FaceSequence]:
    """Add boxes to sequences where their pixels can be followed.

    Parameters
    ----------
    sequences : sequence of FaceSequence
    shot_starts : ndarray of int32 [s]
        The first frame of each shot.
    frame_count : int
        Bounds the last shot.
    pictures : callable
        Yields the frame numbers and grey pictures of the frames of a mask, in order. They are read
        once and held for as many frames as the longest track.
    size : (int, int)
        Width and height of the frames; the pictures may be smaller (`shrink_factor`).
    options : TrackOptions, optional
    rate : Fraction or float, optional
        Frames per second.
    analysed : ndarray of bool [frame_count], optional
        The frames in which faces were detected, by default all. Where no frame between two boxes
        was analysed there is no gap.
    reaches : ndarray of int32 [n, 2], optional
        The first and the last frame up to which each sequence is followed at its ends; by default
        as far as the options allow.
    workers : int
        Number of threads.
    follow : callable
        Follows one box; a live stream remembers what it followed before.

    Returns
    -------
    list of FaceSequence
        With boxes added at both ends within the shot (provenance EXTENDED) and in gaps
        (INTERPOLATED).

    Notes
    -----
    Through a gap, tracks from both sides are blended where they meet. Only the first half counts of
    a track that does not arrive at the box on the other side.
    """
    options = options or TrackOptions()
    reach = options.frames(rate)
    jobs = list(
        _jobs(sequences, shot_starts, frame_count, reach, options.least_gap, analysed, reaches)
    )
    if not jobs:
        return list(sequences)
    found: dict[tuple[int, int, int], Floats] = {}
    ready = _with_pictures(jobs, frame_count, pictures)

    def run(work: tuple[_Job, list[Image]]) -> tuple[_Job, Floats]:
        job, seen = work
        return job, _follow(sequences[job.sequence], job, seen, size, follow)

    for job, boxes in ordered_map(run, ready, workers):
        found[job.sequence, job.frame, job.direction] = boxes
    return [_added(sequence, index, found) for index, sequence in enumerate(sequences)]


def shrink_factor(height: int) -> int:
    """Return the whole factor by which pictures of this height shrink to about 540 lines."""
    return max(1, round(height / HEIGHT))


def _jobs(
    sequences: Sequence[FaceSequence],
    shot_starts: Ints,
    frame_count: int,
    reach: int,
    least_gap: int,
    analysed: NDArray[np.bool_] | None,
    reaches: Ints | None = None,
) -> Iterator[_Job]:
    ends = np.append(shot_starts[1:], frame_count) - 1
    count_until = np.cumsum(np.ones(frame_count, bool) if analysed is None else analysed)
    for index, sequence in enumerate(sequences):
        first, last = int(shot_starts[sequence.shot]), int(ends[sequence.shot])
        if reaches is not None:
            first, last = max(first, int(reaches[index, 0])), min(last, int(reaches[index, 1]))
        back, ahead = min(reach, sequence.first - first), min(reach, last - sequence.last)
        if back > 0:
            yield _Job(index, sequence.first, -1, back)
        if ahead > 0:
            yield _Job(index, sequence.last, 1, ahead)
        for at in np.flatnonzero(np.diff(sequence.frames) > least_gap).tolist():
            left, right = int(sequence.frames[at]), int(sequence.frames[at + 1])
            if count_until[right - 1] > count_until[left]:
                count = min(reach, right - left)
                yield _Job(index, left, 1, count)
                yield _Job(index, right, -1, count)


def _with_pictures(
    jobs: list[_Job], frame_count: int, pictures: Pictures
) -> Iterator[tuple[_Job, list[Image]]]:
    """Each job with its pictures, the one of its box first, as soon as all have been read."""
    wanted = np.zeros(frame_count + 1, np.int32)
    for job in jobs:
        wanted[job.ready - job.count] += 1
        wanted[job.ready + 1] -= 1
    waiting = deque(sorted(jobs, key=lambda job: job.ready))
    held: deque[tuple[int, Image]] = deque(maxlen=max(job.count for job in jobs) + 1)
    for number, picture in pictures(np.cumsum(wanted)[:-1] > 0):
        held.append((number, picture))
        while waiting and waiting[0].ready <= number:
            job = waiting.popleft()
            span = [one for one in held if 0 <= job.ready - one[0] <= job.count]
            span.sort(key=lambda one: job.direction * one[0])
            # a frame that could not be read ends the track
            numbers = [job.frame + job.direction * step for step in range(len(span))]
            whole = [one for one, expected in zip(span, numbers, strict=True) if one[0] == expected]
            yield job, [image for _, image in whole]


def _follow(
    sequence: FaceSequence,
    job: _Job,
    pictures: list[Image],
    size: tuple[int, int],
    follow: Follow,
) -> Floats:
    box = sequence.box_at(job.frame)
    if box is None or not pictures:
        return np.zeros((0, 4), np.float32)
    height, width = pictures[0].shape
    scale = np.array([width / size[0], height / size[1]] * 2, np.float32)
    return np.asarray(follow(pictures, box * scale) / scale, np.float32)


def _added(
    sequence: FaceSequence, index: int, found: dict[tuple[int, int, int], Floats]
) -> FaceSequence:
    nothing = np.zeros((0, 4), np.float32)
    result = sequence
    for left, right in zip(
        sequence.frames[:-1].tolist(), sequence.frames[1:].tolist(), strict=True
    ):
        ahead, back = found.get((index, left, 1)), found.get((index, right, -1))
        if ahead is not None and back is not None:
            row = int(np.searchsorted(sequence.frames, left))
            frames, boxes = bridge(
                left, right, ahead, back, sequence.boxes[row], sequence.boxes[row + 1]
            )
            result = result.with_boxes(frames, boxes, Provenance.INTERPOLATED)
    before = found.get((index, sequence.first, -1), nothing)
    after = found.get((index, sequence.last, 1), nothing)
    frames = np.concatenate(
        [
            np.arange(sequence.first - len(before), sequence.first),
            np.arange(sequence.last + 1, sequence.last + 1 + len(after)),
        ]
    ).astype(np.int32)
    return result.with_boxes(frames, np.concatenate([before[::-1], after]), Provenance.EXTENDED)


def bridge(
    left: int, right: int, ahead: Floats, back: Floats, left_box: Floats, right_box: Floats
) -> tuple[Ints, Floats]:
    """Return frames and boxes between two known boxes, from tracks that start at each of them.

    Parameters
    ----------
    left, right : int
        The frames of the known boxes.
    ahead, back : ndarray of float32 [k, 4]
        The tracks, in the order in which they were followed; each ends where it was lost.
    left_box, right_box : ndarray of float32 [4]

    Returns
    -------
    frames : ndarray of int32 [m]
    boxes : ndarray of float32 [m, 4]
        Blended where the tracks agree, else of the nearer end; only one track's where the other
        was lost, none where both were.
    """
    span = right - left
    ahead, back = _arrived(ahead, span, right_box), _arrived(back, span, left_box)[::-1]
    forward = np.full((span - 1, 4), np.nan, np.float32)
    backward = forward.copy()
    forward[: len(ahead)] = ahead
    backward[span - 1 - len(back) :] = back
    share = np.arange(1, span, dtype=np.float32)[:, None] / span
    blended = from_curves((1 - share) * to_curves(forward) + share * to_curves(backward))
    nearer = np.where(share < 0.5, forward, backward)
    together = iou(forward, backward)[:, None] >= TOGETHER_IOU
    boxes = np.where(together, blended, nearer)
    boxes = np.where(np.isnan(backward), forward, np.where(np.isnan(forward), backward, boxes))
    known = ~np.isnan(boxes).any(axis=1)
    return np.arange(left + 1, right, dtype=np.int32)[known], boxes[known]


def _arrived(track: Floats, span: int, goal: Floats) -> Floats:
    """The boxes of a track before the other side; only half of them where it does not arrive."""
    if len(track) < span:
        return track
    return track[: span - 1 if iou(track[span - 1], goal) >= ARRIVED_IOU else span // 2]
