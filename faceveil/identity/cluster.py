"""Clustering of facial sequences into identities: which of them show the same person.

Agglomerative clustering with average linkage: the two clusters whose samples are most similar on
average are merged first, until no two are similar enough. Two sequences that share a frame are two
people, so clusters with such a pair never merge ("cannot-link").

Merging two clusters never makes either of them more similar to a third. Two facts follow that keep
hours of video cheap: clusters can only form inside the connected components of the graph of similar
pairs, and a similarity once computed stays an upper bound.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from faceveil.faces import FaceSequence, Floats, Ints, Kind
from faceveil.identity.overlap import overlapping_pairs
from faceveil.identity.templates import MIN_FACE_SIZE, sequence_templates
from faceveil.identity.thresholds import thresholds_of

_BLOCK_VALUES = 4_000_000


def cluster(
    sequences: Sequence[FaceSequence],
    merge_similarity: float | None = None,
    min_face_size: float = MIN_FACE_SIZE,
) -> Ints:
    """Group sequences by person.

    Parameters
    ----------
    sequences : sequence of FaceSequence [n]
        In any order.
    merge_similarity : float, optional
        Clusters whose average cosine reaches it are one person; by default the threshold of the
        default recogniser.
    min_face_size : float
        Samples of faces with a shorter side, in pixels, are not trusted.

    Returns
    -------
    ndarray of int32 [n]
        The identity of each sequence, numbered from 0 by first appearance. A sequence without a
        trusted sample is an identity of its own. Objects of other kinds come after all faces, each
        an identity of its own.

    Raises
    ------
    InputError
        For features of different recognisers.

    Notes
    -----
    Takes O(n D) memory.
    """
    faces = np.array([item.kind == Kind.FACE for item in sequences], bool)
    if not faces.all():
        return _each_other_alone(sequences, faces, merge_similarity, min_face_size)
    if not sequences:
        return np.zeros(0, np.int32)
    if merge_similarity is None:
        merge_similarity = thresholds_of(None).merge
    order = _canonical_order(sequences)
    ordered = [sequences[i] for i in order]
    templates = sequence_templates(ordered, min_face_size)
    apart: list[set[int]] = [set() for _ in ordered]
    for i, j in overlapping_pairs(ordered).tolist():
        apart[i].add(j)
        apart[j].add(i)

    root = np.arange(len(ordered))
    for members in _components(templates.means, templates.known, merge_similarity):
        local = {int(member): k for k, member in enumerate(members)}
        conflicts = [{local[j] for j in apart[i] if j in local} for i in members.tolist()]
        clusters = _Clusters(templates.means[members], templates.weights[members], conflicts)
        root[members] = members[clusters.merge_all(merge_similarity)]

    _, number = np.unique(root, return_inverse=True)
    identities = np.empty(len(ordered), np.int32)
    identities[order] = number
    return identities


def _each_other_alone(
    sequences: Sequence[FaceSequence],
    faces: NDArray[np.bool_],
    merge_similarity: float | None,
    min_face_size: float,
) -> Ints:
    """The identities of faces, and one for each object of another kind."""
    picked = [sequences[row] for row in np.flatnonzero(faces).tolist()]
    identities = np.empty(len(sequences), np.int32)
    identities[faces] = cluster(picked, merge_similarity, min_face_size)
    first = int(identities[faces].max(initial=-1)) + 1
    identities[~faces] = np.arange(first, first + int((~faces).sum()))
    return identities


def _canonical_order(sequences: Sequence[FaceSequence]) -> NDArray[np.intp]:
    """By first frame, last frame and place, so that the order of the input does not matter."""
    boxes = np.array([sequence.boxes[0] for sequence in sequences])
    first = np.array([sequence.first for sequence in sequences])
    last = np.array([sequence.last for sequence in sequences])
    return np.lexsort((*boxes.T[::-1], last, first))


def _blocks(count: int) -> Iterator[slice]:
    """Slices of rows whose products with all `count` rows fit in bounded memory."""
    step = max(1, _BLOCK_VALUES // max(1, count))
    return (slice(start, min(start + step, count)) for start in range(0, count, step))


def _components(
    means: Floats, known: NDArray[np.bool_], similarity: float
) -> list[NDArray[np.intp]]:
    """The groups of two rows or more that are linked by similar pairs."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    rows = np.flatnonzero(known)
    vectors = means[rows]
    label = np.arange(len(rows), dtype=np.int32)
    for block in _blocks(len(rows)):
        a, b = np.nonzero(vectors[block] @ vectors.T >= similarity)
        a += block.start
        links = coo_array(
            (np.ones(len(a), np.int8), (label[a], label[b])), shape=(len(rows), len(rows))
        )
        label = connected_components(links, directed=False)[1][label]
    order = np.argsort(label, kind="stable")
    groups = np.split(rows[order], np.flatnonzero(np.diff(label[order])) + 1)
    return [group for group in groups if len(group) > 1]


@dataclass
class _Clusters:
    """Clusters while they are merged. A cluster keeps the row of its earliest member.

    means float32 [n, D] and weights float32 [n] of each cluster; conflicts[i] holds the rows of
    the clusters that may not merge with i.
    """

    means: Floats
    weights: Floats
    conflicts: list[set[int]]

    def merge_all(self, similarity: float) -> NDArray[np.intp]:
        """Merge until no pair reaches `similarity`; returns intp [n], the final row of each row."""
        count = len(self.means)
        self.alive = np.ones(count, np.bool_)
        version = [0] * count
        parent = np.arange(count)
        heap = [entry for entry in self._first_entries(version) if -entry[0] >= similarity]
        heapq.heapify(heap)
        while heap:
            _, i, j, version_i, version_j = heapq.heappop(heap)
            if not self.alive[i] or version_i != version[i]:
                continue
            if self.alive[j] and version_j == version[j]:
                i, j = min(i, j), max(i, j)
                self._merge(i, j)
                version[i] += 1
                parent[j] = i
            entry = self._entry(i, version)
            if -entry[0] >= similarity:
                heapq.heappush(heap, entry)
        for row in range(count):
            parent[row] = parent[parent[row]]
        return parent

    def _merge(self, i: int, j: int) -> None:
        weight = self.weights[i] + self.weights[j]
        self.means[i] = (self.weights[i] * self.means[i] + self.weights[j] * self.means[j]) / weight
        self.weights[i] = weight
        self.alive[j] = False
        for k in self.conflicts[j]:
            self.conflicts[k].discard(j)
            self.conflicts[k].add(i)
        self.conflicts[i] |= self.conflicts[j]

    def _entry(self, i: int, version: list[int]) -> tuple[float, int, int, int, int]:
        """The most similar cluster that i may merge with, as an entry of the heap."""
        products = self.means @ self.means[i]
        products[~self.alive] = -np.inf
        return self._best(products, i, version)

    def _first_entries(self, version: list[int]) -> Iterator[tuple[float, int, int, int, int]]:
        for block in _blocks(len(self.means)):
            for i, products in enumerate(self.means[block] @ self.means.T, block.start):
                yield self._best(products, i, version)

    def _best(
        self, products: Floats, i: int, version: list[int]
    ) -> tuple[float, int, int, int, int]:
        products[i] = -np.inf
        products[list(self.conflicts[i])] = -np.inf
        j = int(products.argmax())
        return -float(products[j]), i, j, version[i], version[j]
