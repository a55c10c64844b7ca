"""Extensions end where a detected face explains what is there."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from faceveil.boxes import share_of_smaller, sizes
from faceveil.faces import FaceSequence, Floats, Ints, Provenance
from faceveil.sequence.doubt import is_doubtful
from faceveil.sequence.support import within

SHARED_PART = 0.6
"""How much of the smaller box must lie in the other for both to be around one face."""
MOST_TIMES_LARGER = 3.0
"""The largest ratio of the areas of two boxes around one face."""


def trim(sequences: Sequence[FaceSequence]) -> list[FaceSequence]:
    """Cut off extended boxes from where they meet a detected box of another sequence.

    A face detected in a single frame (half hidden, say) is extended over the face that was there
    before and after. Where that face was itself detected it has a sequence of its own, which
    decides about it; an extension is only a guess. Detected boxes, and boxes between detected ones,
    are never cut off. What was hardly detected itself (`doubt`) explains nothing: more detections
    must not veil less.
    """
    frames, boxes, owner = _detected(sequences)
    trimmed = []
    for index, sequence in enumerate(sequences):
        seen = np.flatnonzero(sequence.provenance != Provenance.EXTENDED)
        first, last = (int(seen[0]), int(seen[-1])) if len(seen) else (0, len(sequence) - 1)
        guessed = sequence.provenance == Provenance.EXTENDED
        met = np.zeros(len(sequence), bool)
        for row in np.flatnonzero(guessed).tolist():
            low, high = np.searchsorted(frames, [sequence.frames[row], sequence.frames[row] + 1])
            others = boxes[low:high][owner[low:high] != index]
            met[row] = _same_face(sequence.boxes[row], others).any()
        start = int(np.flatnonzero(met[:first]).max(initial=-1)) + 1
        stop = last + 1 + int(np.append(np.flatnonzero(met[last + 1 :]), len(met) - last - 1)[0])
        left = sequence.frames[start:stop]
        trimmed.append(within(sequence, int(left[0]), int(left[-1])))
    return trimmed


def _detected(sequences: Sequence[FaceSequence]) -> tuple[Ints, Floats, Ints]:
    """Detected boxes of sequences beyond doubt, sorted by frame: frames, boxes, sequence."""
    picked = [
        (sequence.provenance == Provenance.DETECTED) & (not is_doubtful(sequence))
        for sequence in sequences
    ]
    pairs = list(zip(sequences, picked, strict=True))
    frames = np.concatenate([np.zeros(0, np.int32), *(s.frames[mask] for s, mask in pairs)])
    boxes = np.concatenate([np.zeros((0, 4), np.float32), *(s.boxes[mask] for s, mask in pairs)])
    counts = [int(mask.sum()) for mask in picked]
    owner = np.repeat(np.arange(len(sequences), dtype=np.int32), counts)
    order = np.argsort(frames, kind="stable")
    return frames[order], boxes[order], owner[order]


def _same_face(box: Floats, others: Floats) -> NDArray[np.bool_]:
    """bool [n]: which of other boxes [n, 4] are around the face of a box [4]."""
    ratio = sizes(box) / sizes(others)
    alike = np.maximum(ratio, 1 / ratio) <= np.sqrt(MOST_TIMES_LARGER)
    return np.asarray(alike & (share_of_smaller(box, others) >= SHARED_PART))
