"""The boxes between and around what a person drew, found by following its pixels."""

from __future__ import annotations

import numpy as np

from faceveil.analysis import Analysis
from faceveil.corrections.entries import Draw, Shape, Track
from faceveil.media.frames import FrameSource
from faceveil.progress import Progress
from faceveil.tracking.drawn import follow_drawn


def follow_change(
    source: FrameSource,
    analysis: Analysis,
    change: Draw | Shape,
    progress: Progress | None = None,
) -> Track:
    """Follow what was drawn, for the `tracked` of the same change.

    Parameters
    ----------
    source : FrameSource
        The input of the analysis.
    analysis : Analysis
    change : Draw or Shape
        Followed from its keyframes, between `first` and `last` where it names them.
    progress : Progress, optional
        As for `tracking.drawn.follow_drawn`.

    Returns
    -------
    Track
        Without boxes where the input is stills, which do not continue each other.

    Raises
    ------
    InputError
        Where nothing is drawn within the video, or the source cannot be read by number.
    """
    if analysis.source.kind == "stills":
        return Track(np.zeros(0, np.int32), np.zeros((0, 4), np.float32))
    drawn = {item.frame: item.box for item in change.keyframes}
    numbers = sorted(drawn)
    frames, boxes = follow_drawn(
        source,
        analysis.shot_starts,
        analysis.source.frame_count,
        np.array(numbers, np.int32),
        np.array([drawn[number] for number in numbers], np.float32).reshape(-1, 4),
        first=change.first,
        last=change.last,
        progress=progress,
    )
    return Track(frames, boxes)
