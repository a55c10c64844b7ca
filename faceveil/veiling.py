"""Frames with their veils, written into a sink that is open already."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from faceveil.analysis import Analysis
from faceveil.assure.contact_sheet import ContactSheet
from faceveil.assure.coverage import Coverage, check_coverage
from faceveil.assure.kept_pictures import KeptPictures
from faceveil.assure.traces import TraceLog
from faceveil.media.frames import Frame, FrameSink, FrameSource
from faceveil.media.matte import Matte, MatteSink
from faceveil.progress import Progress, QuietProgress
from faceveil.veils.draw import draw_boxes
from faceveil.veils.kinds import planned_opacity, veil_planned
from faceveil.veils.plan import FramePlans, VeilPlan
from faceveil.veils.render import veil_whole
from faceveil.veils.styles import VeilStyle


def render_frames(
    source: FrameSource,
    analysis: Analysis,
    sink: FrameSink,
    style: VeilStyle | None = None,
    *,
    boxes_only: bool = False,
    contact_sheet: ContactSheet | None = None,
    traces: TraceLog | None = None,
    matte: MatteSink | None = None,
    kept_pictures: KeptPictures | None = None,
    progress: Progress | None = None,
) -> Coverage:
    """Write every frame with its veils into an entered sink, without verification.

    This is the step inside `render`, for callers that verify by themselves, such as a chunk of a
    job. Coverage is checked before the first frame is written. The sink publishes when its own
    block ends, so an error here leaves no output.

    Parameters
    ----------
    source, analysis, style, boxes_only, contact_sheet, progress
        As for `render`.
    sink
        Where the frames go, entered.
    traces
        Takes of every frame what verification compares the output with.
    matte
        Where mattes go, entered.
    kept_pictures
        Takes pictures of the people who are kept, out of veiled frames.

    Returns
    -------
    Coverage
        The detections that were checked.

    Raises
    ------
    CoverageError
        Where a detected face that is to be veiled would not lie inside a veil.
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
            if matte is not None:
                matte.write(frame, _matte(frame, plan, analysis, style))
            if boxes_only:
                sink.write(frame, _draw(frame, plan, analysis))
            else:
                changed = veil_frame_of(frame, plan, analysis, style)
                if kept_pictures is not None and frame.number in kept_pictures.wanted_frames:
                    kept_pictures.add(frame.number, frame.rgb())
                sink.write(frame, changed)
            stage.advance()
    return coverage


def changed_frames(analysis: Analysis) -> NDArray[np.bool_]:
    """Return bool [frames]: which frames may get a veil."""
    changed = np.zeros(analysis.source.frame_count, np.bool_)
    veiled = np.flatnonzero(analysis.veiled).tolist()
    for frames in (analysis.unknown_frames, *(analysis.sequences[i].frames for i in veiled)):
        changed[frames[(frames >= 0) & (frames < len(changed))]] = True
    return changed


def _checked_coverage(analysis: Analysis, plan: VeilPlan, style: VeilStyle) -> Coverage:
    width, height = analysis.source.width, analysis.source.height
    coverage = check_coverage(
        analysis.detections, plan, analysis.veiled, style, width=width, height=height
    )
    coverage.require()
    return coverage


def veil_frame_of(frame: Frame, plan: FramePlans, analysis: Analysis, style: VeilStyle) -> bool:
    """Veil one frame in place: whole where it was never analysed ("fail closed")."""
    if plan.whole(frame.number) or frame.number >= analysis.source.frame_count:
        veil_whole(frame.planes(), plan.whole_seed, style)
        return True
    planned = plan.at(frame.number)
    return len(planned) > 0 and veil_planned(frame.planes(), planned, style)


def _matte(frame: Frame, plan: VeilPlan, analysis: Analysis, style: VeilStyle) -> Matte:
    """Where `veil_frame_of` veils the frame, uint8 [height, width]."""
    if plan.whole(frame.number) or frame.number >= analysis.source.frame_count:
        return np.full((frame.height, frame.width), 255, np.uint8)
    return planned_opacity(plan.at(frame.number), style, frame.width, frame.height)


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
