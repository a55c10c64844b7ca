"""Tracking over a source of frames: which pictures are read again, and at what size."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from faceveil.faces import FaceSequence, Image, Ints
from faceveil.media.frames import FrameSource
from faceveil.media.reduced import grey
from faceveil.progress import Progress
from faceveil.tracking.track import TrackOptions, shrink_factor, track


@dataclass(frozen=True, slots=True)
class PixelTracker:
    """Follows the ends of sequences and gaps in them through the pixels of their source."""

    source: FrameSource
    options: TrackOptions
    workers: int
    progress: Progress

    def __call__(
        self, sequences: Sequence[FaceSequence], shot_starts: Ints, looked: NDArray[np.bool_]
    ) -> list[FaceSequence]:
        """The sequences with the boxes that were found; see track.track."""
        source = self.source
        problems = list(source.problems)
        tracked = track(
            sequences,
            shot_starts,
            len(looked),
            self._pictures,
            (source.width, source.height),
            self.options,
            rate=source.rate,
            looked=looked,
            workers=self.workers,
        )
        source.problems[:] = problems  # not all of it was read this time
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
