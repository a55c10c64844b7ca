"""Facial sequences from the faces of one frame after another (thesis 3.1.4)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faceveil.errors import InputError
from faceveil.faces import (
    LOW_SCORE,
    DetectionLog,
    FaceSequence,
    Floats,
    FrameFaces,
    Ints,
    Provenance,
)
from faceveil.sequence.columns import GrowingColumn
from faceveil.sequence.geometry import iou, sides
from faceveil.sequence.match import Distance, assign, distance_by_name
from faceveil.sequence.options import SequenceOptions
from faceveil.sequence.samples import FeatureSamples
from faceveil.sequence.tracks import OpenTracks

LOW_SCORE_IOU = 0.3
DUPLICATE_IOU = 0.6
SHADOWED_IOU = 0.4


@dataclass(frozen=True, slots=True, eq=False)
class Built:
    """What following all frames gives.

    sequences are ordered by their first frame; detections refer to them by index. shot_starts
    int32 [s]: the first frame of each shot, the very first frame included.
    """

    sequences: list[FaceSequence]
    detections: DetectionLog
    shot_starts: Ints


class SequenceBuilder:
    """Follows faces through a video, frame by frame; memory grows by 30 bytes a face.

    Each accepted detection continues a sequence of its shot or starts one; none is dropped. A
    detection with a low score (from LOW_SCORE) may continue a sequence that no accepted one
    matched, where it overlaps the expected place. Two faces of one frame are never one sequence,
    save two boxes of one face (IoU of 0.6, features that do not contradict): the sequence then
    has the box around both, so that a person who is kept is not veiled by a double of their own.

    `distance` replaces the distance named in the options.
    """

    def __init__(
        self, options: SequenceOptions | None = None, distance: Distance | None = None
    ) -> None:
        self._options = options or SequenceOptions()
        self._distance = distance or distance_by_name(self._options.distance)
        self._open = OpenTracks()
        self._samples: list[FeatureSamples] = []
        self._shots: list[int] = []
        self._shot_starts: list[int] = []
        self._last_frame = -1
        self._feature_size = 0
        self._frames = GrowingColumn((), np.int32)
        self._boxes = GrowingColumn((4,), np.float32)
        self._scores = GrowingColumn((), np.float32)
        self._provenance = GrowingColumn((), np.uint8)
        self._sequence = GrowingColumn((), np.int32)

    def push(self, frame_number: int, faces: FrameFaces, new_shot: bool) -> None:
        """Take the faces of the next frame; numbers rise but may leave frames out.

        new_shot: this frame is the first of a shot; no sequence continues into it. A frame that
        could not be read (faces.error) only lets time pass. Raises InputError when frames are
        out of order or features come from different recognisers.
        """
        if frame_number <= self._last_frame:
            raise InputError(
                f"frame {frame_number} came after frame {self._last_frame}; "
                "give each frame once and in order"
            )
        self._last_frame = frame_number
        if new_shot or not self._shot_starts:
            self._shot_starts.append(frame_number)
            self._open.clear(self._feature_size)
        if len(faces) == 0:
            return
        features = self._features_of(faces)
        if len(self._open):
            recent = frame_number - self._open.frames <= self._options.max_gap
            if not recent.all():
                self._open.keep(recent)
        is_accepted = faces.accepted
        accepted = np.flatnonzero(is_accepted)
        low = np.flatnonzero(~is_accepted & (faces.scores >= np.float32(LOW_SCORE)))
        unmatched = self._push_accepted(frame_number, faces, features, accepted)
        if self._options.low_scores and len(low) and len(unmatched):
            low = _not_shadowed(faces.boxes, low, accepted)
            self._push_low(frame_number, faces, low, unmatched)

    def finish(self) -> Built:
        """All sequences and every accepted detection."""
        sequence = self._sequence.values
        accepted = self._provenance.values == Provenance.DETECTED
        log = DetectionLog(
            frames=self._frames.values[accepted],
            boxes=self._boxes.values[accepted],
            sequence=sequence[accepted],
        )
        # The rows are in order of frames; a stable sort keeps that within each sequence.
        order = np.argsort(sequence, kind="stable")
        ends = np.searchsorted(sequence[order], np.arange(len(self._samples)), side="right")
        rows_of = np.split(order, ends[:-1]) if len(ends) else []
        sequences = [self._sequence_of(number, rows) for number, rows in enumerate(rows_of)]
        return Built(sequences, log, np.array(self._shot_starts, np.int32))

    def _features_of(self, faces: FrameFaces) -> Floats:
        """Features float32 [n, D], zeros where there are none."""
        size = faces.features.shape[1]
        if size and not self._feature_size:
            self._feature_size = size
            self._open.features = np.zeros((len(self._open), size), np.float32)
        if size not in (0, self._feature_size):
            raise InputError(
                f"features of {size} numbers after features of {self._feature_size}: these "
                "detections were made with different recognisers; detect all frames with one"
            )
        return faces.features if size else np.zeros((len(faces), self._feature_size), np.float32)

    def _push_accepted(
        self, frame: int, faces: FrameFaces, features: Floats, accepted: NDArray[Any]
    ) -> NDArray[Any]:
        """Continue or start sequences; returns the rows of open sequences left unmatched."""
        if not len(accepted):
            return np.arange(len(self._open))
        shorter = sides(faces.boxes).min(axis=1)
        big_enough = shorter >= np.float32(self._distance.min_feature_size)
        comparable = features * big_enough[:, None]
        leaders, leader_of = _merge_doubles(faces.boxes, faces.scores, comparable, accepted)
        boxes, seen = faces.boxes[leaders], comparable[leaders]

        rows = columns = np.zeros(0, np.intp)
        open_before = len(self._open)
        if open_before:
            cost = self._distance(self._open.pairs(frame, boxes, seen))
            rows, columns = assign(cost, self._distance.limit)
            self._open.move(rows, frame, boxes[columns])
            self._open.remember(rows, seen[columns], self._distance.feature_memory)
        ids = np.full(len(leaders), -1, np.int64)
        ids[columns] = self._open.ids[rows]
        new = np.flatnonzero(ids < 0)
        if len(new):
            ids[new] = self._start(frame, boxes[new], seen[new])
        quality = np.where(features.any(axis=1), shorter * faces.scores, 0)[leaders]
        for number, value, face in zip(ids.tolist(), quality.tolist(), leaders, strict=True):
            if value > 0:
                self._samples[number].offer(frame, value, features[face])
        self._log(frame, faces, accepted, ids[leader_of], Provenance.DETECTED)
        unmatched = np.ones(open_before, bool)
        unmatched[rows] = False
        return np.flatnonzero(unmatched)

    def _push_low(
        self, frame: int, faces: FrameFaces, low: NDArray[Any], unmatched: NDArray[Any]
    ) -> None:
        """The second round: low scores continue sequences left unmatched, and only those."""
        pairs = self._open.pairs(
            frame, faces.boxes[low], np.zeros((len(low), self._feature_size), np.float32)
        )
        cost = self._distance(pairs)
        cost[iou(pairs.predicted, pairs.after) < LOW_SCORE_IOU] = np.inf
        rows, columns = assign(cost[unmatched], self._distance.limit)
        rows = unmatched[rows]
        self._open.move(rows, frame, faces.boxes[low[columns]])
        self._log(frame, faces, low[columns], self._open.ids[rows], Provenance.LOW_SCORE)

    def _start(self, frame: int, boxes: Floats, features: Floats) -> NDArray[np.int64]:
        ids = np.arange(len(self._samples), len(self._samples) + len(boxes))
        self._samples += [FeatureSamples(frame) for _ in ids]
        self._shots += [len(self._shot_starts) - 1] * len(ids)
        self._open.start(ids, frame, boxes, features)
        return ids

    def _log(
        self,
        frame: int,
        faces: FrameFaces,
        index: NDArray[Any],
        ids: NDArray[Any],
        provenance: Provenance,
    ) -> None:
        count = len(index)
        self._frames.append(frame, count)
        self._boxes.append(faces.boxes[index], count)
        self._scores.append(faces.scores[index], count)
        self._provenance.append(provenance, count)
        self._sequence.append(ids, count)

    def _sequence_of(self, number: int, rows: NDArray[Any]) -> FaceSequence:
        frames, boxes = self._frames.values[rows], self._boxes.values[rows]
        first = np.flatnonzero(np.diff(frames, prepend=-1))  # doubles share a frame
        low, high = (f.reduceat(boxes, first) for f in (np.minimum, np.maximum))
        sample_frames, quality, features = self._samples[number].columns(self._feature_size)
        return FaceSequence(
            frames=frames[first],
            boxes=np.concatenate([low[:, :2], high[:, 2:]], axis=1),
            scores=np.maximum.reduceat(self._scores.values[rows], first),
            provenance=self._provenance.values[rows][first],
            shot=self._shots[number],
            feature_frames=sample_frames,
            feature_quality=quality,
            features=features,
        )


def _merge_doubles(
    boxes: Floats, scores: Floats, features: Floats, accepted: NDArray[Any]
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Which faces stand for two boxes of one face.

    Returns leaders [k], indices into boxes with the best score first kept, and leader_of
    [len(accepted)], the position in leaders of each accepted face's own.
    """
    count = len(accepted)
    own = np.arange(count)
    if count < 2:
        return accepted, own
    overlap = iou(boxes[accepted][:, None], boxes[accepted][None]) >= DUPLICATE_IOU
    if overlap.sum() == count:
        return accepted, own
    known = features[accepted]
    similarity = known @ known.T
    overlap &= (similarity == 0) | (similarity >= 0.2)
    ranked = np.argsort(-scores[accepted], kind="stable")
    leader = np.full(count, -1)
    for face in ranked:
        if leader[face] < 0:
            leader[overlap[face] & (leader < 0)] = face
    leaders = np.unique(leader)
    return accepted[leaders], np.searchsorted(leaders, leader)


def _not_shadowed(boxes: Floats, low: NDArray[Any], accepted: NDArray[Any]) -> NDArray[Any]:
    """Low scores that are not just a second look at an accepted face."""
    if not len(accepted):
        return low
    overlap = iou(boxes[low][:, None], boxes[accepted][None]).max(axis=1)
    return np.asarray(low[overlap < SHADOWED_IOU])
