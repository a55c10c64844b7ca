"""A box that a person drew, followed by its pixels both ways until it is lost or its shot ends."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from faceveil.errors import InputError
from faceveil.faces import Floats, Image, Ints
from faceveil.media.frames import FrameSource
from faceveil.media.reduced import grey
from faceveil.media.seeking import FrameReader, open_reader
from faceveil.progress import Progress, QuietProgress, Stage
from faceveil.tracking.median_flow import follow_box
from faceveil.tracking.track import bridge, shrink_factor

_BLOCK = 48
"""Going back, the pictures of so many frames are read at once and held: half a megabyte each."""

Column = tuple[Ints, Floats]
"""Frames int32 [n] and boxes float32 [n, 4]."""


def follow_drawn(
    source: FrameSource,
    shot_starts: Ints,
    frame_count: int,
    frames: Ints,
    boxes: Floats,
    *,
    first: int | None = None,
    last: int | None = None,
    progress: Progress | None = None,
) -> tuple[Ints, Floats]:
    """Follow drawn boxes by their pixels.

    Parameters
    ----------
    source : FrameSource
        The input. Only the frames that are needed are read.
    shot_starts : ndarray of int32 [s]
        The first frame of each shot, which no track leaves.
    frame_count : int
        How many frames the input has.
    frames : ndarray of int32 [n]
        The frames in which a person drew the object, rising.
    boxes : ndarray of float32 [n, 4]
        What was drawn there, in pixels of the upright frame.
    first, last : int, optional
        Ends beyond which nothing is followed, both included.
    progress : Progress, optional
        Told about the stage "follow". What its `advance` raises ends the work: so it is cancelled.

    Returns
    -------
    frames : ndarray of int32 [m]
        Rising; without the frames in which the object was drawn.
    boxes : ndarray of float32 [m, 4]

    Raises
    ------
    InputError
        Where no drawn frame lies in the video, or the source cannot be read by number.

    Notes
    -----
    Before the first and after the last box the object is followed until it is lost, as
    `median_flow` tells that. Between two drawn boxes it is followed from both of them; the tracks
    are blended where they agree, and where one is lost the other counts. Where both are lost there
    is no box.
    """
    low, high = max(first or 0, 0), frame_count - 1 if last is None else min(last, frame_count - 1)
    inside = (frames >= 0) & (frames < frame_count)
    if not inside.any():
        raise InputError(f"the box is drawn beyond the {frame_count} frames of the video")
    frames, boxes = frames[inside], boxes[inside]
    ends = np.append(shot_starts[1:], frame_count)
    shots = np.searchsorted(shot_starts, frames, side="right") - 1
    found: list[Column] = []
    spans = [
        (max(int(shot_starts[shot]), low), min(int(ends[shot]) - 1, high))
        for shot in np.unique(shots).tolist()
    ]
    total = sum(max(stop - start, 0) for start, stop in spans)
    problems = list(source.problems)
    with (progress or QuietProgress()).stage("follow", total) as stage:
        path = _Path(_Pictures(open_reader(source, frame_count), source), stage)
        for shot, (start, stop) in zip(np.unique(shots).tolist(), spans, strict=True):
            rows = np.flatnonzero(shots == shot)
            found += path.through(frames[rows].tolist(), boxes[rows], start, stop)
    source.problems[:] = problems  # not all frames were read this time
    every = np.concatenate([column for column, _ in found])
    order = np.argsort(every, kind="stable")
    tracks = np.concatenate([track for _, track in found])
    return every[order].astype(np.int32), tracks[order].astype(np.float32)


@dataclass(frozen=True, slots=True)
class _Pictures:
    """Grey pictures of a source from any frame on, forwards or backwards."""

    reader: FrameReader
    source: FrameSource

    @property
    def scale(self) -> Floats:
        """What boxes are multiplied by to lie in the pictures, float32 [4]."""
        factor = shrink_factor(self.source.height)
        size = max(1, self.source.width // factor), max(1, self.source.height // factor)
        across, down = size[0] / self.source.width, size[1] / self.source.height
        return np.array([across, down, across, down], np.float32)

    def ahead(self, first: int, last: int) -> Iterator[Image]:
        """The pictures of the frames first to last; a frame that cannot be read ends them."""
        factor = shrink_factor(self.source.height)
        expected = first
        for frame in self.reader.frames_from(first):
            if frame.number != expected or expected > last:
                return
            yield grey(frame, factor)
            expected += 1
            if expected > last:
                return

    def back(self, first: int, last: int) -> Iterator[Image]:
        """The pictures of the frames first to last, the last one first, until one is missing."""
        while last >= first:
            start = max(last - _BLOCK + 1, first)
            block = self._up_to(start, last)
            yield from reversed(block)
            if len(block) <= last - start:
                return
            last = start - 1

    def _up_to(self, first: int, last: int) -> list[Image]:
        """The pictures up to `last` behind the last frame from `first` on that cannot be read."""
        factor = shrink_factor(self.source.height)
        pictures: list[Image] = []
        expected = first
        for frame in self.reader.frames_from(first):
            if frame.number > last:
                break
            if frame.number != expected:
                pictures.clear()
            pictures.append(grey(frame, factor))
            expected = frame.number + 1
            if expected > last:
                return pictures
        return []


@dataclass(frozen=True, slots=True)
class _Path:
    """The way of one object through the pictures."""

    pictures: _Pictures
    stage: Stage

    def through(self, frames: Sequence[int], boxes: Floats, first: int, last: int) -> list[Column]:
        """The boxes of one shot, in pieces: before, between and after the drawn ones."""
        found: list[Column] = [(np.zeros(0, np.int32), np.zeros((0, 4), np.float32))]
        if first < frames[0]:
            before = self._back(frames[0], boxes[0], first)[::-1]
            found.append((np.arange(frames[0] - len(before), frames[0], dtype=np.int32), before))
        for row, (left, right) in enumerate(pairwise(frames)):
            if right > left + 1:
                ahead = self._ahead(left, boxes[row], right)
                back = self._back(right, boxes[row + 1], left)
                found.append(bridge(left, right, ahead, back, boxes[row], boxes[row + 1]))
        if last > frames[-1]:
            after = self._ahead(frames[-1], boxes[-1], last)
            found.append(
                (np.arange(frames[-1] + 1, frames[-1] + 1 + len(after), dtype=np.int32), after)
            )
        return found

    def _ahead(self, frame: int, box: Floats, last: int) -> Floats:
        return self._follow(self.pictures.ahead(frame, last), box)

    def _back(self, frame: int, box: Floats, first: int) -> Floats:
        return self._follow(self.pictures.back(first, frame), box)

    def _follow(self, pictures: Iterator[Image], box: Floats) -> Floats:
        scale = self.pictures.scale
        return np.asarray(follow_box(self._counted(pictures), box * scale) / scale, np.float32)

    def _counted(self, pictures: Iterator[Image]) -> Iterator[Image]:
        for picture in pictures:
            yield picture
            self.stage.advance()
