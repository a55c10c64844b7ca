"""The mean feature of a face: what clustering and selection compare.

Only trustworthy samples count: a feature was computed, the face was large enough for the
recogniser, and the detector saw it clearly. Features of small, dark and blurred faces all resemble
each other, whoever they are. A similarity is the cosine of two mean features, from -1 to 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from faceveil.boxes import sides
from faceveil.errors import InputError
from faceveil.faces import FaceSequence, Floats

MIN_FACE_SIZE = 24.0
"""Shorter side of a box in pixels, below which a feature is not trusted (DESIGN section 6)."""

CLEAR_SCORE = 0.85
"""Detector's score below which a feature is not trusted, whatever the score to accept a face."""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Templates:
    """Quality-weighted sums of features, as columns.

    sums float32 [n, D], weights float32 [n]; a weight of 0 means that nothing trustworthy was
    seen. Features never appear in its repr (DESIGN policy 6).
    """

    sums: Floats
    weights: Floats

    @property
    def known(self) -> NDArray[np.bool_]:
        """bool [n]: which rows hold at least one trustworthy sample."""
        return self.weights > 0

    @property
    def means(self) -> Floats:
        """float32 [n, D]: the product of two rows is the average over all pairs of samples."""
        divisor: Floats = np.where(self.known, self.weights, 1).astype(np.float32)
        means: Floats = self.sums / divisor[:, None]
        return means

    @property
    def directions(self) -> Floats:
        """float32 [n, D]: the means, L2-normalised; zeros where nothing is known."""
        return normalise(self.sums)

    def grouped(self, group: NDArray[np.intp], count: int) -> Templates:
        """The templates of `count` groups, given the group of each row (intp [n])."""
        sums = np.zeros((count, self.sums.shape[1]), np.float32)
        np.add.at(sums, group, self.sums)
        weights = np.bincount(group, self.weights, minlength=count).astype(np.float32)
        return Templates(sums, weights)


def normalise(rows: Floats) -> Floats:
    """Rows of float32 [n, D] scaled to length 1; rows of zeros stay zeros."""
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    scaled: Floats = (rows / np.where(lengths > 0, lengths, 1)).astype(np.float32)
    return scaled


def sequence_templates(
    sequences: Sequence[FaceSequence], min_face_size: float = MIN_FACE_SIZE
) -> Templates:
    """One template per sequence, over its trustworthy samples, weighted by their quality.

    Raises InputError when the features have different lengths: then they come from different
    recognisers and cannot be compared.
    """
    sizes = {sequence.features.shape[1] for sequence in sequences if sequence.features.size}
    if len(sizes) > 1:
        raise InputError(
            f"the features of this video have different lengths ({sorted(sizes)}): they were "
            "made by different recognisers; analyse the whole video again with one"
        )
    sums = np.zeros((len(sequences), sizes.pop() if sizes else 0), np.float32)
    weights = np.zeros(len(sequences), np.float32)
    for row, sequence in enumerate(sequences):
        quality = _trusted_quality(sequence, min_face_size)
        if quality.any():
            sums[row] = quality @ sequence.features
            weights[row] = quality.sum()
    return Templates(sums, weights)


def recognisable(sequence: FaceSequence, min_face_size: float) -> NDArray[np.bool_]:
    """bool [n]: the frames where the face was seen large and clearly enough to recognise it."""
    large: NDArray[np.bool_] = sides(sequence.boxes).min(axis=1) >= min_face_size
    return large & (sequence.scores >= np.float32(CLEAR_SCORE))


def _trusted_quality(sequence: FaceSequence, min_face_size: float) -> Floats:
    """float32 [k]: the weight of each sample, 0 where it is not trustworthy."""
    if not sequence.features.size:
        return np.zeros(0, np.float32)
    row = np.searchsorted(sequence.frames, sequence.feature_frames).clip(max=len(sequence) - 1)
    seen = sequence.frames[row] == sequence.feature_frames
    trusted = seen & recognisable(sequence, min_face_size)[row] & sequence.features.any(axis=1)
    quality = np.maximum(sequence.feature_quality, 0)
    if not quality[trusted].any():
        quality = np.ones_like(quality)
    weights: Floats = np.where(trusted, quality, 0).astype(np.float32)
    return weights
