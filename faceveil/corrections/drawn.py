"""Boxes drawn by a person, with what following made of them, as columns without gaps."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from faceveil.boxes import sides
from faceveil.corrections.entries import BoxAt, Track
from faceveil.faces import FaceSequence, Floats, Ints, Provenance
from faceveil.sequence.interpolate import interpolate


def drawn_boxes(
    keyframes: tuple[BoxAt, ...],
    tracked: Track | None,
    first: int | None,
    last: int | None,
    frame_count: int,
) -> FaceSequence | None:
    """Return a box on every frame from `first` to `last`, or as far as there are boxes.

    Parameters
    ----------
    keyframes : tuple of BoxAt
        The boxes that were drawn; they win over those that were followed.
    tracked : Track, optional
    first, last : int, optional
        Both ends, included.
    frame_count : int
        Of the video: what lies beyond is left out.

    Returns
    -------
    FaceSequence, optional
        Of provenance MANUAL and TRACKED. Gaps are interpolated, and beyond the boxes there are the
        nearest one is held, so that a drawn veil never has a hole. None where nothing of it lies
        in the video.
    """
    frames = [item.frame for item in keyframes]
    boxes = [item.box for item in keyframes]
    drawn = FaceSequence(
        np.array(frames, np.int32),
        np.array(boxes, np.float32).reshape(-1, 4),
        np.zeros(len(frames), np.float32),
        np.full(len(frames), Provenance.MANUAL, np.uint8),
    )
    order = np.unique(drawn.frames[::-1], return_index=True)[1]  # of two in one frame the later
    sequence = rows_of(drawn, len(frames) - 1 - order)
    if tracked is not None:
        new = ~np.isin(tracked.frames, sequence.frames) & (sides(tracked.boxes) > 0).all(axis=1)
        sequence = sequence.with_boxes(tracked.frames[new], tracked.boxes[new], Provenance.TRACKED)
    low = sequence.first if first is None else first
    high = min(sequence.last if last is None else last, frame_count - 1)
    if low > high:
        return None
    sequence = _reaching(interpolate(_plausible(sequence, frame_count)), low, high)
    filled = sequence.provenance == Provenance.INTERPOLATED
    origins = np.where(filled, Provenance.TRACKED, sequence.provenance).astype(np.uint8)
    inside = (sequence.frames >= low) & (sequence.frames <= high)
    return rows_of(replace(sequence, provenance=origins), np.flatnonzero(inside))


def _plausible(sequence: FaceSequence, frame_count: int) -> FaceSequence:
    """Without boxes beyond the video, unless there are no others."""
    rows = np.flatnonzero(sequence.frames < frame_count)
    return rows_of(sequence, rows) if len(rows) else rows_of(sequence, np.array([0]))


def _reaching(sequence: FaceSequence, first: int, last: int) -> FaceSequence:
    """With the boxes at its ends held until `first` and `last`."""
    before = np.arange(first, sequence.first, dtype=np.int32)
    after = np.arange(sequence.last + 1, last + 1, dtype=np.int32)
    nearest = np.repeat([0, len(sequence) - 1], [len(before), len(after)])
    return sequence.with_boxes(
        np.concatenate([before, after]), sequence.boxes[nearest], Provenance.TRACKED
    )


def rows_of(sequence: FaceSequence, rows: NDArray[np.intp]) -> FaceSequence:
    """Return a sequence with some of its boxes, and the samples of features in their frames."""
    frames: Ints = sequence.frames[rows]
    boxes: Floats = sequence.boxes[rows]
    samples = np.isin(sequence.feature_frames, frames)
    return replace(
        sequence,
        frames=frames,
        boxes=boxes,
        scores=sequence.scores[rows],
        provenance=sequence.provenance[rows],
        feature_frames=sequence.feature_frames[samples],
        feature_quality=sequence.feature_quality[samples],
        features=sequence.features[samples],
    )
