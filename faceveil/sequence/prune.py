"""Removal of sequences too short to be a face worth following."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from faceveil.boxes import iou
from faceveil.faces import FaceSequence, Floats, Ints, Provenance

SAME_FACE_IOU = 0.5
REMOVED = -1


def prune(
    sequences: Sequence[FaceSequence], min_length: int, prune_detected: bool = False
) -> tuple[list[FaceSequence], Ints]:
    """Remove short sequences that uncover no detected face ("coverage").

    Parameters
    ----------
    sequences : sequence of FaceSequence [n]
    min_length : int
        Sequences that span fewer frames are short.
    prune_detected : bool
        Remove every short sequence, as the thesis does; its detections then belong to none.

    Returns
    -------
    left : list of FaceSequence
    became : ndarray of int32 [n]
        For each given sequence the index of the one that now stands for it, or -1.

    Notes
    -----
    A short sequence with detected faces is removed only if one longer sequence covers all of them
    (contains each box, IoU of 0.5 or more): it was a second box of that face, which now stands for
    it. Every other detected face stays, however short its sequence.
    """
    first = np.array([sequence.first for sequence in sequences], np.int64)
    last = np.array([sequence.last for sequence in sequences], np.int64)
    short = last - first + 1 < min_length
    stands_in = np.arange(len(sequences))
    for i in np.flatnonzero(short).tolist():
        around = np.flatnonzero(~short & (first <= first[i]) & (last >= last[i])).tolist()
        cover = _covered_by(sequences[i], sequences, around)
        if cover is not None:
            stands_in[i] = cover
        elif prune_detected or not _detected(sequences[i]).any():
            stands_in[i] = REMOVED
    kept = np.flatnonzero(stands_in == np.arange(len(sequences)))
    became = np.full(len(sequences) + 1, REMOVED, np.int32)
    became[kept] = np.arange(len(kept))
    return [sequences[i] for i in kept.tolist()], became[stands_in]


def _detected(sequence: FaceSequence) -> NDArray[np.bool_]:
    return np.asarray(sequence.provenance == Provenance.DETECTED)


def _covered_by(
    sequence: FaceSequence, sequences: Sequence[FaceSequence], among: list[int]
) -> int | None:
    """The first sequence that has a similar box wherever this one was detected."""
    frames, boxes = sequence.frames[_detected(sequence)], sequence.boxes[_detected(sequence)]
    if not len(frames):
        return None
    return next((i for i in among if _covers(sequences[i], frames, boxes)), None)


def _covers(other: FaceSequence, frames: Ints, boxes: Floats) -> bool:
    index = np.searchsorted(other.frames, frames)
    if not np.array_equal(other.frames[index], frames):
        return False
    cover = other.boxes[index]
    inside = (cover[:, :2] <= boxes[:, :2]).all() and (cover[:, 2:] >= boxes[:, 2:]).all()
    return bool(inside and (iou(cover, boxes) >= SAME_FACE_IOU).all())
