"""Thresholds follow the recogniser that made the features, wherever they are used."""

from argparse import Namespace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from faceveil import pipeline
from faceveil.assure.verify import verify
from faceveil.cli import render
from faceveil.errors import UsageError
from faceveil.faces import DetectionLog, FrameFaces, Models
from faceveil.finding import Found
from faceveil.identity import thresholds as module
from faceveil.identity.references import References
from faceveil.identity.request import SelectionRequest
from faceveil.identity.select import Selection, decide_sequences
from faceveil.identity.thresholds import Thresholds, thresholds_of
from faceveil.jobs.detections.answers import UnknownFrames
from faceveil.jobs.job import read_job
from faceveil.jobs.steps.analyse import decide_selection as decide_job
from faceveil.veils.styles import VeilStyle
from faceveil.weights.manifest import load_manifest
from testkit.made_faces import between, person, sequence

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
        (decision,) = decide_sequences(
            found, np.zeros(1, np.int32), selection, recognizer=recognizer
        )
        assert (decision.veil, decision.uncertain) == (veil, uncertain)


def found(recognizer, similarity):
    """Two sequences of one person or of two, by a recogniser."""
    return Found(
        frame_count=30,
        analysed_frames=30,
        models=Models("any", recognizer, "sha256:0", 0.5),
        shot_starts=np.zeros(1, np.int32),
        unknown_frames=np.zeros(0, np.int32),
        sequences=[sequence(ANN), sequence(between(ANN, person(4), similarity), first=20, last=29)],
        detections=DetectionLog(
            np.zeros(0, np.int32), np.zeros((0, 4), np.float32), np.zeros(0, np.int32)
        ),
    )


SOURCE = SimpleNamespace(
    path=Path("talk.mp4"), kind="video", digest=lambda: "sha256:1", width=640, height=360, rate=None
)


@pytest.mark.parametrize(
    ("recognizer", "people", "accept"),
    [("arcface-mobilefacenet", 1, 0.45), ("dlib-resnet", 2, 0.5)],
)
def test_what_a_stored_detection_knows_of_its_recognizer_decides(recognizer, people, accept):
    """In the command and in a job of the cloud: clusters, decisions, and what is written down."""
    references = References(("ann",), ANN[None], np.zeros(1, np.int32), ())
    selection = Selection("keep", references)
    near = found(recognizer, 0.52)
    analysis = pipeline.decide(near, SOURCE, selection)
    assert len(set(analysis.identities.tolist())) == people
    assert selection.record(recognizer).accept == accept

    job = read_job(
        b'{"version": 1, "id": "a", "frames": {"prefix": "frames/"}, "selection":'
        b'{"mode": "keep", "references": {"ann": "jobs/a/references/ann/"}}}',
        "jobs/a/job.json",
    )
    between_the_two = found(recognizer, 0.47)
    analysis = decide_job(job, between_the_two, SOURCE, references, UnknownFrames())
    assert analysis.selection.accept == accept
    assert [decision.veil for decision in analysis.decisions] == [False, accept == 0.5]


def test_verification_asks_for_the_likeness_that_the_recognizer_needs():
    """Under a veil shows a face whose likeness to who is veiled lies between two recognisers'."""
    picture = np.zeros((360, 640, 3), np.uint8)
    frames = [SimpleNamespace(number=n, rgb=picture.copy) for n in range(30)]
    output = Frames(frames)
    face = FrameFaces(
        640,
        360,
        boxes=np.array([[0, 0, 60, 60]], np.float32),
        scores=np.ones(1, np.float32),
        landmarks=np.zeros((1, 5, 2), np.float32),
        features=between(ANN, person(7), 0.47)[None],
    )
    for recognizer, kinds in (("arcface-mobilefacenet", {"recognised"}), ("dlib-resnet", set())):
        analysis = pipeline.decide(found(recognizer, 0.1), SOURCE)
        result = verify(output, analysis, lambda picture: face, VeilStyle())
        assert {item.kind for item in result.violations if item.frame == 0} == kinds


class Frames(list):
    """A source of frames in memory."""

    path, frame_count = Path("out.mp4"), 30


def test_photos_by_another_recognizer_than_the_analysis_s_are_refused(monkeypatch):
    analysis = pipeline.decide(found("dlib-resnet", 0.1), SOURCE)
    usual = SimpleNamespace(models=Models("any", "arcface-mobilefacenet", "sha256:0", 0.5))
    monkeypatch.setattr("faceveil.detect.build.build_analyzer", lambda options: usual)
    monkeypatch.setattr("faceveil.cli.options.analyzer_options_of", lambda options: None)
    request = SelectionRequest(keep=(Path("ann.jpg"),))
    with pytest.raises(UsageError, match="--recognizer dlib-resnet"):
        render._selection(request, analysis, Namespace(features=Path("f.npz")))


def test_a_threshold_given_alone_must_fit_the_recognizer_s_other(strict):
    assert Selection(accept=0.2).thresholds(None).uncertain == 0.2
    with pytest.raises(UsageError, match="must not be above accept"):
        Selection(uncertain=0.85).thresholds("strict")
