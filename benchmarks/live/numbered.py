"""A clip whose frames hold their number, and how well an output of it is veiled.

Each frame holds its number in a row of black and white squares, so that whatever is dropped or
shown twice, every picture of an output is compared with the frame that it shows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import MappingProxyType

import av
import numpy as np

from faceveil.faces import Image
from testkit.scenes_footage import Footage
from testkit.truth import ENCODED, coverage_of_pixels, evaluate

RATE = 30
BITS, SQUARE = 12, 8


@dataclass(frozen=True)
class Numbered:
    """Footage with its numbers, as squares at the bottom left."""

    footage: Footage

    def frame(self, number: int) -> Image:
        picture = self.footage.frame(number)
        for bit in range(BITS):
            value = 235 if number >> bit & 1 else 16
            picture[-SQUARE:, bit * SQUARE : (bit + 1) * SQUARE] = value
        picture[-SQUARE:, BITS * SQUARE : (BITS + 1) * SQUARE] = 235
        return picture

    def write(self, path: Path, options: Mapping[str, str] = MappingProxyType({})) -> Path:
        with av.open(str(path), "w") as output:
            video = output.add_stream("libx264", rate=RATE)
            video.width, video.height = self.footage.width, self.footage.height
            video.pix_fmt = "yuv420p"
            video.options = {"crf": "16", "preset": "veryfast", **options}
            for number in range(self.footage.frame_count):
                frame = av.VideoFrame.from_ndarray(self.frame(number), "rgb24")
                frame.pts, frame.time_base = number, Fraction(1, RATE)
                output.mux(video.encode(frame))
            output.mux(video.encode(None))
        return path


def number_of(picture: Image) -> int | None:
    """The number that a picture holds, RGB or brightness alone; None for one that is blank."""
    row = picture[-SQUARE // 2]
    values = [int(row[bit * SQUARE + SQUARE // 2].mean()) for bit in range(BITS + 1)]
    if values[-1] < 128:
        return None
    return sum((value > 128) << bit for bit, value in enumerate(values[:-1]))


def decoded(path: Path) -> Iterator[Image]:
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            yield np.asarray(frame.to_ndarray(format="rgb24"), np.uint8)


@dataclass
class Judged:
    """What the pictures of an output show, over several turns of a loop.

    faces: those to veil. missed: those that show. longest: the longest run of frames in which a
    person to veil shows. kept, kept_veiled: faces of the kept, and those that a veil hides.
    """

    faces: int = 0
    missed: int = 0
    longest: int = 0
    kept: int = 0
    kept_veiled: int = 0

    @property
    def recall(self) -> float:
        return 1 - self.missed / max(self.faces, 1)


def judged(
    footage: Footage, source: Path, output: Path, turns: int = 1, keep: tuple[str, ...] = ()
) -> Judged:
    """Judge the pictures of an output by their pixels; those that it does not show do not count."""
    result = Judged()
    blank = np.zeros((footage.height, footage.width, 3), np.uint8)
    pictures = _numbered_pictures(output, footage.frame_count)
    pending = next(pictures, None)
    for turn in range(turns):
        if pending is None:
            break
        visible = np.zeros(footage.frame_count, bool)

        def shown(turn: int = turn, visible: np.ndarray = visible) -> Iterator[Image]:
            nonlocal pending
            for number in range(footage.frame_count):
                while pending is not None and pending[:2] < (turn, number):
                    pending = next(pictures, None)
                visible[number] = pending is not None and pending[:2] == (turn, number)
                yield pending[2] if visible[number] and pending else blank

        coverage = coverage_of_pixels(footage.truth, decoded(source), shown(), ENCODED)
        _add(result, footage, np.where(visible[footage.truth.frames], coverage, np.nan), keep)
    return result


def _numbered_pictures(output: Path, count: int) -> Iterator[tuple[int, int, Image]]:
    """The turn and the number of each picture, in rising order, and the picture."""
    turn = last = 0
    for picture in decoded(output):
        number = number_of(picture)
        if number is None or number >= count:
            continue
        if number < last - count // 2:
            turn += 1
        elif number < last:
            continue
        last = number
        yield turn, number, picture


def _add(result: Judged, footage: Footage, coverage: np.ndarray, keep: tuple[str, ...]) -> None:
    """Count the faces of one turn; those whose coverage is not a number were not shown."""
    truth, is_shown = footage.truth, np.isfinite(coverage)
    names = np.array(truth.people)[truth.person]
    # What was not shown is neither bare on a person to veil nor veiled on one to keep.
    neutral = np.where(np.isin(names, keep), 0.0, 1.0)
    bare = evaluate(truth, np.where(is_shown, 1 - neutral, neutral).astype(np.float32), keep)
    counted = evaluate(truth, np.where(is_shown, coverage, neutral).astype(np.float32), keep)
    result.faces += len(bare.missed)
    result.missed += len(counted.missed)
    result.longest = max(result.longest, longest_run(counted.missed))
    result.kept += len(bare.kept_veiled)
    result.kept_veiled += len(counted.kept_veiled)


def longest_run(missed: tuple[tuple[int, str], ...]) -> int:
    """The most successive frames in which a person shows."""
    longest = run = 0
    before: tuple[int, str] | None = None
    for frame, person in sorted(missed, key=lambda one: (one[1], one[0])):
        run = run + 1 if before == (frame - 1, person) else 1
        before, longest = (frame, person), max(longest, run)
    return longest
