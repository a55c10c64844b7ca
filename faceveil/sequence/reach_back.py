"""Sequences continued backwards by faces with a low score."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from faceveil.boxes import iou
from faceveil.faces import FaceSequence, Provenance
from faceveil.sequence.follow.build import LooseFaces
from faceveil.sequence.match import LOW_SCORE_IOU
from faceveil.sequence.support import STEADY_GAP, STEADY_SCORE


def reach_back(sequences: Sequence[FaceSequence], loose: LooseFaces) -> list[FaceSequence]:
    """Add the faces with a low score that lead up to the beginning of sequences.

    A face that comes into view, turns towards the camera or is lit at last has a low score in the
    frames before the first that counts. Following goes forwards and cannot know whose they are.

    Parameters
    ----------
    sequences : sequence of FaceSequence
    loose : LooseFaces
        The faces that continue no sequence. Each is added to at most one.

    Returns
    -------
    list of FaceSequence
        In the same order; the new boxes come first and have provenance LOW_SCORE.

    Notes
    -----
    Only steady low scores count (`support.STEADY_SCORE`, `STEADY_GAP`), each in the place of the
    next (IoU of 0.3).
    """
    order = np.flatnonzero(loose.scores >= np.float32(STEADY_SCORE))
    steady = LooseFaces(
        loose.frames[order], loose.shots[order], loose.boxes[order], loose.scores[order]
    )
    free = np.ones(len(order), bool)
    return [_with(sequence, steady, _leading(sequence, steady, free)) for sequence in sequences]


def _leading(sequence: FaceSequence, loose: LooseFaces, free: NDArray[np.bool_]) -> list[int]:
    """The rows of the faces that lead up to a sequence, the last first; they are free no more."""
    rows: list[int] = []
    box, frame = sequence.boxes[0], sequence.first
    while True:
        low, high = np.searchsorted(loose.frames, [frame - STEADY_GAP, frame])
        near = np.arange(low, high)
        near = near[free[low:high] & (loose.shots[low:high] == sequence.shot)]
        overlap = iou(loose.boxes[near], box)
        near, overlap = near[overlap >= LOW_SCORE_IOU], overlap[overlap >= LOW_SCORE_IOU]
        if not len(near):
            return rows
        row = int(near[np.lexsort((overlap, loose.frames[near]))[-1]])
        free[row] = False
        rows.append(row)
        box, frame = loose.boxes[row], int(loose.frames[row])


def _with(sequence: FaceSequence, loose: LooseFaces, leading: list[int]) -> FaceSequence:
    if not leading:
        return sequence
    rows = np.array(leading[::-1])
    low = np.full(len(rows), Provenance.LOW_SCORE, np.uint8)
    return replace(
        sequence,
        frames=np.concatenate([loose.frames[rows], sequence.frames]),
        boxes=np.concatenate([loose.boxes[rows], sequence.boxes]),
        scores=np.concatenate([loose.scores[rows], sequence.scores]),
        provenance=np.concatenate([low, sequence.provenance]),
    )
