"""Sequences of one face that was lost and detected again a few frames later are joined."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from faceveil.boxes import centres
from faceveil.faces import FaceSequence, Floats, Ints
from faceveil.sequence.follow.feature_samples import FeatureSamples
from faceveil.sequence.follow.open_sequences import LONGEST_MOTION
from faceveil.sequence.match import Distance, Pairs

SAMPLES_AT_AN_END = 8
PAIRS_AT_ONCE = 1 << 15
BOXES_AT_AN_END = 6


def join(
    sequences: Sequence[FaceSequence],
    max_gap: int,
    distance: Distance,
    *,
    always: int = 0,
    reaches: Ints | None = None,
) -> tuple[list[FaceSequence], Ints]:
    """Join sequences of one shot that follow each other.

    Parameters
    ----------
    sequences : sequence of FaceSequence [n]
    max_gap : int
        The most frames from the end of one to the beginning of the next.
    distance : Distance
        How unlike the two faces are.
    always : int
        Over gaps of up to so many frames whatever is earned.
    reaches : ndarray of int32 [n, 2], optional
        The first and last frame that each sequence has earned (`support.reach`): over longer gaps
        only those are joined whose reaches meet. By default all.

    Returns
    -------
    joined : list of FaceSequence
        Ordered by first frame.
    became : ndarray of int32 [n]
        For each given sequence the index of the one it became part of.

    Notes
    -----
    Thesis section 3.1.4. Each end is matched with at most one beginning, at the least total
    distance. Sequences that overlap in time are never joined ("cannot-link").
    """
    ends = _Ends.of(sequences, distance)
    before, after = _candidates(ends, max_gap)
    if reaches is not None:
        meet = reaches[before, 1] >= reaches[after, 0] - 1
        meet |= ends.first[after] - ends.last[before] <= always
        before, after = before[meet], after[meet]
    cost = np.concatenate(
        [distance(ends.pairs(*block)) for block in _blocks(before, after)]
        or [np.zeros(0, np.float32)]
    )
    possible = cost < distance.limit
    before, after, cost = before[possible], after[possible], cost[possible]
    return _chain(sequences, _cheapest_links(len(sequences), before, after, cost, distance.limit))


@dataclass(frozen=True, slots=True, eq=False)
class _Ends:
    """The first and last face of each sequence, as columns [n, ...]."""

    shots: Ints
    first: Ints
    last: Ints
    first_boxes: Floats
    last_boxes: Floats
    velocity: Floats
    first_features: Floats
    last_features: Floats

    @classmethod
    def of(cls, sequences: Sequence[FaceSequence], distance: Distance) -> _Ends:
        return cls(
            shots=np.array([sequence.shot for sequence in sequences], np.int32),
            first=np.array([sequence.first for sequence in sequences], np.int32),
            last=np.array([sequence.last for sequence in sequences], np.int32),
            first_boxes=np.array([sequence.boxes[0] for sequence in sequences], np.float32),
            last_boxes=np.array([sequence.boxes[-1] for sequence in sequences], np.float32),
            velocity=np.array([_end_velocity(sequence) for sequence in sequences], np.float32),
            first_features=_end_features(sequences, distance, at_end=False),
            last_features=_end_features(sequences, distance, at_end=True),
        )

    def pairs(self, before: Ints, after: Ints) -> Pairs:
        """The last face of the earlier sequences with the first of the later ones."""
        similarity = np.einsum("ij,ij->i", self.last_features[before], self.first_features[after])
        similarity[similarity == 0] = np.nan
        gap = self.first[after] - self.last[before]
        time = np.minimum(gap, LONGEST_MOTION).astype(np.float32)[:, None]
        shift = self.velocity[before] * time
        return Pairs(
            before=self.last_boxes[before],
            predicted=self.last_boxes[before] + np.concatenate([shift, shift], axis=1),
            after=self.first_boxes[after],
            gap=gap,
            similarity=similarity,
        )


def _candidates(ends: _Ends, max_gap: int) -> tuple[Ints, Ints]:
    """Index pairs where the second starts 1 to max_gap frames after the first has ended."""
    by_first = np.argsort(ends.first, kind="stable").astype(np.int32)
    sorted_first = ends.first[by_first]
    low = np.searchsorted(sorted_first, ends.last, side="right")
    count = np.searchsorted(sorted_first, ends.last + max_gap, side="right") - low
    before = np.repeat(np.arange(len(count), dtype=np.int32), count)
    position = np.arange(len(before)) - np.repeat(np.cumsum(count) - count, count)
    after = by_first[np.repeat(low, count) + position]
    same_shot = ends.shots[before] == ends.shots[after]
    return before[same_shot], after[same_shot]


def _blocks(before: Ints, after: Ints) -> Iterator[tuple[Ints, Ints]]:
    """The pairs in portions, so that memory stays bounded in a crowd."""
    for start in range(0, len(before), PAIRS_AT_ONCE):
        block = slice(start, start + PAIRS_AT_ONCE)
        yield before[block], after[block]


def _end_velocity(sequence: FaceSequence) -> Floats:
    """Pixels a frame, float32 [2], over the last boxes."""
    frames, boxes = sequence.frames[-BOXES_AT_AN_END:], sequence.boxes[-BOXES_AT_AN_END:]
    if len(frames) < 2:
        return np.zeros(2, np.float32)
    moved = centres(boxes[-1]) - centres(boxes[0])
    return np.asarray(moved / np.float32(frames[-1] - frames[0]), np.float32)


def _end_features(sequences: Sequence[FaceSequence], distance: Distance, at_end: bool) -> Floats:
    """Mean feature near one end of each sequence, normalised; zeros where none is comparable."""
    size = max((sequence.features.shape[1] for sequence in sequences), default=0)
    count = SAMPLES_AT_AN_END if distance.feature_memory else 1
    features = np.zeros((len(sequences), size), np.float32)
    for feature, sequence in zip(features, sequences, strict=True):
        part = slice(-count, None) if at_end else slice(count)
        quality = sequence.feature_quality[part]
        if quality.max(initial=0) >= distance.min_feature_size and len(quality):
            mean = quality @ sequence.features[part]
            feature[: len(mean)] = mean / max(float(np.linalg.norm(mean)), 1e-12)
    return features


def _cheapest_links(
    count: int, before: Ints, after: Ints, cost: Floats, limit: float
) -> dict[int, int]:
    """Min-cost matching of ends and beginnings: {index: index of its continuation}.

    The matching is sparse, so that thousands of sequences in one shot stay cheap. Every end may
    also stay without a continuation, at the cost of `limit`: a column of its own. Weights are
    raised by one because the sparse matching takes a weight of zero for no edge.
    """
    if not len(before):
        return {}
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import min_weight_full_bipartite_matching

    ends = np.arange(count)
    weights = csr_array(
        (
            np.concatenate([cost, np.full(count, limit)]).astype(np.float64) + 1,
            (np.concatenate([before, ends]), np.concatenate([after, count + ends])),
        ),
        shape=(count, 2 * count),
    )
    rows, columns = min_weight_full_bipartite_matching(weights)
    return {int(i): int(j) for i, j in zip(rows, columns, strict=True) if j < count}


def _chain(
    sequences: Sequence[FaceSequence], links: dict[int, int]
) -> tuple[list[FaceSequence], Ints]:
    continued = set(links.values())
    became = np.zeros(len(sequences), np.int32)
    heads = [i for i in range(len(sequences)) if i not in continued]
    heads.sort(key=lambda i: sequences[i].first)
    joined = []
    for number, head in enumerate(heads):
        chain = [head]
        while chain[-1] in links:
            chain.append(links[chain[-1]])
        became[chain] = number
        joined.append(_concatenate([sequences[i] for i in chain]))
    return joined, became


def _concatenate(parts: list[FaceSequence]) -> FaceSequence:
    if len(parts) == 1:
        return parts[0]
    samples = FeatureSamples(parts[0].first)
    for part in parts:
        for frame, quality, feature in zip(
            part.feature_frames, part.feature_quality, part.features, strict=True
        ):
            samples.offer(int(frame), float(quality), feature)
    frames, quality, features = samples.columns(max(part.features.shape[1] for part in parts))
    return FaceSequence(
        frames=np.concatenate([part.frames for part in parts]),
        boxes=np.concatenate([part.boxes for part in parts]),
        scores=np.concatenate([part.scores for part in parts]),
        provenance=np.concatenate([part.provenance for part in parts]),
        shot=parts[0].shot,
        feature_frames=frames,
        feature_quality=quality,
        features=features,
    )
