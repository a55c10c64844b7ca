"""Clustering: one identity per person, never two people in one, whatever the order of the input."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faceveil.errors import InputError
from faceveil.faces import Provenance
from faceveil.identity import cluster as clustering
from faceveil.identity.cluster import cluster
from faceveil.identity.overlap import overlapping_pairs
from faceveil.identity.thresholds import thresholds_of
from testkit.made_faces import between, person, sequence


def groups(identities):
    """The partition, whatever the numbers."""
    return {frozenset(np.flatnonzero(identities == number).tolist()) for number in set(identities)}


@st.composite
def scenes(draw):
    """Sequences of a few people with features that scatter, some of them at the same time."""
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    found = []
    for place in range(draw(st.integers(1, 14))):
        feature = person(draw(st.integers(0, 3)), 16)
        feature = feature + random.normal(size=16) * draw(st.sampled_from([0.02, 0.15, 0.3]))
        first = draw(st.integers(0, 60))
        found.append(
            sequence(
                feature / np.linalg.norm(feature),
                first=first,
                last=first + draw(st.integers(0, 15)),
                corner=(5 * place, 7),
                quality=draw(st.floats(0.1, 1)),
            )
        )
    return found


@given(scenes())
def test_people_seen_together_are_never_one_identity(found):
    identities = cluster(found)
    for i in range(len(found)):
        for j in range(i):
            if found[i].overlaps(found[j]):
                assert identities[i] != identities[j]


@given(scenes(), st.randoms(use_true_random=False))
def test_order_of_the_input_does_not_matter(found, random):
    order = random.sample(range(len(found)), len(found))
    shuffled = cluster([found[i] for i in order])
    assert np.array_equal(shuffled, cluster(found)[order])


@given(scenes())
def test_identities_are_numbered_by_first_appearance(found):
    identities = cluster(found)
    firsts = [
        min(found[i].first for i in np.flatnonzero(identities == k))
        for k in range(identities.max() + 1)
    ]
    assert firsts == sorted(firsts)


@given(scenes())
def test_agrees_with_the_plain_algorithm(found):
    assert groups(cluster(found)) == plain_average_linkage(found, thresholds_of(None).merge)


def plain_average_linkage(found, threshold):
    """Average linkage over all pairs of samples, as the textbook has it."""
    similarity = np.array([[float(a.features[0] @ b.features[0]) for b in found] for a in found])
    weight = np.array([float(a.feature_quality[0]) for a in found])
    clusters = [[i] for i in range(len(found))]
    while True:
        best, pair = threshold, None
        for a in range(len(clusters)):
            for b in range(a):
                if any(found[i].overlaps(found[j]) for i in clusters[a] for j in clusters[b]):
                    continue
                weights = np.outer(weight[clusters[a]], weight[clusters[b]])
                average = (weights * similarity[np.ix_(clusters[a], clusters[b])]).sum()
                if average / weights.sum() > best:
                    best, pair = average / weights.sum(), (a, b)
        if pair is None:
            return {frozenset(members) for members in clusters}
        a, b = pair
        clusters[b] += clusters.pop(a)


def test_equal_features_are_one_identity_through_all_shots():
    found = [sequence(person(1), first=20 * shot, last=20 * shot + 9) for shot in range(5)]
    assert cluster(found).tolist() == [0] * 5


def test_cannot_link_holds_for_whole_clusters():
    """B resembles A and C, who are seen together: it may join one of them, not both."""
    middle = between(person(0), person(1), np.sqrt(0.5))
    a, c = sequence(person(0)), sequence(person(1), corner=(200, 0))
    b = sequence(middle, first=50, last=59)
    identities = cluster([a, b, c], merge_similarity=0.3)
    assert identities[0] != identities[2]
    assert identities[1] in (identities[0], identities[2])


def test_extended_boxes_do_not_keep_one_face_apart():
    """A box extended over the start of the face's next sequence is no second person."""
    provenance = np.zeros(10, np.uint8)
    provenance[5:] = Provenance.EXTENDED
    one = sequence(person(0), first=0, last=9, provenance=provenance)
    next_one = sequence(person(0), first=6, last=20)
    assert cluster([one, next_one]).tolist() == [0, 0]


@pytest.mark.parametrize(
    ("feature", "side", "score"),
    [(None, 60, 1), (np.zeros(32), 60, 1), (person(0), 23, 1), (person(0), 60, 0.8)],
    ids=["no feature", "a row of zeros", "too small", "not clear"],
)
def test_untrustworthy_faces_stay_alone(feature, side, score):
    scores = np.full(10, score, np.float32)
    found = [
        sequence(feature, first=20 * k, last=20 * k + 9, side=side, scores=scores) for k in range(3)
    ]
    assert cluster(found).tolist() == [0, 1, 2]


def test_quality_zero_everywhere_still_counts():
    found = [sequence(person(0), first=20 * k, last=20 * k + 9, quality=0) for k in range(2)]
    assert cluster(found).tolist() == [0, 0]


def test_features_of_two_recognisers_are_refused():
    with pytest.raises(InputError, match="different recognisers"):
        cluster([sequence(person(0, 32)), sequence(person(0, 16), first=50, last=59)])


def test_nothing_gives_nothing():
    assert cluster([]).tolist() == []


def test_small_blocks_give_the_same(monkeypatch):
    random = np.random.default_rng(3)
    features = [person(k % 4, 16) + random.normal(size=16) * 0.1 for k in range(40)]
    found = [
        sequence(f / np.linalg.norm(f), first=20 * k, last=20 * k + 9)
        for k, f in enumerate(features)
    ]
    whole = cluster(found)
    monkeypatch.setattr(clustering, "_BLOCK_VALUES", 120)
    assert np.array_equal(cluster(found), whole)
    assert len(set(whole.tolist())) == 4


def test_sequences_with_gaps_overlap_only_on_a_shared_frame():
    columns = {
        "boxes": np.tile(np.array([0, 0, 60, 60], np.float32), (3, 1)),
        "scores": np.ones(3, np.float32),
        "provenance": np.zeros(3, np.uint8),
    }
    even = sequence(frames=np.array([0, 2, 4], np.int32), **columns)
    odd = sequence(frames=np.array([1, 3, 5], np.int32), **columns)
    late = sequence(frames=np.array([4, 5, 6], np.int32), **columns)
    assert overlapping_pairs([even, odd, late]).tolist() == [[0, 2], [1, 2]]
