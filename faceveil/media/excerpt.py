"""A few seconds of a video, copied without decoding."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.error import FFmpegError

from faceveil.errors import InputError
from faceveil.faces import Image

MOST_KEYFRAMES = 200


def find_start(path: Path, shows: Callable[[Image], bool]) -> Fraction:
    """Return the time of the first keyframe that shows something, in seconds.

    Parameters
    ----------
    path
        A video file.
    shows
        Whether a frame, RGB uint8 [H, W, 3], shows it. At most 200 keyframes are tried, spread
        over the video as they come.

    Returns
    -------
    Fraction
        The start of the video where no keyframe shows it.

    Raises
    ------
    InputError
        The video cannot be read.
    """
    first: Fraction | None = None
    try:
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            stream.codec_context.skip_frame = "NONKEY"
            for number, frame in enumerate(container.decode(stream)):
                if frame.pts is None or frame.time_base is None:
                    continue
                time = frame.pts * frame.time_base
                first = time if first is None else first
                if shows(np.asarray(frame.to_ndarray(format="rgb24"), np.uint8)):
                    return time
                if number >= MOST_KEYFRAMES:
                    break
    except (FFmpegError, IndexError) as error:
        raise InputError(f"{path}: no video that can be read ({error})") from error
    return first or Fraction()


def copy_excerpt(path: Path, start: Fraction, seconds: Fraction, target: Path) -> None:
    """Copy the video and sound of some seconds into a Matroska file, from the keyframe before.

    Raises InputError where the video cannot be read.
    """
    end = start + seconds
    try:
        with av.open(str(path)) as source, av.open(str(target), "w", format="matroska") as copy:
            chosen = [source.streams.video[0], *source.streams.audio[:1]]
            streams = {item.index: copy.add_stream_from_template(item) for item in chosen}
            source.seek(int(start * av.time_base), backward=True)
            for packet in source.demux(chosen):
                if packet.dts is None or packet.pts is None:
                    continue
                if packet.dts * packet.time_base >= end:
                    if packet.stream.type == "video":
                        break
                    continue
                packet.stream = streams[packet.stream.index]
                copy.mux(packet)
    except (FFmpegError, IndexError) as error:
        raise InputError(f"{path}: no excerpt can be copied ({error})") from error
