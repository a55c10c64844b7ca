"""The stages joined: analyse() finds and follows faces, decide() says who is veiled,
render() veils.

Each stage is an argument or a function of its own, so that any of them can be replaced
(DESIGN section 1).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from faceveil.analysis import Analysis, SourceInfo
from faceveil.assure.contact_sheet import ContactSheet
from faceveil.assure.coverage import Coverage, check_coverage
from faceveil.assure.traces import TraceLog
from faceveil.errors import InputError
from faceveil.faces import DetectionLog, FaceSequence, FrameFaces, Image, Ints, Models
from faceveil.identity.cluster import cluster
from faceveil.identity.limit import limit
from faceveil.identity.select import Selection
from faceveil.identity.select import decide as decide_each
from faceveil.media.frames import Frame, FrameSink, FrameSource
from faceveil.parallel import ordered_map
from faceveil.progress import Progress, QuietProgress
from faceveil.resources import release_freed_memory
from faceveil.sequence.build import SequenceBuilder
from faceveil.sequence.options import SequenceOptions
from faceveil.sequence.process import finish
from faceveil.sequence.shots import ShotDetector
from faceveil.veil.draw import draw_boxes
from faceveil.veil.plan import VeilPlan
from faceveil.veil.render import veil_frame, veil_whole
from faceveil.veil.styles import VeilStyle

FRAMES_BETWEEN_RELEASES = 64

Analyzer = Callable[[Image], FrameFaces]
"""A frame, RGB uint8 [H, W, 3], in; its faces out. Called from several threads."""


class Shots(Protocol):
    """Says for each frame, in order, whether it starts a new shot."""

    def push(self, thumbnail: Image | None) -> bool:
        """`thumbnail` RGB uint8 [27, 48, 3] of the next frame, None where it is unknown."""
        ...


class EveryFrame:
    """Shots for unrelated pictures: each is a shot of its own, so no sequence joins two."""

    def push(self, thumbnail: Image | None) -> bool:
        return True


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """What analyse() found, features included: kept in memory, never in analysis.json."""

    frame_count: int
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
    workers: int = 2,
    progress: Progress | None = None,
) -> Found:
    """Detect the faces of every frame and follow each through its shot.

    Memory is bounded by the sequences, not by the frames. Raises InputError when the source has
    no frame that can be read.
    """
    if shots is None:
        shots = EveryFrame() if source.kind == "stills" else ShotDetector()
    faces = _detect(source, analyzer, workers, progress or QuietProgress())
    return follow(faces, options, shots=shots, size=(source.width, source.height))


def follow(
    frames: Iterator[tuple[int, FrameFaces]],
    options: SequenceOptions | None = None,
    *,
    size: tuple[int, int],
    shots: Shots | None = None,
) -> Found:
    """Build finished sequences from (frame number, faces) in frame order.

    `size` is the width and height of the upright frame. The batch path enters here, with
    detections read from JSON.
    """
    options = options or SequenceOptions()
    shots = shots or ShotDetector()
    builder = SequenceBuilder(options)
    models, number, unknown = None, -1, []
    for number, faces in frames:
        builder.push(number, faces, shots.push(faces.thumbnail))
        models = models or faces.models
        if faces.error is not None:
            unknown.append(number)
    if number < 0:
        raise InputError("the input has no frame that can be read")
    built = builder.finish()
    sequences, detections = finish(built, options, number + 1, *size)
    return Found(
        frame_count=number + 1,
        models=models,
        shot_starts=built.shot_starts,
        unknown_frames=np.array(unknown, np.int32),
        sequences=sequences,
        detections=detections,
    )


def _detect(
    source: FrameSource, analyzer: Analyzer, workers: int, progress: Progress
) -> Iterator[tuple[int, FrameFaces]]:
    def detect(frame: Frame) -> tuple[int, FrameFaces]:
        return frame.number, analyzer(frame.rgb())

    with progress.stage("analyse", source.frame_count) as stage:
        for count, result in enumerate(ordered_map(detect, source, workers), 1):
            yield result
            stage.advance()
            if count % FRAMES_BETWEEN_RELEASES == 0:
                release_freed_memory()
    release_freed_memory()


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
    identities = cluster(found.sequences)
    analysis = Analysis(
        source=_describe(source, found.frame_count),
        models=found.models,
        parameters=parameters or {},
        shot_starts=found.shot_starts,
        unknown_frames=found.unknown_frames,
        sequences=found.sequences,
        identities=identities,
        decisions=decide_each(found.sequences, identities, selection),
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
