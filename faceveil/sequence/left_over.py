"""Detections with a low score that became part of no sequence."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from faceveil.boxes import share_of_smaller
from faceveil.faces import FaceSequence, Provenance
from faceveil.leftovers import Leftovers
from faceveil.sequence.follow.build import Built

SAME_PLACE = 0.3
"""Overlap, as a share of the smaller box, from which a box is on the face of another."""


def left_over(built: Sequence[Built], sequences: Sequence[FaceSequence]) -> Leftovers:
    """Return the low-scoring detections that no finished sequence covers in their frame.

    Parameters
    ----------
    built : sequence of Built
        What following built of each kind. A detection may have continued a sequence there and have
        been cut off later, because the sequence had not earned to reach so far.
    sequences : sequence of FaceSequence
        After the finishing steps.
    """
    low = [item.loose for item in built]
    frames = [item.frames for item in low]
    boxes, scores = [item.boxes for item in low], [item.scores for item in low]
    for sequence in (sequence for item in built for sequence in item.sequences):
        rows = sequence.provenance == Provenance.LOW_SCORE
        frames.append(sequence.frames[rows])
        boxes.append(sequence.boxes[rows])
        scores.append(sequence.scores[rows])
    found = Leftovers(np.concatenate(frames), np.concatenate(boxes), np.concatenate(scores))
    found = found.select(np.argsort(found.frames, kind="stable"))
    covered = np.zeros(len(found), bool)
    for sequence in sequences:
        start, stop = np.searchsorted(found.frames, [sequence.first, sequence.last + 1])
        near = np.arange(start, stop)
        at = np.searchsorted(sequence.frames, found.frames[near])
        present = sequence.frames[at] == found.frames[near]
        near, at = near[present], at[present]
        on_it = share_of_smaller(found.boxes[near], sequence.boxes[at]) >= SAME_PLACE
        covered[near[on_it]] = True
    return found.select(~covered).strongest()
