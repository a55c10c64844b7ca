"""Who is veiled. Each rule of the two directions, and above all that doubt veils."""

import numpy as np
import pytest

from faceveil.decisions import Point
from faceveil.errors import InputError, UsageError
from faceveil.identity.references import References
from faceveil.identity.select import Selection, decide_sequences
from testkit.made_faces import between, person, sequence

ANN, BOB, CARL, NOBODY, NOISE = (person(k) for k in range(5))


def references(**features):
    rows = np.array(list(features.values()), np.float32)
    return References(tuple(features), rows, np.arange(len(rows), dtype=np.int32), ())


def like(someone, similarity):
    return between(someone, NOISE, similarity)


def shots(*features, **kwargs):
    """One sequence after the other."""
    return [
        sequence(feature, first=20 * k, last=20 * k + 9, **kwargs)
        for k, feature in enumerate(features)
    ]


def keep(**people):
    return Selection("keep", references(**(people or {"ann": ANN})))


def only(**people):
    return Selection("only", references(**(people or {"ann": ANN})))


@pytest.mark.parametrize(("mode", "veil"), [("all", True), ("none", False)])
def test_everyone_and_nobody(mode, veil):
    decisions = decide_sequences(shots(ANN, None), np.array([0, 1]), Selection(mode))
    assert [decision.veil for decision in decisions] == [veil, veil]
    assert not any(decision.uncertain for decision in decisions)


@pytest.mark.parametrize(
    ("similarity", "keep_veils", "only_veils", "uncertain", "who"),
    [
        (0.95, False, True, False, "ann"),
        (0.46, False, True, False, "ann"),
        (0.44, True, True, True, "ann"),
        (0.31, True, True, True, "ann"),
        (0.29, True, False, False, None),
        (-0.2, True, False, False, None),
    ],
)
def test_the_two_thresholds(similarity, keep_veils, only_veils, uncertain, who):
    found = shots(like(ANN, similarity))
    for selection, veils in (keep(), keep_veils), (only(), only_veils):
        (decision,) = decide_sequences(found, np.array([0]), selection)
        assert decision.veil is veils
        assert decision.uncertain is uncertain
        assert decision.person == who
        assert decision.similarity == pytest.approx(similarity, abs=1e-5)
        assert f"{similarity:.2f}" in decision.reason


def test_thresholds_can_be_set():
    selection = Selection("keep", references(ann=ANN), accept=0.7, uncertain=0.6)
    decisions = decide_sequences(
        shots(like(ANN, 0.75), like(ANN, 0.65), like(ANN, 0.5)), np.arange(3), selection
    )
    assert [(d.veil, d.uncertain) for d in decisions] == [
        (False, False),
        (True, True),
        (True, False),
    ]


def test_a_confident_match_decides_for_the_whole_identity():
    found = shots(like(ANN, 0.9), like(ANN, 0.35))
    kept = decide_sequences(found, np.array([3, 3]), keep())
    assert [decision.veil for decision in kept] == [False, False]
    veiled = decide_sequences(found, np.array([3, 3]), only())
    assert [decision.veil for decision in veiled] == [True, True]
    apart = decide_sequences(found, np.array([3, 4]), keep())
    assert [decision.veil for decision in apart] == [False, True]


def test_keep_veils_a_sequence_that_contradicts_its_identity():
    found = shots(like(ANN, 0.9), like(ANN, 0.8), BOB)
    decisions = decide_sequences(found, np.zeros(3, int), keep())
    assert [(d.veil, d.uncertain) for d in decisions] == [
        (False, False),
        (False, False),
        (True, True),
    ]
    assert "this sequence does not" in decisions[2].reason


def test_keep_is_not_won_by_one_sequence_of_many():
    """A stranger seen often enough resembles anybody once: all sequences together decide."""
    found = shots(*[between(BOB, CARL, 0.9)] * 6, like(ANN, 0.5))
    decisions = decide_sequences(found, np.zeros(7, int), keep())
    assert all(decision.veil and decision.uncertain for decision in decisions)
    assert "all of them together do not" in decisions[6].reason


def test_only_is_won_by_one_sequence_of_many():
    found = shots(*[between(BOB, CARL, 0.9)] * 6, like(ANN, 0.5))
    assert all(decision.veil for decision in decide_sequences(found, np.zeros(7, int), only()))


@pytest.mark.parametrize(
    ("feature", "side", "score"),
    [(None, 60, 1), (ANN, 20, 1), (ANN, 60, 0.8)],
    ids=["no feature", "small", "unclear"],
)
def test_a_face_that_cannot_be_recognised_is_veiled(feature, side, score):
    scores = np.full(10, score, np.float32)
    found = [*shots(ANN), sequence(feature, first=50, last=59, side=side, scores=scores)]
    kept, unknown = decide_sequences(found, np.array([0, 1]), keep())
    assert not kept.veil
    assert unknown.veil
    _, unknown = decide_sequences(found, np.array([0, 1]), only())
    assert unknown.veil
    assert unknown.uncertain


def test_a_sequence_without_features_follows_its_identity():
    found = shots(ANN, None)
    decisions = decide_sequences(found, np.array([0, 0]), keep())
    assert [decision.veil for decision in decisions] == [False, False]


def test_two_people_that_match_evenly_are_uncertain():
    found = shots(between(ANN, BOB, np.sqrt(0.52)), between(ANN, BOB, np.sqrt(0.8)))
    even, clear = decide_sequences(found, np.arange(2), keep(ann=ANN, bob=BOB))
    assert even.veil
    assert even.uncertain
    assert "too evenly" in even.reason
    assert not clear.veil
    assert clear.person == "ann"


def test_two_photos_of_one_person_under_two_names_are_no_rivals():
    found = shots(like(ANN, 0.9))
    (decision,) = decide_sequences(found, np.array([0]), keep(old=ANN, young=like(ANN, 0.9)))
    assert not decision.veil


def test_nobody_is_in_two_places_at_once():
    """Two faces in one frame match ann: the better one is ann, the other somebody else."""
    found = [
        sequence(like(ANN, 0.7), corner=(300, 0)),
        sequence(like(ANN, 0.9), corner=(0, 0)),
    ]
    other, ann = decide_sequences(found, np.array([0, 1]), keep())
    assert not ann.veil
    assert other.veil
    assert other.uncertain
    assert "in the same frames" in other.reason


def test_one_face_found_twice_stays_kept():
    found = [
        sequence(like(ANN, 0.7), corner=(5, 0)),
        sequence(like(ANN, 0.9), corner=(0, 0)),
    ]
    decisions = decide_sequences(found, np.array([0, 1]), keep())
    assert [decision.veil for decision in decisions] == [False, False]


@pytest.mark.parametrize(("mode", "selected_is_veiled"), [("keep", False), ("only", True)])
def test_a_point_selects_the_whole_identity(mode, selected_is_veiled):
    found = shots(ANN, BOB, ANN)
    selection = Selection(mode, points=(Point(5, 30, 30),))
    decisions = decide_sequences(found, np.array([0, 1, 0]), selection)
    veils = [decision.veil for decision in decisions]
    assert veils == [selected_is_veiled, not selected_is_veiled, selected_is_veiled]
    assert decisions[0].reason == "selected in frame 5 at (30, 30)"
    assert "identity 0" in decisions[2].reason


@pytest.mark.parametrize(("mode", "selected_is_veiled"), [("keep", False), ("only", True)])
def test_identity_numbers_select(mode, selected_is_veiled):
    decisions = decide_sequences(
        shots(ANN, BOB), np.array([4, 7]), Selection(mode, identities=(7,))
    )
    assert [d.veil for d in decisions] == [not selected_is_veiled, selected_is_veiled]
    assert decisions[1].reason == "identity 7 is selected"


def test_only_veils_what_resembles_the_selected_identity():
    """A witness split over two identities must not stay visible in the second."""
    found = shots(ANN, like(ANN, 0.4), like(ANN, 0.2))
    decisions = decide_sequences(found, np.arange(3), Selection("only", points=(Point(0, 30, 30),)))
    assert [(d.veil, d.uncertain) for d in decisions] == [
        (True, False),
        (True, True),
        (False, False),
    ]
    assert "resembles identity 0" in decisions[1].reason


def test_photos_and_points_together():
    selection = Selection("keep", references(ann=ANN), points=(Point(25, 30, 30),))
    decisions = decide_sequences(shots(ANN, BOB, CARL), np.arange(3), selection)
    assert [decision.veil for decision in decisions] == [False, False, True]


def test_an_analysis_without_features_is_decided_by_identity():
    found = shots(None, None, None) + shots(None, side=20)
    decisions = decide_sequences(found, np.array([0, 1, 0, 2]), Selection("only", identities=(0,)))
    assert [decision.veil for decision in decisions] == [True, False, True, True]
    assert decisions[3].uncertain


def test_point_where_nobody_is_lists_the_faces_of_the_frame():
    found = [sequence(ANN, corner=(0, 0)), sequence(BOB, corner=(200, 100))]
    selection = Selection("keep", points=(Point(5, 400, 300),))
    with pytest.raises(InputError, match=r"frame 5 at \(400, 300\).*\(230, 130\), \(30, 30\)"):
        decide_sequences(found, np.arange(2), selection)


def test_point_on_a_frame_without_faces_names_the_nearest():
    selection = Selection("keep", points=(Point(100, 30, 30),))
    with pytest.raises(InputError, match="nearest frame with a face is 29"):
        decide_sequences(shots(ANN, BOB), np.arange(2), selection)
    with pytest.raises(InputError, match="no face was detected in the whole video"):
        decide_sequences([], np.zeros(0, int), selection)


def test_point_takes_the_nearest_of_two_boxes_and_reaches_a_little_outside():
    found = [sequence(ANN, corner=(0, 0)), sequence(BOB, corner=(40, 0))]
    for x, expected in ((45, 0), (55, 1), (105, 1), (-5, 0)):
        selection = Selection("keep", points=(Point(5, x, 30),))
        decisions = decide_sequences(found, np.arange(2), selection)
        assert [k for k, decision in enumerate(decisions) if not decision.veil] == [expected]


def test_unknown_identity_lists_those_that_exist():
    with pytest.raises(InputError, match="no identity 9; those of this video are: 0, 4"):
        decide_sequences(shots(ANN, BOB), np.array([0, 4]), Selection("keep", identities=(9,)))


def test_references_of_another_recogniser_are_refused():
    with pytest.raises(InputError, match="length 16, the video of length 32"):
        decide_sequences(shots(ANN), np.array([0]), keep(ann=person(0, 16)))


@pytest.mark.parametrize(
    "arguments",
    [
        {"mode": "some"},
        {"mode": "keep"},
        {"mode": "only", "references": References((), *[np.zeros((0, 0))] * 2, ())},
        {"mode": "all", "identities": (1,)},
        {"mode": "keep", "identities": (1,), "accept": 0.2, "uncertain": 0.3},
        {"mode": "keep", "identities": (1,), "accept": 1.2},
    ],
)
def test_a_selection_without_sense_is_refused(arguments):
    with pytest.raises(UsageError):
        Selection(**arguments)


def test_no_sequences_no_decisions():
    assert decide_sequences([], np.zeros(0, int), keep()) == []
