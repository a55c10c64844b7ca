"""Outputs with one veil removed by hand, to see whether verification notices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from faceveil.analysis import Analysis, SourceInfo
from faceveil.assure.verify import share_under
from faceveil.decisions import Decision
from faceveil.faces import DetectionLog, FaceSequence, Ints
from faceveil.media.frames import FrameSink, FrameSource
from faceveil.veils.plan import VeilPlan
from faceveil.veils.region import core, must_cover
from faceveil.veils.render import veil_frame
from faceveil.veils.styles import VeilStyle
from testkit.truth import Truth

FEWEST_FRAMES = 3
_HIDDEN = 0.7
"""A veil of which others hide this much anyway shows nothing when it is removed."""


@dataclass(frozen=True)
class Removal:
    """The sequence whose veil is removed, and on which frames; `whole` says on all of its own."""

    sequence: int
    frames: Ints
    whole: bool


def analysis_of(sequences: Sequence[FaceSequence], source: FrameSource, count: int) -> Analysis:
    """An analysis that veils everyone, each sequence a person of its own."""
    return Analysis(
        source=SourceInfo(
            source.path.name,
            source.kind,
            source.digest(),
            source.width,
            source.height,
            count,
            str(source.rate),
        ),
        models=None,
        parameters={},
        shot_starts=np.zeros(1, np.int32),
        unknown_frames=np.zeros(0, np.int32),
        sequences=sequences,
        identities=np.arange(len(sequences), dtype=np.int32),
        decisions=[Decision(True, "everyone is veiled")] * len(sequences),
        detections=DetectionLog(
            np.zeros(0, np.int32), np.zeros((0, 4), np.float32), np.zeros(0, np.int32)
        ),
    )


def true_sequences(truth: Truth) -> list[FaceSequence]:
    """The true boxes of each person in each shot."""
    sequences = []
    for shot in np.unique(truth.shots):
        for person in np.unique(truth.person[truth.shots == shot]):
            rows = (truth.shots == shot) & (truth.person == person)
            count = int(rows.sum())
            sequences.append(
                FaceSequence(
                    truth.frames[rows],
                    truth.boxes[rows],
                    np.ones(count, np.float32),
                    np.zeros(count, np.uint8),
                    shot=int(shot),
                )
            )
    return sequences


def plan_of(analysis: Analysis, removal: Removal | None = None) -> VeilPlan:
    """The plan rendering uses, without what is removed."""
    plan = VeilPlan.build(
        analysis.sequences,
        analysis.veiled,
        secret=analysis.source.digest,
        unknown_frames=analysis.unknown_frames,
    )
    if removal is None:
        return plan
    stays = (plan.sequence != removal.sequence) | ~np.isin(plan.frames, removal.frames)
    return replace(
        plan,
        frames=plan.frames[stays],
        boxes=plan.boxes[stays],
        provenance=plan.provenance[stays],
        sequence=plan.sequence[stays],
    )


def render_without(
    source: FrameSource,
    analysis: Analysis,
    sink: FrameSink,
    style: VeilStyle,
    removal: Removal | None = None,
) -> None:
    """Render as the pipeline does, leaving one veil away."""
    plan = plan_of(analysis, removal)
    for frame in source:
        planned = plan.at(frame.number)
        changed = len(planned) > 0 and veil_frame(
            frame.planes(), planned.boxes, planned.seeds, style, planned.kept
        )
        sink.write(frame, changed)


def draw_removal(
    random: np.random.Generator, analysis: Analysis, style: VeilStyle, *, whole: bool
) -> Removal:
    """One veil of one sequence, on all of its frames or on a part of at least three in a row.

    A removal that uncovers nothing, as other veils hide the same face, is drawn again.
    """
    while True:
        index = int(random.integers(len(analysis.sequences)))
        frames = analysis.sequences[index].frames
        if not analysis.veiled[index] or len(frames) < FEWEST_FRAMES:
            continue
        if not whole:
            length = int(random.integers(FEWEST_FRAMES, len(frames) + 1))
            start = int(random.integers(len(frames) - length + 1))
            frames = frames[start : start + length]
        removal = Removal(index, frames, whole)
        if shown_frames(analysis, style, removal):
            return removal


def shown_frames(analysis: Analysis, style: VeilStyle, removal: Removal) -> list[int]:
    """The frames on which a removed veil bares something of its face inside the picture."""
    rest = plan_of(analysis, removal)
    size = np.array([analysis.source.width, analysis.source.height] * 2)
    shown = []
    for frame in removal.frames.tolist():
        box = analysis.sequences[removal.sequence].box_at(frame)
        assert box is not None
        region = np.clip(must_cover(box[None], style), 0, size).astype(np.float32)
        others = core(rest.at(frame).boxes, style)
        inside = (region[:, 2:] - region[:, :2] >= 2).all()
        if inside and share_under(region, others, style)[0] < _HIDDEN:
            shown.append(frame)
    return shown
