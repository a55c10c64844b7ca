"""Who stays visible on Rekognition's word: only who matches clearly, whatever else is said."""

import numpy as np
import pytest

from faceveil.errors import UsageError
from faceveil.rekognition.decisions import Wanted, decide_by_similarity
from faceveil.rekognition.sightings import read_sightings
from faceveil.rekognition.tracks import Timeline, track
from testkit.made_search import look

SIZE = 640, 360
LEFT, RIGHT = (100, 80, 180, 190), (300, 80, 380, 190)
KEEP = Wanted(("anchor", "guest"))
ONLY = Wanted(("anchor", "guest"), "only")


def seen(similarities, index=0, box=LEFT, start=0):
    """A face looked at every half second; None where nothing matches there."""
    return [
        look(start + 500 * number, index, box, SIZE, matches and dict(matches))
        for number, matches in enumerate(similarities)
    ]


def decided(looks, wanted, joined=None):
    """Decisions and identities; `joined` puts all sequences into one, as absorbing does."""
    timeline = Timeline(40.0 * np.arange(500), np.zeros(1, np.int32))
    tracks = track(read_sightings([{"Persons": looks}], 2), timeline, SIZE, 12)
    sequences, numbers = tracks.built.sequences, tracks.part
    if joined:
        sequences, numbers = sequences[:1], np.zeros_like(numbers)
    identities, decisions = decide_by_similarity(sequences, numbers, tracks, wanted)
    return decisions, identities.tolist()


ANCHOR, GUEST = {"person-0": 99.0}, {"person-1": 98.0}


def test_a_clear_match_is_kept_and_says_why():
    (decision,), _ = decided(seen([ANCHOR] * 4), KEEP)
    assert (decision.veil, decision.person, decision.uncertain) == (False, "anchor", False)
    assert decision.similarity == pytest.approx(0.99)
    assert decision.reason == "matches anchor, similarity 0.99 (needed 0.95)"


@pytest.mark.parametrize("unmatched", [None, {}])
def test_who_matches_nobody_is_veiled(unmatched):
    """Rekognition leaves FaceMatches out, or empty."""
    (decision,), _ = decided(seen([unmatched] * 4), KEEP)
    assert (decision.veil, decision.uncertain) == (True, False)
    assert "matches no reference in 4 looks" in decision.reason


@pytest.mark.parametrize(
    "similarities",
    [
        [ANCHOR, None, None, None],
        [{"person-0": 94.0}] * 4,
        [{"person-0": 99.0}] + [{"person-0": 90.0}] * 3,
    ],
)
def test_who_matches_rarely_or_weakly_is_veiled_and_listed(similarities):
    (decision,), _ = decided(seen(similarities), KEEP)
    assert (decision.veil, decision.uncertain, decision.person) == (True, True, "anchor")


def test_some_looks_without_a_match_are_a_turned_head():
    (decision,), _ = decided(seen([ANCHOR, ANCHOR, None, ANCHOR]), KEEP)
    assert not decision.veil


def test_who_matches_two_people_is_veiled():
    both = {"person-0": 99.0, "person-1": 97.0}
    (decision,), _ = decided(seen([both] * 4), KEEP)
    assert (decision.veil, decision.uncertain) == (True, True)
    assert "anchor (similarity 0.99) and guest (0.97)" in decision.reason
    (decision,), _ = decided(seen([ANCHOR, ANCHOR, ANCHOR, GUEST]), KEEP)
    assert decision.veil


def test_a_second_sequence_of_an_index_must_match_by_itself():
    """After a gap or a cut, Rekognition's index may have gone to somebody else."""
    looks = seen([ANCHOR] * 4) + seen([None] * 4, start=9000)
    decisions, identities = decided(looks, KEEP)
    assert [decision.veil for decision in decisions] == [False, True]
    assert identities == [0, 0]


def test_what_was_joined_must_match_in_each_part():
    looks = seen([ANCHOR] * 6) + seen([None], index=1, start=250)
    (decision,), _ = decided(looks, KEEP, joined=True)
    assert decision.veil


def test_nobody_is_in_two_places():
    looks = seen([ANCHOR] * 4) + seen([{"person-0": 96.0}] * 4, index=1, box=RIGHT)
    decisions, identities = decided(looks, KEEP)
    assert [decision.veil for decision in decisions] == [False, True]
    assert "in the same frames" in decisions[1].reason
    assert identities == [0, 1]


def test_two_people_may_both_be_kept():
    looks = seen([ANCHOR] * 4) + seen([GUEST] * 4, index=1, box=RIGHT)
    decisions, _ = decided(looks, KEEP)
    assert [(decision.veil, decision.person) for decision in decisions] == [
        (False, "anchor"),
        (False, "guest"),
    ]


def test_only_veils_on_one_look_and_follows_the_index():
    looks = seen([ANCHOR, None, None, None]) + seen([None] * 4, start=9000)
    looks += seen([None] * 4, index=1, box=RIGHT)
    decisions, _ = decided(looks, ONLY)
    by_place = [(decision.veil, decision.uncertain) for decision in decisions]
    assert sorted(by_place) == [(False, False), (True, True), (True, True)]
    (decision,), _ = decided(seen([ANCHOR] * 4), ONLY)
    assert (decision.veil, decision.uncertain, decision.person) == (True, False, "anchor")


def test_only_veils_who_is_too_small_to_tell():
    (decision,), _ = decided(seen([None] * 4, box=(100, 80, 116, 100)), ONLY)
    assert (decision.veil, decision.uncertain) == (True, True)


@pytest.mark.parametrize("limits", [(0.5, 0.8), (1.2, 0.8), (0.9, 0.0)])
def test_limits_that_make_no_sense(limits):
    with pytest.raises(UsageError, match="within 0 and 100"):
        Wanted(("anchor",), "keep", *limits)
