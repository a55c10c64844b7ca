"""Faces detected in every frame of a source, or only in as many frames as needed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from faceveil.faces import FrameFaces, Image
from faceveil.media.frames import Frame, FrameSource
from faceveil.media.reduced import thumbnail
from faceveil.parallel import ordered_map
from faceveil.progress import Progress
from faceveil.resources import release_freed_memory
from faceveil.sampling.adaptive import SampledFrame, SamplingOptions, sample
from faceveil.shots.transitions import Shots, mark_shots

FRAMES_BETWEEN_RELEASES = 64

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

    def detect(frame: Frame) -> tuple[int, FrameFaces]:
        return frame.number, analyzer(frame.rgb())

    with progress.stage("analyse", source.frame_count) as stage:

        def detected() -> Iterator[tuple[int, FrameFaces]]:
            for found in _releasing(ordered_map(detect, source, workers)):
                yield found
                stage.advance()

        yield from in_shots(detected(), shots)


def detect_adaptively(
    source: FrameSource,
    analyzer: Analyzer,
    shots: Shots,
    options: SamplingOptions,
    workers: int,
    progress: Progress,
) -> Iterator[SampledFrame[int]]:
    """Yield every frame of a source, with faces in as many frames as needed (`adaptive.sample`).

    The source is read twice: shots are known some frames late, and whole frames are too large to be
    held for so long.
    """
    with progress.stage("shots", source.frame_count) as stage:
        small = ordered_map(lambda frame: (frame.number, thumbnail(frame)), source, workers)
        starts, count = set(), 0
        for number, new_shot in mark_shots(small, shots):
            if new_shot:
                starts.add(number)
            count = number + 1
            stage.advance()
    with progress.stage("analyse", count) as stage:
        frames = ((frame, frame.number in starts) for frame in source)
        sampled = sample(
            frames,
            lambda frame: analyzer(frame.rgb()),
            options,
            rate=source.rate,
            workers=workers,
        )
        for found in _releasing(sampled):
            yield SampledFrame(found.item.number, found.new_shot, found.faces)
            stage.advance()


def _releasing(items: Iterable[Item]) -> Iterator[Item]:
    """Yield the items, and return freed memory to the system from time to time."""
    for count, item in enumerate(items, 1):
        yield item
        if count % FRAMES_BETWEEN_RELEASES == 0:
            release_freed_memory()
    release_freed_memory()
