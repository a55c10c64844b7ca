"""The mean feature of a face: what clustering and selection compare.

Only trusted samples count: those of a face that was large enough for the recogniser and detected
with a clear score. Features of small, dark and blurred faces are similar to each other even where
the people differ. A similarity is the cosine of two mean features, from -1 to 1.
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
"""Shorter side of a box in pixels below which a feature is not trusted."""

CLEAR_SCORE = 0.85
"""Score below which a feature is not trusted, whatever score the detector accepts a face at."""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Templates:
    """Quality-weighted sums of features, as columns.

    Features never appear in the repr.

    Attributes
    ----------
    sums : ndarray of float32 [n, D]
    weights : ndarray of float32 [n]
        0 where there was no trusted sample.
    """

    sums: Floats
    weights: Floats

    @property
    def known(self) -> NDArray[np.bool_]:
        """bool [n]: which rows have at least one trusted sample."""
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
        """Return the templates of `count` groups, given the group of each row, intp [n]."""
        sums = np.zeros((count, self.sums.shape[1]), np.float32)
        np.add.at(sums, group, self.sums)
        weights = np.bincount(group, self.weights, minlength=count).astype(np.float32)
        return Templates(sums, weights)


def normalise(rows: Floats) -> Floats:
    """Return the rows of float32 [n, D] scaled to length 1; rows of zeros stay zeros."""
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    scaled: Floats = (rows / np.where(lengths > 0, lengths, 1)).astype(np.float32)
    return scaled


def sequence_templates(
    sequences: Sequence[FaceSequence], min_face_size: float = MIN_FACE_SIZE
) -> Templates:
    """Return one template a sequence: its trusted samples, weighted by their quality.

    Parameters
    ----------
    sequences : sequence of FaceSequence [n]
    min_face_size : float
        Samples of faces with a shorter side, in pixels, are not trusted.

    Raises
    ------
    InputError
        When features have different lengths: they come from different recognisers and cannot be
        compared.
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
    """bool [n]: the frames in which the face is large and clear enough to be recognised."""
    large: NDArray[np.bool_] = sides(sequence.boxes).min(axis=1) >= min_face_size
    return large & (sequence.scores >= np.float32(CLEAR_SCORE))


def _trusted_quality(sequence: FaceSequence, min_face_size: float) -> Floats:
    """float32 [k]: the weight of each sample, 0 where it is not trusted."""
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
