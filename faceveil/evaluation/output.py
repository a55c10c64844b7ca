"""What a program covers, faceveil or another: the boxes that are compared with the truth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from faceveil.analysis import Analysis
from faceveil.boxes import grown
from faceveil.faces import FaceSequence, Floats, Ints, Kind
from faceveil.veils.kinds import by_style
from faceveil.veils.plan import VeilPlan
from faceveil.veils.region import core
from faceveil.veils.styles import VeilStyle


@dataclass(frozen=True, slots=True, eq=False)
class Output:
    """Detected boxes and what of them is veiled, as columns with rising frames.

    Attributes
    ----------
    frames : ndarray of int32 [m]
    boxes : ndarray of float32 [m, 4]
        Around faces and other objects, in pixels of the upright frame.
    regions : ndarray of float32 [m, 4]
        The opaque part of each veil.
    veiled : ndarray of bool [m]
    sequence, identity : ndarray of int32 [m]
        Which boxes are one face followed, and one person; -1 where the program does not say.
    is_round : bool
        Of faces, only the ellipses inscribed in the regions are opaque.
    kinds : ndarray of uint8 [m]
        The `Kind` of each box, by default faces.
    whole_frames : ndarray of int32
        Frames that are veiled whole.
    """

    frames: Ints
    boxes: Floats
    regions: Floats
    veiled: NDArray[np.bool_]
    sequence: Ints
    identity: Ints
    is_round: bool = False
    whole_frames: Ints = field(default_factory=lambda: np.zeros(0, np.int32))
    kinds: NDArray[np.uint8] = field(default_factory=lambda: np.zeros(0, np.uint8))

    def __post_init__(self) -> None:
        if len(self.kinds) != len(self.frames):
            object.__setattr__(self, "kinds", np.zeros(len(self.frames), np.uint8))

    def __len__(self) -> int:
        return len(self.frames)

    @property
    def round_rows(self) -> NDArray[np.bool_]:
        """bool [m]: which regions are ellipses."""
        return np.asarray(self.is_round & (self.kinds == Kind.FACE))

    def of_kinds(self, kinds: Sequence[Kind]) -> Output:
        """The boxes of these kinds."""
        rows = np.isin(self.kinds, kinds)
        columns = ("frames", "boxes", "regions", "veiled", "sequence", "identity", "kinds")
        return replace(self, **{name: getattr(self, name)[rows] for name in columns})


def output_of_analysis(analysis: Analysis, style: VeilStyle | None = None) -> Output:
    """Return what rendering this analysis in this style would cover."""
    style = style or VeilStyle()
    frames, boxes, sequence = planned_boxes(analysis.sequences)
    order = np.argsort(frames, kind="stable")
    frames, boxes, sequence = frames[order], boxes[order], sequence[order]
    kinds = np.array([item.kind for item in analysis.sequences], np.uint8)[sequence]
    regions = np.zeros((len(boxes), 4), np.float32)
    for rows, own in by_style(kinds, style):
        regions[rows] = core(boxes[rows], own)
    plan = VeilPlan.build(
        analysis.sequences,
        analysis.veiled,
        secret="",
        unknown_frames=analysis.unknown_frames,
    )
    return Output(
        frames=frames,
        boxes=boxes,
        regions=regions,
        veiled=analysis.veiled[sequence],
        sequence=sequence,
        identity=analysis.identities[sequence],
        is_round=style.is_round,
        whole_frames=plan.whole_frames,
        kinds=kinds,
    )


def output_of_boxes(
    frames: Ints,
    boxes: Floats,
    *,
    grow: float = 0.0,
    is_round: bool = False,
    sequence: Ints | None = None,
    kinds: NDArray[np.uint8] | None = None,
) -> Output:
    """Return what another program covers, given its boxes.

    Parameters
    ----------
    frames : ndarray of int32 [m]
    boxes : ndarray of float32 [m, 4]
    grow : float
        Each box is grown by this share of its width and height on each side.
    is_round : bool
        Of faces, only the inscribed ellipses are covered.
    sequence : ndarray of int32 [m], optional
        The face followed; -1 where unknown.
    kinds : ndarray of uint8 [m], optional
        The `Kind` of each box; by default faces.

    Notes
    -----
    deface 1.5 covers the ellipses of boxes grown by 0.3 (its --mask-scale 1.3).
    """
    order = np.argsort(frames, kind="stable")
    frames, boxes = np.asarray(frames)[order], np.asarray(boxes, np.float32).reshape(-1, 4)[order]
    unknown = np.full(len(frames), -1, np.int32)
    return Output(
        frames=frames.astype(np.int32),
        boxes=boxes,
        regions=grown(boxes, grow),
        veiled=np.ones(len(frames), bool),
        sequence=unknown if sequence is None else np.asarray(sequence, np.int32)[order],
        identity=unknown,
        is_round=is_round,
        kinds=np.zeros(len(frames), np.uint8) if kinds is None else np.asarray(kinds)[order],
    )


def planned_boxes(sequences: Sequence[FaceSequence]) -> tuple[Ints, Floats, Ints]:
    """Return all boxes of sequences: frames int32 [m], boxes float32 [m, 4], sequence int32 [m]."""
    lengths = [len(sequence) for sequence in sequences]
    return (
        np.concatenate([np.zeros(0, np.int32), *(part.frames for part in sequences)]),
        np.concatenate([np.zeros((0, 4), np.float32), *(part.boxes for part in sequences)]),
        np.repeat(np.arange(len(lengths), dtype=np.int32), lengths),
    )
