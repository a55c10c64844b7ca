"""Tracking over a source of frames: the pictures that are needed are read again, reduced."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from faceveil.faces import FaceSequence, Image, Ints
from faceveil.media.frames import FrameSource
from faceveil.media.reduced import grey
from faceveil.progress import Progress
from faceveil.tracking.track import TrackOptions, shrink_factor, track_sequences


@dataclass(frozen=True, slots=True)
class PixelTracker:
    """Follows faces through the pixels of a source, at the ends and in the gaps of sequences."""

    source: FrameSource
    options: TrackOptions
    workers: int
    progress: Progress

    def __call__(
        self,
        sequences: Sequence[FaceSequence],
        shot_starts: Ints,
        reaches: Ints,
        analysed: NDArray[np.bool_],
    ) -> list[FaceSequence]:
        """Return the sequences with more boxes; see `track.track_sequences`."""
        source = self.source
        problems = list(source.problems)
        tracked = track_sequences(
            sequences,
            shot_starts,
            len(analysed),
            self._pictures,
            (source.width, source.height),
            self.options,
            rate=source.rate,
            analysed=analysed,
            reaches=reaches,
            workers=self.workers,
        )
        source.problems[:] = problems  # not all frames were read this time
        return tracked

    def _pictures(self, wanted: NDArray[np.bool_]) -> Iterator[tuple[int, Image]]:
        factor = shrink_factor(self.source.height)
        last = int(np.flatnonzero(wanted)[-1])
        with self.progress.stage("track", last + 1) as stage:
            for frame in self.source:
                if wanted[frame.number]:
                    yield frame.number, grey(frame, factor)
                stage.advance()
                if frame.number >= last:
                    break
