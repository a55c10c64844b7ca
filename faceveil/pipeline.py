"""The stages joined: analyse() finds and follows faces, decide() says who is veiled,
render() veils.

Each stage is an argument or a function of its own, so that any of them can be replaced
(DESIGN section 1).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from faceveil.analysis import Analysis, SourceInfo
from faceveil.assure.contact_sheet import ContactSheet
from faceveil.assure.coverage import Coverage, check_coverage
from faceveil.assure.traces import TraceLog
from faceveil.errors import InputError
from faceveil.faces import DetectionLog, FaceSequence, FrameFaces, Ints, Models
from faceveil.identity.cluster import cluster
from faceveil.identity.limit import limit
from faceveil.identity.select import Selection
from faceveil.identity.select import decide as decide_each
from faceveil.identity.thresholds import thresholds_of
from faceveil.media.frames import Frame, FrameSink, FrameSource
from faceveil.progress import Progress, QuietProgress
from faceveil.sampling.adaptive import Sampled, SamplingOptions
from faceveil.sampling.detection import Analyzer, in_shots, look_adaptively, look_at_every
from faceveil.sequence.finish import finish
from faceveil.sequence.follow.build import SequenceBuilder
from faceveil.sequence.options import SequenceOptions
from faceveil.shots.transitions import EveryFrame, Shots, TransitionDetector, TransNet
from faceveil.tracking.pixel_tracker import PixelTracker
from faceveil.tracking.track import TrackOptions
from faceveil.veils.draw import draw_boxes
from faceveil.veils.plan import VeilPlan
from faceveil.veils.render import veil_frame, veil_whole
from faceveil.veils.styles import VeilStyle


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """What analyse() found, features included: kept in memory, never in analysis.json.

    looked_at: the number of frames in which faces were looked for.
    """

    frame_count: int
    looked_at: int
    models: Models | None
    shot_starts: Ints
    unknown_frames: Ints
    sequences: Sequence[FaceSequence]
    detections: DetectionLog


def analyse(
    source: FrameSource,
    analyzer: Analyzer,
    options: SequenceOptions | None = None,
    *,
    shots: Shots | None = None,
    sampling: SamplingOptions | None = None,
    tracking: TrackOptions | None = None,
    workers: int = 2,
    progress: Progress | None = None,
) -> Found:
    """Detect the faces of every frame, or with `sampling` of as many as needed, and follow each
    through its shot; with `tracking` also by its pixels, where it was not detected.

    Memory is bounded by the sequences, not by the frames. Raises InputError when the source has
    no frame that can be read.
    """
    progress = progress or QuietProgress()
    stills = source.kind == "stills"
    shots = shots or (EveryFrame() if stills else TransitionDetector(TransNet()))
    if sampling is None or stills:
        looked = look_at_every(source, analyzer, shots, workers, progress)
    else:
        looked = look_adaptively(source, analyzer, shots, sampling, workers, progress)
    tracker = None
    if tracking is not None and not stills:
        tracker = PixelTracker(source, tracking, workers, progress)
    return _connect(looked, options or SequenceOptions(), (source.width, source.height), tracker)


def follow(
    frames: Iterable[tuple[int, FrameFaces | None]],
    options: SequenceOptions | None = None,
    *,
    size: tuple[int, int],
    shots: Shots | None = None,
) -> Found:
    """Build finished sequences from (frame number, faces) in frame order.

    `size` is the width and height of the upright frame. Faces are None where nobody looked, as the
    frames before and after agree. The batch path enters here, with detections read from JSON.
    Raises InputError when there is no frame.
    """
    looked = in_shots(frames, shots or TransitionDetector(TransNet()))
    return _connect(looked, options or SequenceOptions(), size, None)


def _connect(
    looked: Iterable[Sampled[int]],
    options: SequenceOptions,
    size: tuple[int, int],
    tracker: PixelTracker | None,
) -> Found:
    builder = SequenceBuilder(options)
    models, unknown, seen = None, [], bytearray()
    for frame in looked:
        seen.extend(bytes(frame.item + 1 - len(seen)))
        if frame.faces is None:
            continue
        seen[frame.item] = 1
        builder.push(frame.item, frame.faces, frame.new_shot)
        models = models or frame.faces.models
        if frame.faces.error is not None:
            unknown.append(frame.item)
    if not seen:
        raise InputError("the input has no frame that can be read")
    looked_at = np.frombuffer(seen, np.bool_)
    track = None
    if tracker is not None:
        track = partial(tracker, looked=looked_at)
    built = builder.finish()
    sequences, detections = finish(built, options, len(seen), *size, track=track)
    return Found(
        frame_count=len(seen),
        looked_at=int(looked_at.sum()),
        models=models,
        shot_starts=built.shot_starts,
        unknown_frames=np.array(unknown, np.int32),
        sequences=sequences,
        detections=detections,
    )


def decide(
    found: Found,
    source: FrameSource,
    selection: Selection | None = None,
    parameters: dict[str, Any] | None = None,
) -> Analysis:
    """Group the sequences into identities and say which are veiled (default: all), and why.

    Sequences that cross the border of a time range of the selection are split there.
    `parameters` are written down in analysis.json as they are. Raises InputError when the
    selection names a point or identity that is not there.
    """
    selection = selection or Selection()
    recognizer = found.models.recognizer if found.models else None
    identities = cluster(found.sequences, thresholds_of(recognizer).merge)
    analysis = Analysis(
        source=_describe(source, found.frame_count),
        models=found.models,
        parameters=parameters or {},
        shot_starts=found.shot_starts,
        unknown_frames=found.unknown_frames,
        sequences=found.sequences,
        identities=identities,
        decisions=decide_each(found.sequences, identities, selection, recognizer=recognizer),
        detections=found.detections,
    )
    return limit(analysis, selection.times)


def _describe(source: FrameSource, frame_count: int) -> SourceInfo:
    return SourceInfo(
        name=source.path.name,
        kind=source.kind,
        digest=source.digest(),
        width=source.width,
        height=source.height,
        frame_count=frame_count,
        rate=None if source.rate is None else str(source.rate),
    )


def render(
    source: FrameSource,
    analysis: Analysis,
    sink: FrameSink,
    style: VeilStyle | None = None,
    *,
    boxes_only: bool = False,
    contact_sheet: ContactSheet | None = None,
    traces: TraceLog | None = None,
    progress: Progress | None = None,
) -> Coverage:
    """Write every frame with its veils (or, `boxes_only`, with boxes drawn instead of veils).

    Coverage (policy 2) is checked before the first frame is written: CoverageError when a detected
    face that is to be veiled would not lie inside a veil. The sink publishes when its own block
    ends, so an error here leaves no output. `traces` takes of every frame what verification
    compares the output with (policy 5).
    """
    style = style or VeilStyle()
    shown = np.ones_like(analysis.veiled) if boxes_only else analysis.veiled
    plan = VeilPlan.build(
        analysis.sequences,
        shown,
        secret=analysis.source.digest,
        unknown_frames=analysis.unknown_frames,
    )
    coverage = _checked_coverage(analysis, plan, style)
    with (progress or QuietProgress()).stage("render", analysis.source.frame_count) as stage:
        for frame in source:
            if contact_sheet is not None and frame.number in contact_sheet.wanted_frames:
                contact_sheet.add(frame.number, frame.rgb())
            if traces is not None:
                traces.add(frame)
            if boxes_only:
                sink.write(frame, _draw(frame, plan, analysis))
            else:
                sink.write(frame, _veil(frame, plan, analysis, style))
            stage.advance()
    return coverage


def _checked_coverage(analysis: Analysis, plan: VeilPlan, style: VeilStyle) -> Coverage:
    width, height = analysis.source.width, analysis.source.height
    coverage = check_coverage(
        analysis.detections, plan, analysis.veiled, style, width=width, height=height
    )
    coverage.require()
    return coverage


def _veil(frame: Frame, plan: VeilPlan, analysis: Analysis, style: VeilStyle) -> bool:
    """Veil one frame in place; whole where nobody knows what it shows (policy 1)."""
    if plan.whole(frame.number) or frame.number >= analysis.source.frame_count:
        veil_whole(frame.planes(), plan.whole_seed, style)
        return True
    planned = plan.at(frame.number)
    return len(planned) > 0 and veil_frame(frame.planes(), planned.boxes, planned.seeds, style)


def _draw(frame: Frame, plan: VeilPlan, analysis: Analysis) -> bool:
    planned = plan.at(frame.number)
    if len(planned) == 0:
        return False
    rows = planned.sequence
    return draw_boxes(
        frame.planes(),
        planned.boxes,
        analysis.veiled[rows],
        planned.provenance,
        analysis.identities[rows],
    )
