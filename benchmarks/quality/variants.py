"""What is compared: faceveil's defaults, each step switched off, the thesis's parameters."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from time import process_time
from unittest.mock import patch

import numpy as np

from benchmarks.quality.detections import Detections
from benchmarks.quality.source import HeldSource, KnownShots
from faceveil.evaluation.output import Output, output_of_boxes, planned_boxes
from faceveil.faces import FaceSequence, FrameFaces, Ints
from faceveil.finding import Found, analyse
from faceveil.identity.cluster import cluster
from faceveil.sampling.adaptive import SamplingOptions
from faceveil.sequence import finish as finishing
from faceveil.sequence.options import THESIS, SequenceOptions
from faceveil.tracking.track import TrackOptions
from faceveil.veils.region import core
from faceveil.veils.styles import VeilStyle

STYLE = VeilStyle()
DEFAULT = SequenceOptions()
TRACKING = TrackOptions()
_NO_END = 10**9


@dataclass(frozen=True)
class Variant:
    """A row of the table: the detections it starts from, and what becomes of them.

    without: names of functions of faceveil.sequence.finish that are left out. recognises_all: every
    face of every frame, not only where that decides something.
    """

    name: str
    detector: str = "default"
    options: SequenceOptions | None = DEFAULT
    sampling: SamplingOptions | None = None
    tracking: TrackOptions | None = TRACKING
    without: tuple[str, ...] = ()
    recognises_all: bool = False

    def found(self, detections: Detections, source: HeldSource, shot_starts: list[bool]) -> Found:
        """What the pipeline makes of these detections."""
        analyzer = source.remembered(detections)
        with ExitStack() as stack:
            for name in self.without:
                stack.enter_context(patch.object(finishing, name, WITHOUT[name]))
            return analyse(
                source,
                analyzer,
                self.options,
                shots=KnownShots(shot_starts),
                sampling=self.sampling,
                tracking=self.tracking,
                recognise_all=self.recognises_all,
                workers=1,
            )

    def output(
        self, detections: Detections, source: HeldSource, shot_starts: list[bool]
    ) -> tuple[Output, float]:
        """What is veiled, and the processor seconds of it all but the search for shots."""
        if self.options is None:
            return _each_frame_alone(detections.frames), detections.seconds
        source.remembered(detections).prepare()
        start = process_time()
        output, analysed = self.veiled(detections, source, shot_starts)
        detection = detections.seconds * analysed / len(detections.frames)
        return output, process_time() - start + detection

    def veiled(
        self, detections: Detections, source: HeldSource, shot_starts: list[bool]
    ) -> tuple[Output, int]:
        """What is veiled where faces are followed, and in how many frames they were detected."""
        found = self.found(detections, source, shot_starts)
        output = output_of_sequences(found.sequences, cluster(found.sequences))
        return output, found.analysed_frames


def _absorb_nothing(sequences: Sequence[FaceSequence]) -> tuple[list[FaceSequence], Ints]:
    return list(sequences), np.arange(len(sequences), dtype=np.int32)


WITHOUT: dict[str, Callable] = {
    "absorb": _absorb_nothing,
    "reach": lambda sequence, analysed_until=None: (0, _NO_END),
    "reach_back": lambda sequences, loose: list(sequences),
    "trim": list,
}

VARIANTS = (
    Variant("faceveil, every frame"),
    Variant("faceveil, adaptive", sampling=SamplingOptions()),
    Variant("faceveil, high-recall", detector="high-recall"),
    Variant("faceveil, fast: no second look", detector="fast"),
    Variant("faceveil, MTCNN alone", detector="mtcnn"),
    Variant("every face recognised", recognises_all=True),
    Variant("without tracking", tracking=None),
    Variant("without low scores", options=replace(DEFAULT, low_scores=False)),
    Variant("without joining", options=replace(DEFAULT, join_gap=0)),
    Variant("without extension", options=replace(DEFAULT, extension=0)),
    Variant("without smoothing", options=replace(DEFAULT, smoothing="none")),
    Variant("smoothed by RTS", options=replace(DEFAULT, smoothing="rts")),
    Variant("without absorbing", without=("absorb",)),
    Variant("without trimming", without=("trim",)),
    Variant("without reaching back", without=("reach_back",)),
    Variant("followed without earning it", without=("reach",)),
    Variant("the thesis's parameters", options=THESIS, tracking=None),
    Variant("accepted detections alone, no sequences", options=None),
)


def output_of_sequences(
    sequences: Sequence[FaceSequence], identities: Ints | None = None
) -> Output:
    """What veiling all of them in the default style covers."""
    frames, boxes, sequence = planned_boxes(sequences)
    order = np.argsort(frames, kind="stable")
    frames, boxes, sequence = frames[order], boxes[order], sequence[order]
    unknown = np.full(len(frames), -1, np.int32)
    return Output(
        frames=frames,
        boxes=boxes,
        regions=core(boxes, STYLE).astype(np.float32),
        veiled=np.ones(len(frames), bool),
        sequence=sequence,
        identity=unknown if identities is None else np.asarray(identities)[sequence],
        is_round=STYLE.is_round,
    )


def _each_frame_alone(frames: Sequence[FrameFaces]) -> Output:
    accepted = [faces.boxes[faces.accepted] for faces in frames]
    numbers = np.repeat(np.arange(len(frames), dtype=np.int32), [len(part) for part in accepted])
    boxes = np.concatenate([np.zeros((0, 4), np.float32), *accepted])
    output = output_of_boxes(numbers, boxes, is_round=STYLE.is_round)
    return replace(output, regions=core(output.boxes, STYLE).astype(np.float32))
