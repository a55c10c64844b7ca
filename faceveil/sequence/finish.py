"""The finishing steps: sequences are absorbed, reach back, are joined, pruned, tracked, filled,
extended, trimmed and smoothed, in this order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from faceveil.faces import DetectionLog, FaceSequence, Ints
from faceveil.sequence.absorb import absorb
from faceveil.sequence.extend import extend
from faceveil.sequence.follow.build import Built
from faceveil.sequence.interpolate import interpolate
from faceveil.sequence.join import join
from faceveil.sequence.match import Distance, distance_by_name
from faceveil.sequence.options import SequenceOptions
from faceveil.sequence.prune import prune
from faceveil.sequence.reach_back import reach_back
from faceveil.sequence.rts import RTS, fill_and_smooth
from faceveil.sequence.smooth import smooth
from faceveil.sequence.support import reach, within
from faceveil.sequence.trim import trim

Track = Callable[[Sequence[FaceSequence], Ints, Ints], list[FaceSequence]]
"""Sequences, the first frames of the shots and how far each sequence may be followed (int32 [n, 2],
first and last frame) in; the sequences with more boxes out."""


def finish_sequences(
    built: Built,
    options: SequenceOptions,
    frame_count: int,
    width: int,
    height: int,
    *,
    distance: Distance | None = None,
    track: Track | None = None,
    analysed: NDArray[np.bool_] | None = None,
) -> tuple[list[FaceSequence], DetectionLog]:
    """Finish the sequences that following built.

    Parameters
    ----------
    built : Built
    options : SequenceOptions
    frame_count : int
        Bounds the last shot.
    width, height : int
        Size of the picture in pixels.
    distance : Distance, optional
        Replaces the distance named in the options; give `SequenceBuilder` the same.
    track : callable, optional
        Adds boxes in gaps and at ends by following pixels. Where it adds none, boxes are computed
        from the others.
    analysed : ndarray of bool [frame_count], optional
        The frames in which faces were detected, by default all.

    Returns
    -------
    sequences : list of FaceSequence
    detections : DetectionLog
        With the indices of these sequences.
    """
    distance = distance or distance_by_name(options.distance)
    until = None if analysed is None else np.cumsum(analysed, dtype=np.int64)
    sequences, absorbed = absorb(built.sequences)
    sequences = reach_back(sequences, built.loose)
    sequences, joined = join(
        sequences,
        options.join_gap,
        distance,
        always=options.max_gap,
        reaches=_reaches(sequences, until),
    )
    sequences, pruned = prune(sequences, options.min_length, options.prune_detected)
    reaches = _reaches(sequences, until)
    sequences = [
        within(sequence, first, last)
        for sequence, (first, last) in zip(sequences, reaches.tolist(), strict=True)
    ]
    if track is not None:
        sequences = track(sequences, built.shot_starts, reaches)
    last_of_shot = np.append(built.shot_starts[1:], frame_count) - 1
    extended = []
    for sequence, (first, last) in zip(sequences, reaches.tolist(), strict=True):
        start, end = int(built.shot_starts[sequence.shot]), int(last_of_shot[sequence.shot])
        filled = _filled(sequence, options)
        bounds = max(start, first), min(end, last)
        extended.append(extend(filled, *bounds, width, height, frames=options.extension))
    finished = [_smoothed(sequence, options) for sequence in trim(extended)]
    return finished, _renumbered(built.detections, absorbed, joined, pruned)


def _reaches(sequences: Sequence[FaceSequence], analysed_until: NDArray[np.int64] | None) -> Ints:
    """How far each sequence may be followed: its first and last frame, int32 [n, 2]."""
    pairs = [reach(sequence, analysed_until) for sequence in sequences]
    return np.array(pairs, np.int32).reshape(-1, 2)


def _filled(sequence: FaceSequence, options: SequenceOptions) -> FaceSequence:
    if options.smoothing == RTS:
        return fill_and_smooth(sequence, options.smoothing_window)
    return interpolate(sequence, options.interpolation)


def _smoothed(sequence: FaceSequence, options: SequenceOptions) -> FaceSequence:
    if options.smoothing in ("none", RTS):
        return sequence
    return smooth(sequence, options.smoothing, options.smoothing_window)


def _renumbered(log: DetectionLog, *became: Ints) -> DetectionLog:
    sequence = log.sequence
    if len(log):
        for numbers in became:
            sequence = numbers[sequence]
    return replace(log, sequence=sequence)
