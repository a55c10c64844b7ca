"""What is compared: faceveil's defaults, each step switched off, the thesis's parameters."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from time import process_time
from unittest.mock import patch

import numpy as np
from quality_detections import Detections

from faceveil.assure.evaluate_output import Output, output_of_boxes, planned_boxes
from faceveil.faces import FaceSequence, FrameFaces, Ints
from faceveil.identity.cluster import cluster
from faceveil.pipeline import follow
from faceveil.sequence import process
from faceveil.sequence.options import THESIS, SequenceOptions
from faceveil.veil.region import core
from faceveil.veil.styles import VeilStyle

STYLE = VeilStyle()
DEFAULT = SequenceOptions()


@dataclass(frozen=True)
class Variant:
    """A row of the table: the detections it starts from, and what becomes of them.

    without: names of functions of faceveil.sequence.process that are left out.
    """

    name: str
    detector: str = "union"
    options: SequenceOptions | None = DEFAULT
    without: tuple[str, ...] = ()

    def output(self, detections: Detections, size: tuple[int, int]) -> tuple[Output, float]:
        """What is veiled, and the processor seconds of it all, detection included."""
        if self.options is None:
            return _each_frame_alone(detections.frames), detections.seconds
        start = process_time()
        with ExitStack() as stack:
            for name in self.without:
                stack.enter_context(patch.object(process, name, WITHOUT[name]))
            numbered = iter(enumerate(detections.frames))
            sequences = follow(numbered, self.options, size=size).sequences
        output = _output(sequences, cluster(sequences))
        return output, process_time() - start + detections.seconds


def _absorb_nothing(sequences: Sequence[FaceSequence]) -> tuple[list[FaceSequence], Ints]:
    return list(sequences), np.arange(len(sequences), dtype=np.int32)


WITHOUT: dict[str, Callable] = {
    "absorb": _absorb_nothing,
    "trim": list,
}

VARIANTS = (
    Variant("faceveil, every frame"),
    Variant("faceveil, MTCNN alone", detector="mtcnn"),
    Variant("faceveil, CenterFace alone", detector="centerface"),
    Variant("without low scores", options=replace(DEFAULT, low_scores=False)),
    Variant("without joining", options=replace(DEFAULT, join_gap=0)),
    Variant("without extension", options=replace(DEFAULT, extension=0)),
    Variant("without smoothing", options=replace(DEFAULT, smoothing="none")),
    Variant("without absorbing", without=("absorb",)),
    Variant("without trimming", without=("trim",)),
    Variant("the thesis's parameters", options=THESIS),
    Variant("accepted detections alone, no sequences", options=None),
)


def _output(sequences: Sequence[FaceSequence], identities: Ints) -> Output:
    frames, boxes, sequence = planned_boxes(sequences)
    order = np.argsort(frames, kind="stable")
    frames, boxes, sequence = frames[order], boxes[order], sequence[order]
    return Output(
        frames=frames,
        boxes=boxes,
        regions=core(boxes, STYLE).astype(np.float32),
        veiled=np.ones(len(frames), bool),
        sequence=sequence,
        identity=np.asarray(identities)[sequence],
        is_round=STYLE.is_round,
    )


def _each_frame_alone(frames: Sequence[FrameFaces]) -> Output:
    accepted = [faces.boxes[faces.accepted] for faces in frames]
    numbers = np.repeat(np.arange(len(frames), dtype=np.int32), [len(part) for part in accepted])
    boxes = np.concatenate([np.zeros((0, 4), np.float32), *accepted])
    output = output_of_boxes(numbers, boxes, is_round=STYLE.is_round)
    return replace(output, regions=core(output.boxes, STYLE).astype(np.float32))
