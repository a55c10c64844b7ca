"""Detections of some frames, in two transform jobs: every k-th frame first, then the frames between
neighbours that disagree.

This is `sampling.adaptive` for the batch path: there one frame decides which is next, here a whole
pass does, as each pass is a transform job of its own. A ManifestFile names the frames of a pass.

    coarse pass   plan_coarse(frame count, step)         -> frames
    refine pass   plan_refine(found, frame count, step)  -> frames
    analysis      fill(found, frame count, step)         -> every frame, for finding.follow
                  read_frames(store, …)                  -> the same, read from a job's detections

`fill` compares the detections again and knows nothing of the plans: a frame counts as seen only
between two frames that agree, whatever was planned. Where they do not, it is unknown (fail closed).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Container, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain

import numpy as np
import orjson

from faceveil.aws.s3 import S3Location
from faceveil.errors import InputError, UsageError
from faceveil.faces import FrameError, FrameFaces, Ints
from faceveil.jobs.detections.answers import (
    MISSING,
    READERS,
    SUFFIX,
    DetectionStore,
    UnknownFrames,
    read_detections,
)
from faceveil.sampling.adaptive import SamplingOptions
from faceveil.sampling.agreement import Agree, Agreement
from faceveil.shots.cuts import ShotDetector
from faceveil.shots.gradual import differ

STEP = SamplingOptions().longest
"""Frames from one of the coarse pass to the next: at most as far as sampling goes."""

Detected = tuple[int, FrameFaces]
"""Number of a frame in which faces were detected, and its faces."""


def plan_coarse(frame_count: int, step: int = STEP) -> Ints:
    """The frames of the coarse pass: every `step`-th, and the last.

    Raises UsageError for a step that is not 1 to `STEP`: following bridges no more.
    """
    _check_step(step)
    last = [frame_count - 1] if frame_count else []
    return np.union1d(np.arange(0, frame_count, step), last).astype(np.int32)


def plan_refine(
    found: Iterable[Detected], frame_count: int, step: int = STEP, *, agree: Agree | None = None
) -> Ints:
    """The frames of the refine pass: all between two neighbours that disagree, about faces or
    about the picture, or lie further apart than `step`, as one between them has been lost.

    found: the frames of the coarse pass that have an answer, in order.
    """
    _check_step(step)
    planned = [
        np.array(interval.between(), np.int32)
        for interval in _intervals(found, frame_count, step, agree)
        if not interval.is_settled
    ]
    return np.concatenate(planned) if planned else np.zeros(0, np.int32)


def fill(
    found: Iterable[Detected], frame_count: int, step: int = STEP, *, agree: Agree | None = None
) -> Iterator[tuple[int, FrameFaces | None]]:
    """Every frame in order, with its faces, for `finding.follow`: None for a frame that needed no
    detection, as the frames on both sides agree. Other frames without an answer are unknown, and so
    are those around a frame of the coarse pass whose answer was lost.

    found: all answers of both passes, in frame order. Memory holds two of them.
    Raises UsageError as `plan_coarse` does.
    """
    _check_step(step)
    for interval in _intervals(found, frame_count, step, agree):
        for number in interval.between():
            yield number, None if interval.is_settled else _unseen(interval)
        if interval.faces is not None:
            yield interval.after, interval.faces


def manifest(prefix: str, names: Iterable[str]) -> bytes:
    """A ManifestFile: the objects with these names after `prefix` (`s3://bucket/frames/`)."""
    return orjson.dumps([{"prefix": prefix}, *names])


def answered(detections: S3Location) -> frozenset[str]:
    """The names of the frames that have an answer, one request per 1,000."""
    found = (item.name for page in detections.pages() for item in page)
    return frozenset(name.removesuffix(SUFFIX) for name in found if name.endswith(SUFFIX))


def read_answered(
    store: DetectionStore,
    frames: Iterable[tuple[int, str]],
    answers: Container[str],
    *,
    size: tuple[int, int] | None = None,
    unknown: UnknownFrames | None = None,
    readers: int = READERS,
) -> Iterator[Detected]:
    """As `detections.read_detections`, of those frames only whose name is among `answers`."""
    answered_frames = (frame for frame in frames if frame[1] in answers)
    return read_detections(store, answered_frames, size=size, unknown=unknown, readers=readers)


def read_frames(
    store: DetectionStore,
    name_of: Callable[[int], str],
    frame_count: int,
    step: int | None,
    list_answers: Callable[[], Collection[str]],
    *,
    size: tuple[int, int],
    unknown: UnknownFrames,
) -> Iterator[tuple[int, FrameFaces | None]]:
    """Every frame with its faces, as `finding.follow` takes them: `fill` of both passes, or all
    frames' own where step is None.

    name_of: the name of a frame by its number. list_answers: the names of the frames that have
    an answer. Frames that should have one and do not are noted in `unknown`, too. Raises
    InputError as `read_detections` does, and where there are no answers.
    """
    names = ((number, name_of(number)) for number in range(frame_count))
    if step is None:
        yield from read_detections(store, names, size=size, unknown=unknown)
        return
    answers = list_answers()
    if frame_count and not answers:
        raise InputError(
            f"none of the {frame_count} frames has detections: check that the transform job wrote "
            "them here"
        )
    found = read_answered(store, names, answers, size=size, unknown=unknown)
    for number, faces in fill(found, frame_count, step):
        if faces is not None and faces.error is not None and name_of(number) not in answers:
            unknown.add(name_of(number), faces.error)
        yield number, faces


@dataclass(frozen=True, slots=True)
class _Interval:
    """From one answered frame to the next; -1 and the frame count end the row.

    faces: those of `after`, None at the end. is_settled: whether all between is known.
    """

    before: int
    after: int
    faces: FrameFaces | None
    is_settled: bool

    def between(self) -> range:
        return range(self.before + 1, self.after)


def _intervals(
    found: Iterable[Detected], frame_count: int, step: int, agree: Agree | None
) -> Iterator[_Interval]:
    agree = agree or Agreement()
    before, faces_before = -1, None
    for number, faces in chain(found, [(frame_count, None)]):
        gap = number - before
        is_settled = gap == 1
        # A frame of the coarse pass that lies between, and has no answer, was lost.
        longest = (before // step + 1) * step - before
        if 1 < gap <= longest and faces_before is not None and faces is not None:
            alike = _same_picture(faces_before, faces)
            is_settled = alike and agree(faces_before, faces, gap)
        yield _Interval(before, number, faces, is_settled)
        before, faces_before = number, faces


def _same_picture(before: FrameFaces, after: FrameFaces) -> bool:
    """Whether no transition can lie between two frames; False where a thumbnail is missing.

    A shot that comes and goes between them is not seen, as by every sampling.
    """
    if before.thumbnail is None or after.thumbnail is None:
        return False
    shots = ShotDetector()
    shots.push(before.thumbnail)
    is_cut = shots.push(after.thumbnail)
    return not is_cut and not differ(before.thumbnail, after.thumbnail)


def _unseen(interval: _Interval) -> FrameFaces:
    reason = (
        f"there are no detections between frames {interval.before} and {interval.after}, "
        "and one between was lost or these do not agree"
    )
    return FrameFaces(0, 0, error=FrameError(MISSING, reason))


def _check_step(step: int) -> None:
    if not 1 <= step <= STEP:
        raise UsageError(
            f"detecting in every {step}th frame: the step must be 1 to {STEP}, as faces are not "
            "followed over more"
        )
