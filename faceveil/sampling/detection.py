"""Faces detected in every frame of a source, or only in as many frames as needed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from itertools import compress, takewhile
from typing import TypeVar

import numpy as np

from faceveil.errors import InputError
from faceveil.faces import FrameError, FrameFaces, Image
from faceveil.media.frames import Frame, FrameSource
from faceveil.media.reduced import thumbnail
from faceveil.media.seeking import FrameReader, VideoReader, open_reader
from faceveil.parallel import ordered_map
from faceveil.progress import Progress
from faceveil.resources import release_freed_memory
from faceveil.sampling.adaptive import SampledFrame, SamplingOptions, sample
from faceveil.sampling.by_pixels import NextByPixels
from faceveil.sampling.recognition import DetectsFirst, recognise_seldom, recognise_trusted
from faceveil.shots.cuts import ShotDetector
from faceveil.shots.transitions import Shots, mark_shots

FRAMES_BETWEEN_RELEASES = 64
_UNREADABLE = FrameFaces(0, 0, error=FrameError("unreadable", "it could not be read again"))

Item = TypeVar("Item")

Analyzer = Callable[[Image], FrameFaces]
"""A frame, RGB uint8 [H, W, 3], in; its faces out. Called from several threads."""


def in_shots(
    frames: Iterable[tuple[int, FrameFaces | None]], shots: Shots
) -> Iterator[SampledFrame[int]]:
    """Yield each frame with its faces and whether it starts a new shot, some frames late.

    Parameters
    ----------
    frames : iterable of (int, FrameFaces or None)
        Frame numbers in order with their faces; None for a frame that was not analysed because the
        frames before and after agree, in faces and picture. No shot starts between those.
    shots : Shots
        Finds shot transitions in the thumbnails of the faces.
    """
    with_thumbnails = (
        ((number, faces), None if faces is None else faces.thumbnail) for number, faces in frames
    )
    was_analysed = True
    for (number, faces), new_shot in mark_shots(with_thumbnails, shots):
        yield SampledFrame(number, new_shot and was_analysed, faces)
        was_analysed = faces is not None


def detect_every_frame(
    source: FrameSource, analyzer: Analyzer, shots: Shots, workers: int, progress: Progress
) -> Iterator[SampledFrame[int]]:
    """Yield the faces of every frame of a source, in one pass."""

    def detected() -> Iterator[tuple[int, FrameFaces]]:
        if isinstance(analyzer, DetectsFirst):
            found = ordered_map(
                lambda frame: (frame.number, analyzer.detect(frame.rgb())), source, workers
            )
            yield from recognise_seldom(found, analyzer)
        else:
            yield from ordered_map(
                lambda frame: (frame.number, analyzer(frame.rgb())), source, workers
            )

    with progress.stage("analyse", source.frame_count) as stage:

        def counted() -> Iterator[tuple[int, FrameFaces]]:
            for found in _releasing(detected()):
                yield found
                stage.advance()

        yield from in_shots(counted(), shots)


def detect_adaptively(
    source: FrameSource,
    analyzer: Analyzer,
    shots: Shots,
    options: SamplingOptions,
    workers: int,
    progress: Progress,
    *,
    by_pixels: bool,
) -> Iterator[SampledFrame[int]]:
    """Yield every frame of a source, with faces in as many frames as needed (`adaptive.sample`).

    Parameters
    ----------
    source, shots, options, workers, progress
        As for `finding.analyse`.
    analyzer
        A frame in, its faces out.
    by_pixels
        Whether a face that can be followed by its pixels between two analysed frames needs no
        frame between them (`by_pixels.NextByPixels`). The sequences must then be tracked, too.

    Notes
    -----
    The source is read once. Cuts are known at once, but gradual transitions many frames late, and
    whole frames are too large to be held for so long. Those around a transition are read again, by
    number. A source that cannot do that is read twice, for its shots first.
    """
    reader = _reader(source)
    with ExitStack() as stages:
        if reader is None:
            starts = _shot_starts(source, shots, workers, progress)
            stage = stages.enter_context(progress.stage("analyse", source.frame_count))
            marked = ((frame, frame.number in starts) for frame in source)
            found = _sampled(marked, source, analyzer, options, workers, by_pixels)
        else:
            stage = stages.enter_context(progress.stage("analyse", source.frame_count))
            once = _OnePass(source, reader, analyzer, shots)
            found = once.frames(options, workers, by_pixels)
        for frame in _releasing(found):
            yield frame
            stage.advance()


def _analysed(analyzer: Analyzer, frame: Frame) -> FrameFaces:
    if isinstance(analyzer, DetectsFirst):
        return recognise_trusted(analyzer, frame.rgb())
    return analyzer(frame.rgb())


def _reader(source: FrameSource) -> FrameReader | None:
    """Reads frames of the source again; None where that takes all frames before them, too."""
    try:
        reader = open_reader(source)
    except InputError:
        return None
    return None if isinstance(reader, VideoReader) and not reader.can_seek else reader


def _shot_starts(
    source: FrameSource, shots: Shots, workers: int, progress: Progress
) -> frozenset[int]:
    """The first frames of the shots, found in a pass of its own."""
    with progress.stage("shots", source.frame_count) as stage:
        small = ordered_map(lambda frame: (frame.number, thumbnail(frame)), source, workers)
        starts = set()
        for number, new_shot in mark_shots(small, shots):
            if new_shot:
                starts.add(number)
            stage.advance()
    return frozenset(starts)


def _sampled(
    marked: Iterable[tuple[Frame, bool]],
    source: FrameSource,
    analyzer: Analyzer,
    options: SamplingOptions,
    workers: int,
    by_pixels: bool,
) -> Iterator[SampledFrame[int]]:
    def detect(frame: Frame) -> FrameFaces:
        return _analysed(analyzer, frame)

    next_frame = NextByPixels() if by_pixels else None
    for found in sample(
        marked, detect, options, rate=source.rate, next_frame=next_frame, workers=workers
    ):
        yield SampledFrame(found.item.number, found.new_shot, found.faces)


class _OnePass:
    """Samples a source by its cuts, and looks again where it turns out that a shot began."""

    def __init__(
        self, source: FrameSource, reader: FrameReader, analyzer: Analyzer, shots: Shots
    ) -> None:
        self._source, self._reader = source, reader
        self._analyzer, self._shots = analyzer, shots
        self._thumbnails: dict[int, Image] = {}

    def frames(
        self, options: SamplingOptions, workers: int, by_pixels: bool
    ) -> Iterator[SampledFrame[int]]:
        """Yield every frame in order, some frames late."""
        marked = self._marked_by_cuts(workers)
        sampled = _sampled(marked, self._source, self._analyzer, options, workers, by_pixels)
        with_thumbnails = ((frame, self._thumbnails[frame.item]) for frame in sampled)
        stretch: list[SampledFrame[int]] = []
        for frame, new_shot in mark_shots(with_thumbnails, self._shots):
            stretch.append(replace(frame, new_shot=new_shot))
            if frame.faces is not None:
                yield from self._looked_at_again(stretch)
                for one in stretch:
                    del self._thumbnails[one.item]
                stretch = []

    def _marked_by_cuts(self, workers: int) -> Iterator[tuple[Frame, bool]]:
        cuts = ShotDetector()
        for frame, small in ordered_map(
            lambda frame: (frame, thumbnail(frame)), self._source, workers
        ):
            self._thumbnails[frame.number] = small
            yield frame, cuts.push(small)

    def _looked_at_again(self, stretch: list[SampledFrame[int]]) -> list[SampledFrame[int]]:
        """The frames after an analysed one, up to the next; all analysed if a shot begins there."""
        missing = {frame.item for frame in stretch if frame.faces is None}
        if not missing or not any(frame.new_shot for frame in stretch):
            return stretch
        found = {
            frame.number: _analysed(self._analyzer, frame) for frame in self._read_again(missing)
        }
        return [
            replace(frame, faces=found.get(frame.item, _UNREADABLE))
            if frame.faces is None
            else frame
            for frame in stretch
        ]

    def _read_again(self, numbers: set[int]) -> list[Frame]:
        """The frames of these numbers, the same pictures as before."""
        problems = list(self._source.problems)
        for frames in (self._reader.frames_from(min(numbers)), self._source):
            upto = takewhile(lambda frame: frame.number <= max(numbers), frames)
            found = [frame for frame in upto if frame.number in numbers]
            same = [
                np.array_equal(thumbnail(frame), self._thumbnails[frame.number]) for frame in found
            ]
            if all(same) and len(found) == len(numbers):
                break
        self._source.problems[:] = problems
        return list(compress(found, same))


def _releasing(items: Iterable[Item]) -> Iterator[Item]:
    """Yield the items, and return freed memory to the system from time to time."""
    for count, item in enumerate(items, 1):
        yield item
        if count % FRAMES_BETWEEN_RELEASES == 0:
            release_freed_memory()
    release_freed_memory()
