"""Thresholds follow the recogniser that made the features, wherever they are used."""

import numpy as np
import pytest
from made_faces import between, person, sequence

from faceveil.errors import UsageError
from faceveil.identity import thresholds as module
from faceveil.identity.references import References
from faceveil.identity.select import Selection, decide
from faceveil.identity.thresholds import Thresholds, thresholds_of
from faceveil.weights.manifest import load_manifest

STRICT = Thresholds(accept=0.8, uncertain=0.7, merge=0.9)
ANN = person(0)


@pytest.fixture
def strict(monkeypatch):
    """A recogniser "strict" beside the others."""
    known = thresholds_of
    monkeypatch.setattr(
        "faceveil.identity.select.thresholds_of",
        lambda name: STRICT if name == "strict" else known(name),
    )


def test_every_recognizer_of_the_manifest_has_its_own():
    networks = [each for each in load_manifest().values() if each.role == "recognizer"]
    assert module.USUAL_RECOGNIZER in {network.name for network in networks}
    for network in networks:
        found = thresholds_of(network.name)
        assert {
            "accept": found.accept,
            "uncertain": found.uncertain,
            "merge": found.merge,
        }.items() <= network.thresholds.items()
        assert 0 < found.uncertain < found.accept <= found.merge < 1


@pytest.mark.parametrize("name", [None, "somebody's own.onnx", "centerface"])
def test_the_usual_ones_count_where_there_are_none(name):
    assert thresholds_of(name) == thresholds_of(module.USUAL_RECOGNIZER)


def test_decisions_follow_the_recognizer_unless_told_otherwise(strict):
    references = References(("ann",), ANN[None], np.zeros(1, np.int32), ())
    found = [sequence(between(ANN, person(4), 0.75))]
    for options, recognizer, veil, uncertain in (
        ({}, None, False, False),
        ({}, "strict", True, True),
        ({"accept": 0.74}, "strict", False, False),
        ({"uncertain": 0.76}, "strict", True, False),
    ):
        selection = Selection("keep", references, **options)
        (decision,) = decide(found, np.zeros(1, np.int32), selection, recognizer=recognizer)
        assert (decision.veil, decision.uncertain) == (veil, uncertain)


def test_a_threshold_given_alone_must_fit_the_recognizer_s_other(strict):
    assert Selection(accept=0.2).thresholds(None).uncertain == 0.2
    with pytest.raises(UsageError, match="must not be above accept"):
        Selection(uncertain=0.85).thresholds("strict")
