"""A few features of a long sequence: the best of each stretch of its frames."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from faceveil.faces import MAX_FEATURE_SAMPLES, Floats, Ints

Indices = NDArray[np.int64]

FIRST_STRIDE = 4


class FeatureSamples:
    """At most MAX_FEATURE_SAMPLES features, each the best of a stretch of frames.

    Stretches are `stride` frames long; when there are too many, the stride doubles and neighbours
    are merged. The result depends only on what was offered. Adjacent frames look alike, so even
    the first stretches are a few frames long.
    """

    def __init__(self, first_frame: int) -> None:
        self._first = first_frame
        self._stride = FIRST_STRIDE
        self._best: dict[int, tuple[float, int, Floats]] = {}

    def offer(self, frame: int, quality: float, feature: Floats) -> None:
        """Keep the feature float32 [D] if it is the best of its stretch."""
        while (frame - self._first) // self._stride >= MAX_FEATURE_SAMPLES:
            self._coarsen()
        stretch = (frame - self._first) // self._stride
        if stretch not in self._best or self._best[stretch][0] < quality:
            self._best[stretch] = (quality, frame, feature.copy())

    def offer_rising(
        self, frames: Indices, quality: Floats, features: Floats, rows: Indices
    ) -> None:
        """Offer the features of these rows of `features` [n, D], seen in rising frames."""
        while (int(frames[-1]) - self._first) // self._stride >= MAX_FEATURE_SAMPLES:
            self._coarsen()
        stretch = (frames - self._first) // self._stride
        # The best of each stretch; of equal ones the first.
        ranked = np.lexsort((-quality, stretch))
        best = ranked[np.flatnonzero(np.diff(stretch[ranked], prepend=-1))]
        for at in best.tolist():
            self.offer(int(frames[at]), float(quality[at]), features[rows[at]])

    def _coarsen(self) -> None:
        self._stride *= 2
        merged: dict[int, tuple[float, int, Floats]] = {}
        for stretch, sample in self._best.items():
            if stretch // 2 not in merged or merged[stretch // 2][0] < sample[0]:
                merged[stretch // 2] = sample
        self._best = merged

    def columns(self, feature_size: int) -> tuple[Ints, Floats, Floats]:
        """Frames int32 [k], quality float32 [k] and features float32 [k, D], frames rising."""
        samples = sorted(self._best.values(), key=lambda sample: sample[1])
        features = np.array([feature for _, _, feature in samples], np.float32)
        return (
            np.array([frame for _, frame, _ in samples], np.int32),
            np.array([quality for quality, _, _ in samples], np.float32),
            features.reshape(len(samples), feature_size),
        )


def offer_all(
    samples: Sequence[FeatureSamples],
    ids: Indices,
    frames: Indices,
    quality: Floats,
    features: Floats,
    rows: Indices,
) -> None:
    """Offer rows of `features` to the samples numbered `ids`, in order of frames; all int64 [n]."""
    order = np.argsort(ids, kind="stable")
    for one in np.split(order, np.flatnonzero(np.diff(ids[order])) + 1):
        if len(one):
            samples[ids[one[0]]].offer_rising(frames[one], quality[one], features, rows[one])
