"""Faces found and followed: detections of a source become sequences that end with their shot."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from faceveil.detect.build import build_analyzer
from faceveil.errors import InputError
from faceveil.faces import DetectionLog, FaceSequence, FrameFaces, Ints, Kind, Models
from faceveil.leftovers import Leftovers
from faceveil.media.frames import FrameSource, Problem
from faceveil.progress import Progress, QuietProgress
from faceveil.resources import usable_cores
from faceveil.sampling.adaptive import SampledFrame, SamplingOptions
from faceveil.sampling.detection import Analyzer, detect_adaptively, detect_every_frame, in_shots
from faceveil.sequence.finish import finish_sequences
from faceveil.sequence.follow.build import SequenceBuilder
from faceveil.sequence.left_over import left_over
from faceveil.sequence.match import distance_by_name
from faceveil.sequence.options import SequenceOptions
from faceveil.sequence.regions import FixedRegion, region_sequences
from faceveil.shots.transitions import EveryFrame, Shots, TransitionDetector
from faceveil.shots.transnet import TransNet
from faceveil.tracking.pixel_tracker import PixelTracker
from faceveil.tracking.track import TrackOptions


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """What analyse() found, features included: kept in memory, never in analysis.json.

    analysed_frames: the number of frames in which faces were detected.
    """

    frame_count: int
    analysed_frames: int
    models: Models | None
    shot_starts: Ints
    unknown_frames: Ints
    sequences: Sequence[FaceSequence]
    detections: DetectionLog
    leftovers: Leftovers = field(default_factory=Leftovers.none)


class Tracker(Protocol):
    """Follows faces by their pixels, as `tracking.pixel_tracker.PixelTracker` does."""

    def __call__(
        self,
        sequences: Sequence[FaceSequence],
        shot_starts: Ints,
        reaches: Ints,
        analysed: NDArray[np.bool_],
    ) -> list[FaceSequence]:
        """Return the sequences with more boxes, none before or after the frames of `reaches`
        int32 [n, 2]; `analysed` bool [n] says in which frames faces were detected."""
        ...


def analyse(
    source: FrameSource,
    analyzer: Analyzer | None = None,
    options: SequenceOptions | None = None,
    *,
    shots: Shots | None = None,
    sampling: SamplingOptions | None = None,
    tracking: TrackOptions | None = TrackOptions(),
    recognise_all: bool = False,
    workers: int | None = None,
    progress: Progress | None = None,
) -> Found:
    """Detect faces and follow each through its shot, also by its pixels where it was not detected.

    Memory is bounded by the sequences, not by the frames.

    Parameters
    ----------
    source
        The frames. They are read once to detect faces and, up to the last face that is followed by
        its pixels, once more; a source whose frames cannot be read by number three times at most.
    analyzer
        A frame, RGB uint8 [H, W, 3], in; its faces out. Called from several threads. By default
        the networks of the command. Where it can detect faces without recognising them
        (`sampling.recognition.DetectsFirst`), it recognises them in some frames only.
    options
        How detections become sequences.
    shots
        Finds shot transitions; by default cuts, fades, dissolves and wipes.
    sampling
        Analyse only as many frames as needed; None analyses every frame.
    tracking
        How faces are followed by their pixels; None switches that off. Stills are never tracked.
    recognise_all
        Recognise every detected face, as is right where someone is to stay visible: the more
        features a sequence has, the sooner one of them contradicts. Adaptive sampling always does.
    workers
        Frames analysed at once; by default one per core.
    progress
        Receives the progress of each stage.

    Returns
    -------
    Found

    Raises
    ------
    InputError
        Where the source has no frame that can be read.
    """
    progress, workers = progress or QuietProgress(), workers or usable_cores()
    analyzer, options = analyzer or build_analyzer(), options or SequenceOptions()
    stills = source.kind == "stills"
    if recognise_all or stills or not distance_by_name(options.distance).feature_memory:
        # Other frames say nothing about a face of a still, and the thesis's distance compares each
        # face with the one before it: all faces are recognised.
        analyzer = partial(analyzer)
    shots = shots or (EveryFrame() if stills else TransitionDetector(TransNet()))
    if sampling is None or stills:
        frames = detect_every_frame(source, analyzer, shots, workers, progress)
    else:
        frames = detect_adaptively(
            source, analyzer, shots, sampling, workers, progress, by_pixels=tracking is not None
        )
    tracker = None
    if tracking is not None and not stills:
        tracker = PixelTracker(source, tracking, workers, progress)
    size = (source.width, source.height)
    return connect(frames, options, size, tracker, source.problems)


def follow(
    frames: Iterable[tuple[int, FrameFaces | None]],
    options: SequenceOptions | None = None,
    *,
    size: tuple[int, int],
    shots: Shots | None = None,
    source: FrameSource | None = None,
    tracking: TrackOptions | None = TrackOptions(),
    workers: int | None = None,
) -> Found:
    """Build finished sequences from (frame number, faces) in frame order.

    The batch path enters here, with detections read from JSON.

    Parameters
    ----------
    frames
        Faces are None in frames that were not analysed, because the frames before and after agree.
    options
        How detections become sequences.
    size
        Width and height of the upright frame.
    shots
        Finds shot transitions; by default cuts, fades, dissolves and wipes.
    source
        The frames themselves, numbered frames of a video, where they can be read: faces are then
        followed by their pixels as well, as `analyse` does.
    tracking
        How faces are followed by their pixels; None switches that off.
    workers
        Frames read at once; by default one per core.

    Returns
    -------
    Found

    Raises
    ------
    InputError
        Where there is no frame.
    """
    marked = in_shots(frames, shots or TransitionDetector(TransNet()))
    tracker = None
    if source is not None and tracking is not None:
        tracker = PixelTracker(source, tracking, workers or usable_cores(), QuietProgress())
    return connect(marked, options or SequenceOptions(), size, tracker)


def connect(
    frames: Iterable[SampledFrame[int]],
    options: SequenceOptions,
    size: tuple[int, int],
    tracker: Tracker | None = None,
    problems: Sequence[Problem] = (),
) -> Found:
    """Build finished sequences from frames whose shots are known.

    Parameters
    ----------
    frames
        Frame numbers from 0, in order, with the faces of those that were analysed. The first frame
        of a shot must be one of them.
    options
        How detections become sequences.
    size
        Width and height of the upright frame.
    tracker
        Follows faces by their pixels; without it boxes are only computed.
    problems
        What the source could not read, to be named where no frame is left.

    Raises
    ------
    InputError
        Where there is no frame.
    """
    builders = {Kind.FACE: SequenceBuilder(options)}
    models, unknown, seen = None, [], bytearray()
    shot_starts: list[int] = []
    for frame in frames:
        seen.extend(bytes(frame.item + 1 - len(seen)))
        if frame.faces is None:
            continue
        seen[frame.item] = 1
        if frame.new_shot or not shot_starts:
            shot_starts.append(frame.item)
        _push(builders, frame, shot_starts, options)
        models = models or frame.faces.models
        if frame.faces.error is not None:
            unknown.append(frame.item)
    if not seen:
        reason = f" ({problems[0].message})" if problems else ""
        raise InputError(f"the input has no frame that can be read{reason}")
    analysed = np.frombuffer(seen, np.bool_)
    track = None
    if tracker is not None:
        track = partial(tracker, analysed=analysed)
    built = {kind: builder.finish() for kind, builder in builders.items()}
    sequences, detections = finish_sequences(
        built[Kind.FACE], options, len(seen), *size, track=track, analysed=analysed
    )
    for kind in [kind for kind in built if kind != Kind.FACE]:
        more, log = finish_sequences(
            built[kind], options, len(seen), *size, track=track, analysed=analysed
        )
        detections = detections.joined(log, len(sequences))
        sequences += [replace(sequence, kind=kind) for sequence in more]
    return Found(
        frame_count=len(seen),
        analysed_frames=int(analysed.sum()),
        models=models,
        shot_starts=built[Kind.FACE].shot_starts,
        unknown_frames=np.array(unknown, np.int32),
        sequences=sequences,
        detections=detections,
        leftovers=left_over(list(built.values()), sequences),
    )


def _push(
    builders: dict[Kind, SequenceBuilder],
    frame: SampledFrame[int],
    shot_starts: Sequence[int],
    options: SequenceOptions,
) -> None:
    """Hand the objects of a frame to the builder of their kind, made when the first is seen.

    Kinds are followed apart, so that a plate never continues a face.
    """
    if frame.faces is None:
        return
    kinds = () if frame.faces.kinds is None else np.unique(frame.faces.kinds).tolist()
    for kind in map(Kind, kinds):
        if kind not in builders:
            builders[kind] = SequenceBuilder(options)
            for start in shot_starts:
                if start < frame.item:
                    builders[kind].push(start, FrameFaces(0, 0), True)
    for kind, builder in builders.items():
        builder.push(frame.item, frame.faces.of_kind(kind), frame.new_shot)


def with_regions(found: Found, regions: Sequence[FixedRegion], source: FrameSource) -> Found:
    """Return what was found with fixed regions, which are always veiled.

    Raises UsageError for a region outside the picture or the video.
    """
    more = region_sequences(
        regions,
        found.shot_starts,
        frame_count=found.frame_count,
        width=source.width,
        height=source.height,
        rate=source.rate,
    )
    return replace(found, sequences=[*found.sequences, *more])
