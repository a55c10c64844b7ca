"""Which facial sequences share a frame, and so are two people ("cannot-link")."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from faceveil.faces import FaceSequence, Ints, Provenance


def overlapping_pairs(sequences: Sequence[FaceSequence]) -> Ints:
    """Return int32 [m, 2]: the pairs of sequences (indices i < j) that share a frame.

    Extended boxes do not count: the extension of one sequence may reach over the start of the next
    one of the same face.
    """
    seen = [sequence.frames[sequence.provenance != Provenance.EXTENDED] for sequence in sequences]
    index = np.array([i for i, frames in enumerate(seen) if len(frames)], np.int32)
    if not len(index):
        return np.zeros((0, 2), np.int32)
    first = np.array([seen[i][0] for i in index])
    last = np.array([seen[i][-1] for i in index])
    unbroken = last - first + 1 == np.array([len(seen[i]) for i in index])

    # In order of their first frames, a sequence overlaps those after it that start before it ends.
    order = np.argsort(first, kind="stable")
    index, first, last, unbroken = index[order], first[order], last[order], unbroken[order]
    end = np.searchsorted(first, last, side="right")
    count = end - np.arange(len(index)) - 1
    a = np.repeat(np.arange(len(index)), count)
    b = np.arange(len(a)) - np.repeat(np.cumsum(count) - count, count) + a + 1

    shared = unbroken[a] & unbroken[b]
    for k in np.flatnonzero(~shared):
        frames, others = seen[index[a[k]]], seen[index[b[k]]]
        shared[k] = np.isin(frames, others, assume_unique=True).any()
    pairs: Ints = np.stack([index[a[shared]], index[b[shared]]], axis=1)
    return np.sort(pairs, axis=1)
