"""The veils of one frame, drawn by the renderer itself, without a plan of all frames."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from faceveil.analysis import Analysis
from faceveil.media.frames import Frame
from faceveil.review.columns import SequenceTable
from faceveil.veiling import veil_frame_of
from faceveil.veils.plan import PlannedBoxes, seed_of, tells_of_faces
from faceveil.veils.styles import VeilStyle


@dataclass(frozen=True, slots=True, eq=False)
class FramePlan:
    """What is veiled on one frame, as `veils.plan.VeilPlan` says it; see `plan.FramePlans`."""

    analysis: Analysis
    planned: PlannedBoxes
    is_whole: bool
    whole_seed: int

    @classmethod
    def of(cls, table: SequenceTable, frame: int) -> FramePlan:
        """Plan the veils of a frame from the sequences that have a box on it."""
        analysis, rows = table.analysis, table.at(frame)
        boxes = np.zeros((len(rows), 4), np.float32)
        provenance = np.zeros(len(rows), np.uint8)
        kinds = np.zeros(len(rows), np.uint8)
        for number, row in enumerate(rows.tolist()):
            sequence = table.sequences[row]
            index = int(np.searchsorted(sequence.frames, frame))
            boxes[number], provenance[number] = sequence.boxes[index], sequence.provenance[index]
            kinds[number] = sequence.kind
        veiled, secret = table.veiled[rows], analysis.source.digest
        seeds = np.array([seed_of(secret, row) for row in rows[veiled].tolist()], np.int64)
        planned = PlannedBoxes(
            boxes[veiled],
            seeds,
            provenance[veiled],
            rows[veiled].astype(np.int32),
            boxes[~veiled],
            kinds[veiled],
        )
        is_unknown = bool(np.isin(frame, analysis.unknown_frames))
        whole_seed = seed_of(secret, len(table.sequences))
        is_whole = is_unknown and not tells_of_faces(kinds, provenance).any()
        return cls(analysis, planned, is_whole, whole_seed)

    def at(self, _: int) -> PlannedBoxes:
        """Return the boxes planned on the frame."""
        return self.planned

    def whole(self, _: int) -> bool:
        """Return whether the frame is veiled whole."""
        return self.is_whole

    def veil(self, frame: Frame, style: VeilStyle) -> None:
        """Veil the frame in place."""
        veil_frame_of(frame, self, self.analysis, style)
