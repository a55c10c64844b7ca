"""Fixed regions: parts of the picture that are veiled for some time, whatever is seen there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from faceveil.errors import UsageError
from faceveil.faces import FaceSequence, Ints, Kind, Provenance
from faceveil.frame_range import FrameRange


@dataclass(frozen=True, slots=True)
class FixedRegion:
    """A rectangle that is veiled from `start` up to, not including, `end`.

    Attributes
    ----------
    start, end : Fraction
        Frames, or seconds.
    in_seconds : bool
    box : (float, float, float, float)
        x1, y1, x2, y2 in pixels of the upright frame; where all four are at most 1, in shares of
        its width and height.
    kind : Kind
        What it covers, any but faces.

    Raises
    ------
    UsageError
        For an empty box or range, and for faces, which a selection may leave visible.
    """

    start: Fraction
    end: Fraction
    in_seconds: bool
    box: tuple[float, float, float, float]
    kind: Kind = Kind.OTHER

    def __post_init__(self) -> None:
        x1, y1, x2, y2 = self.box
        if not (0 <= x1 < x2 and 0 <= y1 < y2):
            raise UsageError(f"region {self.box}: it is empty; a box is x1,y1,x2,y2 with x1 < x2")
        if not 0 <= self.start < self.end:
            raise UsageError(f"region {self.start}-{self.end}: its end must be after its beginning")
        if self.kind == Kind.FACE:
            raise UsageError("a region is no face: faces are found, and drawn by a correction")

    def frames(self, rate: Fraction | None, frame_count: int) -> FrameRange | None:
        """Return the frames of a video; None where it ends before.

        Raises UsageError for seconds in a source that has no frame rate.
        """
        if not self.in_seconds:
            span = FrameRange(int(self.start), int(self.end))
        elif rate is None:
            raise UsageError("a region in seconds needs a video, or --rate for a folder of frames")
        else:
            span = FrameRange.of_seconds(self.start, self.end, rate)
        if span.first >= frame_count:
            return None
        return FrameRange(span.first, min(span.end, frame_count))

    def pixels(self, width: int, height: int) -> tuple[float, float, float, float]:
        """Return the box in pixels of a frame of that size."""
        x1, y1, x2, y2 = self.box
        if max(self.box) > 1:
            return self.box
        return x1 * width, y1 * height, x2 * width, y2 * height


def region_sequences(
    regions: Sequence[FixedRegion],
    shot_starts: Ints,
    *,
    frame_count: int,
    width: int,
    height: int,
    rate: Fraction | None,
) -> list[FaceSequence]:
    """Return the sequences of fixed regions, one for each shot that a region reaches into.

    Raises UsageError for a region that lies outside the picture or after the end of the video.
    """
    sequences = []
    for region in regions:
        span, box = region.frames(rate, frame_count), region.pixels(width, height)
        if span is None or box[0] >= width or box[1] >= height:
            raise UsageError(
                f"region {region.start}-{region.end}:{','.join(f'{v:g}' for v in region.box)} lies "
                f"outside the {frame_count} frames of {width} x {height} pixels"
            )
        frames = np.arange(span.first, span.end, dtype=np.int32)
        shots = np.searchsorted(shot_starts, frames, side="right") - 1
        for shot in np.unique(shots).tolist():
            part = frames[shots == shot]
            sequences.append(
                FaceSequence(
                    frames=part,
                    boxes=np.tile(np.array(box, np.float32), (len(part), 1)),
                    scores=np.zeros(len(part), np.float32),
                    provenance=np.full(len(part), Provenance.MANUAL, np.uint8),
                    shot=shot,
                    kind=region.kind,
                )
            )
    return sequences
