"""In which frames faces are looked for: in every one, or in as few as tell the same."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from faceveil.faces import FrameFaces, Image
from faceveil.media.frames import Frame, FrameSource
from faceveil.media.reduced import thumbnail
from faceveil.parallel import ordered_map
from faceveil.progress import Progress
from faceveil.resources import release_freed_memory
from faceveil.sampling.adaptive import Sampled, SamplingOptions, sample
from faceveil.shots.transitions import Shots, mark

FRAMES_BETWEEN_RELEASES = 64

Item = TypeVar("Item")

Analyzer = Callable[[Image], FrameFaces]
"""A frame, RGB uint8 [H, W, 3], in; its faces out. Called from several threads."""


def in_shots(
    frames: Iterable[tuple[int, FrameFaces | None]], shots: Shots
) -> Iterator[Sampled[int]]:
    """Frames with their faces, each with whether it starts a new shot; some frames late.

    Faces are None where nobody looked, as the looks before and after agree, in faces and picture:
    between those no shot starts.
    """
    with_thumbnails = (
        ((number, faces), None if faces is None else faces.thumbnail) for number, faces in frames
    )
    looked_before = True
    for (number, faces), new_shot in mark(with_thumbnails, shots):
        yield Sampled(number, new_shot and looked_before, faces)
        looked_before = faces is not None


def look_at_every(
    source: FrameSource, analyzer: Analyzer, shots: Shots, workers: int, progress: Progress
) -> Iterator[Sampled[int]]:
    """The faces of every frame, in one pass."""

    def look(frame: Frame) -> tuple[int, FrameFaces]:
        return frame.number, analyzer(frame.rgb())

    with progress.stage("analyse", source.frame_count) as stage:

        def detected() -> Iterator[tuple[int, FrameFaces]]:
            for found in _releasing(ordered_map(look, source, workers)):
                yield found
                stage.advance()

        yield from in_shots(detected(), shots)


def look_adaptively(
    source: FrameSource,
    analyzer: Analyzer,
    shots: Shots,
    options: SamplingOptions,
    workers: int,
    progress: Progress,
) -> Iterator[Sampled[int]]:
    """The faces of as many frames as needed (see sampling.sample), in two passes: shots are known
    some frames late, and frames are too large to wait for that."""
    with progress.stage("shots", source.frame_count) as stage:
        small = ordered_map(lambda frame: (frame.number, thumbnail(frame)), source, workers)
        starts, count = set(), 0
        for number, new_shot in mark(small, shots):
            if new_shot:
                starts.add(number)
            count = number + 1
            stage.advance()
    with progress.stage("analyse", count) as stage:
        frames = ((frame, frame.number in starts) for frame in source)
        looked = sample(
            frames,
            lambda frame: analyzer(frame.rgb()),
            options,
            rate=source.rate,
            workers=workers,
        )
        for found in _releasing(looked):
            yield Sampled(found.item.number, found.new_shot, found.faces)
            stage.advance()


def _releasing(items: Iterable[Item]) -> Iterator[Item]:
    """The items; memory that was freed goes back to the system now and then."""
    for count, item in enumerate(items, 1):
        yield item
        if count % FRAMES_BETWEEN_RELEASES == 0:
            release_freed_memory()
    release_freed_memory()
