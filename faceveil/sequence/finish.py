"""The finishing steps: sequences are absorbed, joined, pruned, tracked, filled, extended, trimmed
and smoothed, in this order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import compress

import numpy as np

from faceveil.faces import DetectionLog, FaceSequence, Ints
from faceveil.sequence.absorb import absorb
from faceveil.sequence.doubt import is_doubtful
from faceveil.sequence.extend import extend
from faceveil.sequence.follow.build import Built
from faceveil.sequence.interpolate import interpolate
from faceveil.sequence.join import join
from faceveil.sequence.match import Distance, distance_by_name
from faceveil.sequence.options import SequenceOptions
from faceveil.sequence.prune import prune
from faceveil.sequence.rts import RTS, fill_and_smooth
from faceveil.sequence.smooth import smooth
from faceveil.sequence.trim import trim

Track = Callable[[Sequence[FaceSequence], Ints], list[FaceSequence]]
"""Sequences and the first frames of the shots in; the sequences with more boxes out."""


def finish_sequences(
    built: Built,
    options: SequenceOptions,
    frame_count: int,
    width: int,
    height: int,
    *,
    distance: Distance | None = None,
    track: Track | None = None,
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

    Returns
    -------
    sequences : list of FaceSequence
    detections : DetectionLog
        With the indices of these sequences.
    """
    distance = distance or distance_by_name(options.distance)
    sequences, absorbed = absorb(built.sequences)
    sequences, joined = join(sequences, options.join_gap, distance)
    sequences, pruned = prune(sequences, options.min_length, options.prune_detected)
    certain = [not is_doubtful(sequence) for sequence in sequences]
    if track is not None:
        tracked = iter(track(list(compress(sequences, certain)), built.shot_starts))
        sequences = [
            next(tracked) if is_certain else sequence
            for sequence, is_certain in zip(sequences, certain, strict=True)
        ]
    last_of_shot = np.append(built.shot_starts[1:], frame_count) - 1
    extended = []
    for sequence, is_certain in zip(sequences, certain, strict=True):
        bounds = int(built.shot_starts[sequence.shot]), int(last_of_shot[sequence.shot])
        filled = _filled(sequence, options)
        frames = options.extension if is_certain else 0
        extended.append(extend(filled, *bounds, width, height, frames=frames))
    finished = [_smoothed(sequence, options) for sequence in trim(extended)]
    return finished, _renumbered(built.detections, absorbed, joined, pruned)


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
