"""The faces of consecutive frames as columns, and which of them count."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from faceveil.boxes import iou, sides
from faceveil.faces import LOW_SCORE, Floats, FrameFaces
from faceveil.sequence.follow.grid import Grid, Indices
from faceveil.sequence.follow.open_sequences import has_feature

DUPLICATE_IOU = 0.6
SHADOWED_IOU = 0.4
OTHER_FACE = 0.2
"""Two boxes in one place whose features have a cosine below this are two faces."""

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class FaceBlock:
    """The faces of t frames, n in all, in order of frames.

    numbers and shots int64 [t]: of each frame; start int64 [t + 1]: its first face. boxes
    float32 [n, 4], scores float32 [n], features float32 [n, D]; comparable float32 [n, D]: the
    features worth comparing, else zeros; quality float32 [n], 0 without a feature. accepted
    bool [n]; leader int64 [n]: the box that stands for an accepted face (usually its own, the best
    one where a face was detected twice) or -1; low bool [n]: low scores that may continue a
    sequence.
    """

    numbers: Indices
    shots: Indices
    start: Indices
    boxes: Floats
    scores: Floats
    features: Floats
    comparable: Floats
    quality: Floats
    accepted: Mask
    leader: Indices
    low: Mask

    def __len__(self) -> int:
        return len(self.numbers)

    @property
    def frame_of(self) -> Indices:
        """int64 [n]: index of the frame of each face."""
        return np.repeat(np.arange(len(self), dtype=np.int64), np.diff(self.start))

    def candidates(self, first: int, stop: int) -> Indices:
        """The faces of frames first to stop that may start or continue a sequence."""
        faces = np.arange(self.start[first], self.start[stop])
        part = slice(self.start[first], self.start[stop])
        counts = self.low[part] | (self.leader[part] == faces)
        return np.asarray(faces[counts], np.int64)

    @classmethod
    def of(
        cls,
        frames: Sequence[tuple[int, int, FrameFaces]],
        feature_size: int,
        min_feature_size: float,
        low_scores: bool,
    ) -> FaceBlock:
        """Columns from (number, shot, faces) of each frame, with features of one size or of 0.

        Features of faces with a side shorter than `min_feature_size` pixels are not compared.
        """
        faces = [faces for _, _, faces in frames]
        counts = np.array([len(one) for one in faces], np.int64)
        start = np.concatenate([[0], np.cumsum(counts)])
        boxes = np.concatenate([one.boxes for one in faces])
        scores = np.concatenate([one.scores for one in faces])
        features = _features(faces, feature_size)
        thresholds = [one.models.accept_score if one.models else 0.0 for one in faces]
        accepted = scores >= np.repeat(np.array(thresholds, np.float32), counts)
        known = has_feature(features)
        shorter = sides(boxes).min(axis=1)
        comparable = features
        misleading = known & ~(accepted & (shorter >= np.float32(min_feature_size)))
        if misleading.any():
            comparable = features.copy()
            comparable[misleading] = 0
        leader, shadowed = _overlapping(start, boxes, scores, comparable, accepted)
        low = ~accepted & (scores >= np.float32(LOW_SCORE)) & ~shadowed
        return cls(
            numbers=np.array([number for number, _, _ in frames], np.int64),
            shots=np.array([shot for _, shot, _ in frames], np.int64),
            start=start,
            boxes=boxes,
            scores=scores,
            features=features,
            comparable=comparable,
            quality=np.where(known, shorter * scores, np.float32(0)),
            accepted=accepted,
            leader=leader,
            low=low if low_scores else np.zeros_like(low),
        )


def _features(faces: Sequence[FrameFaces], size: int) -> Floats:
    """Features float32 [n, size], zeros where a frame has none."""
    return np.concatenate(
        [
            one.features
            if one.features.shape[1] == size
            else np.zeros((len(one), size), np.float32)
            for one in faces
        ]
    )


def _overlapping(
    start: Indices, boxes: Floats, scores: Floats, comparable: Floats, accepted: Mask
) -> tuple[Indices, Mask]:
    """The leader of each face, and the mask of faces that are a second box of an accepted one."""
    count = np.diff(start)
    grid = Grid(start[:-1], count, start[:-1], count)
    with_accepted = accepted[grid.columns] & (grid.rows != grid.columns)
    rows, columns = grid.rows[with_accepted], grid.columns[with_accepted]
    overlap = iou(boxes[rows], boxes[columns])
    shadowed = np.zeros(len(boxes), bool)
    shadowed[rows[overlap >= SHADOWED_IOU]] = True
    leader = np.where(accepted, np.arange(len(boxes)), -1)
    doubles = rows[(overlap >= DUPLICATE_IOU) & accepted[rows]]
    for frame in np.unique(np.searchsorted(start, doubles, side="right") - 1).tolist():
        faces = np.arange(start[frame], start[frame + 1])[accepted[start[frame] : start[frame + 1]]]
        leader[faces] = faces[_leaders(boxes[faces], scores[faces], comparable[faces])]
    return leader, shadowed


def _leaders(boxes: Floats, scores: Floats, comparable: Floats) -> Indices:
    """int64 [n]: which box of a frame stands for each box: of several around one face, the best."""
    similarity = comparable @ comparable.T
    same = (similarity == 0) | (similarity >= OTHER_FACE)
    same &= iou(boxes[:, None], boxes[None]) >= DUPLICATE_IOU
    np.fill_diagonal(same, True)  # a box without area overlaps not even itself
    leader = np.full(len(boxes), -1)
    for face in np.argsort(-scores, kind="stable").tolist():
        if leader[face] < 0:
            leader[same[face] & (leader < 0)] = face
    return leader
