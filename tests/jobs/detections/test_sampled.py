"""Coarse, then refine: as good as looking at every frame, where it matters, at a fraction of the
invocations; and a frame that should have an answer and has none is unknown.

Real: the Batch Transform runner with its manifests, HTTP, S3 (SeaweedFS), all of the analysis. The
network is a double that answers with the made scene's truth.
"""

import json
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from faceveil import finding
from faceveil.aws.clients import s3_client
from faceveil.aws.s3 import S3Location
from faceveil.decisions import Point
from faceveil.errors import UsageError
from faceveil.faces import FrameError, FrameFaces, Models
from faceveil.identity.cluster import cluster
from faceveil.identity.select import Selection, decide_sequences
from faceveil.jobs.detections.answers import UnknownFrames
from faceveil.jobs.detections.sampled import (
    STEP,
    answered,
    fill,
    manifest,
    plan_coarse,
    plan_refine,
    read_answered,
)
from faceveil.local_transform import server_client as transform_client
from faceveil.local_transform.parameters import TransformJob
from faceveil.local_transform.run import run_job
from faceveil.local_transform.server import RunningServer
from faceveil.progress import QuietProgress
from faceveil.shots.transitions import TransitionDetector
from testkit.servers.stub_model_server import Handler, StubServer

WIDTH, HEIGHT = 640, 360
MODELS = Models("made", "made", f"sha256:{'1' * 64}", 0.5)
KEEP_ANN = Selection(mode="keep", points=(Point(0, 130, 140),))


@dataclass(frozen=True)
class Scene:
    """Ann at the left all the time, Bob at the right in `bob`; from `cut` on, another place."""

    frames: int = 240
    bob: range = range(1000)
    cut: int = 1000

    def look(self, number):
        random = np.random.default_rng(number)
        people = [(130, 140, 0)] + ([(480, 160, 1)] if number in self.bob else [])
        centres = np.array([person[:2] for person in people]) + random.normal(0, 0.5, 2)
        boxes = np.hstack((centres - 40, centres + 40)).astype(np.float32)
        features = np.eye(2, 8, dtype=np.float32)[[person[2] for person in people]]
        if number >= self.cut:  # two others, in the same places
            features = np.roll(features, 4, axis=1)
        picture = np.random.default_rng(int(number >= self.cut)).integers(0, 256, (27, 48, 3))
        noise = random.integers(-2, 3, (27, 48, 3))
        return FrameFaces(
            WIDTH,
            HEIGHT,
            MODELS,
            boxes=boxes,
            scores=np.full(len(people), 0.99, np.float32),
            landmarks=np.zeros((len(people), 5, 2), np.float32),
            features=features,
            thumbnail=np.clip(picture + noise, 0, 255).astype(np.uint8),
        )

    def looks(self, numbers):
        return [(int(number), self.look(int(number))) for number in numbers]

    def both_passes(self, step=STEP):
        coarse = plan_coarse(self.frames, step)
        refine = plan_refine(self.looks(coarse), self.frames, step)
        return self.looks(np.union1d(coarse, refine))


def follow(frames):
    return finding.follow(frames, size=(WIDTH, HEIGHT), shots=TransitionDetector())


def veils(found):
    """Per frame, the rounded boxes of the veils when Ann is kept; and the decisions."""
    decisions = decide_sequences(found.sequences, cluster(found.sequences), KEEP_ANN)
    boxes = {}
    for sequence, decision in zip(found.sequences, decisions, strict=True):
        if decision.veil:
            for number, box in zip(sequence.frames, sequence.boxes, strict=True):
                boxes.setdefault(int(number), []).append(box)
    return boxes, [(decision.veil, decision.reason) for decision in decisions]


def check_same(sampled, every):
    boxes, decisions = veils(sampled)
    expected, expected_decisions = veils(every)
    assert decisions == expected_decisions
    assert sampled.shot_starts.tolist() == every.shot_starts.tolist()
    assert boxes.keys() == expected.keys()
    for number, wanted in expected.items():
        assert np.allclose(np.sort(boxes[number], axis=0), np.sort(wanted, axis=0), atol=4), number


SCENES = {
    "static": Scene(),
    "somebody comes and goes": Scene(bob=range(101, 140)),
    "somebody comes and goes on looks": Scene(bob=range(96, 133)),
    "cut": Scene(cut=125),
    "cut on a look": Scene(cut=120),
    "short": Scene(frames=5),
}


@pytest.mark.parametrize("scene", SCENES.values(), ids=SCENES)
def test_decides_as_if_every_frame_was_looked_at(scene):
    every = follow(scene.looks(range(scene.frames)))
    sampled = follow(fill(scene.both_passes(), scene.frames))
    check_same(sampled, every)
    assert not len(sampled.unknown_frames)
    assert sampled.analysed_frames <= 22 + 3 * STEP


def test_the_refine_pass_looks_between_looks_that_disagree_and_nowhere_else():
    scene = Scene(frames=61, bob=range(20, 1000), cut=42)
    coarse = scene.looks(plan_coarse(61, 10))
    assert [number for number, _ in coarse] == [0, 10, 20, 30, 40, 50, 60]
    assert plan_refine(coarse, 61, 10).tolist() == [*range(11, 20), *range(41, 50)]


def test_of_unlike_pictures_with_the_same_faces_all_between_is_looked_at():
    scene = Scene(frames=13)
    (first, before), (last, after) = scene.looks(plan_coarse(13))
    other = replace(after, thumbnail=255 - after.thumbnail)
    assert len(plan_refine([(first, before), (last, after)], 13)) == 0
    for unlike in (other, replace(after, thumbnail=None)):
        assert plan_refine([(first, before), (last, unlike)], 13).tolist() == list(range(1, 12))


def test_a_lost_look_is_looked_at_again_with_all_around_it_and_is_else_unknown():
    scene = Scene(frames=37)
    coarse = [look for look in scene.looks(plan_coarse(37)) if look[0] != 12]
    assert plan_refine(coarse, 37).tolist() == list(range(1, 24))
    filled = dict(fill(coarse, 37))
    unknown = [n for n, faces in filled.items() if faces is not None and faces.error]
    assert unknown == list(range(1, 24))
    assert all(filled[number] is None for number in range(25, 36))
    # also where it is the first or the last
    assert plan_refine(coarse[1:], 37)[0] == 0
    assert plan_refine(coarse[:-1], 37)[-1] == 36
    assert plan_refine([], 3).tolist() == [0, 1, 2]


def test_a_look_that_failed_agrees_with_none():
    coarse = Scene(frames=37).looks(plan_coarse(37))
    broken = FrameFaces(0, 0, error=FrameError("unreadable", "broken"))
    coarse[1] = (12, broken)
    assert plan_refine(coarse, 37).tolist() == [*range(1, 12), *range(13, 24)]
    unknown = follow(fill(coarse, 37)).unknown_frames
    assert unknown.tolist() == list(range(1, 24))


@settings(max_examples=40, deadline=None)
@given(st.sets(st.integers(0, 47)), st.integers(1, STEP), st.integers(1, 60))
@example({42}, 6, 37)  # lost, and near enough to others that the refine pass detected in
def test_every_frame_comes_once_and_none_is_unseen_for_longer_than_a_step(lost, step, cut):
    scene = Scene(frames=48, cut=cut)
    looks = [look for look in scene.both_passes(step) if look[0] not in lost]
    filled = list(fill(looks, 48, step))
    assert [number for number, _ in filled] == list(range(48))
    known = [number for number, faces in filled if faces is not None]
    given_looks = {number for number, _ in looks}
    for before, after in zip([-1, *known], [*known, 48], strict=True):
        if after - before > 1:
            assert {before, after} <= given_looks
            assert after - before <= step
            assert not before < cut <= after
    unknown = {number for number, faces in filled if faces is not None and faces.error}
    assert unknown.isdisjoint(given_looks)
    assert unknown or not lost & set(plan_coarse(48, step).tolist())


@pytest.mark.parametrize("step", [0, -1, STEP + 1])
def test_a_step_that_makes_no_sense_is_refused(step):
    with pytest.raises(UsageError, match="the step must be 1 to"):
        plan_coarse(100, step)
    with pytest.raises(UsageError, match="the step must be 1 to"):
        list(fill([], 100, step))


def test_a_step_of_one_is_every_frame_and_no_frames_are_none():
    assert plan_coarse(5, 1).tolist() == [0, 1, 2, 3, 4]
    assert plan_coarse(0).tolist() == plan_refine([], 0).tolist() == list(fill([], 0)) == []


class SceneServer(StubServer):
    """Answers each frame, the bytes of its number, with what the scene shows there."""

    def __init__(self, scene):
        super().__init__()
        self.scene = scene
        self.RequestHandlerClass = SceneHandler


class SceneHandler(Handler):
    server: SceneServer

    def misbehave(self, body, times):
        self.answer(200, json.loads(self.server.scene.look(int(body)).to_json()))


def test_two_transform_jobs_by_manifest_decide_like_one_over_all_frames(
    s3_url, prefix, monkeypatch
):
    monkeypatch.setattr(transform_client, "PING_INTERVAL_SECONDS", 0.02)
    scene = Scene(frames=120, bob=range(50, 1000))
    here = S3Location.open(prefix.rstrip("/"), s3_url)
    names = [f"img{number + 1:07d}.png" for number in range(scene.frames)]
    for number, name in enumerate(names):
        here.write(f"frames/{name}", str(number).encode())

    @contextmanager
    def serve(server):
        yield RunningServer(server.url)

    def transform(planned, pass_name, server):
        chosen = [names[number] for number in planned]
        here.write(f"{pass_name}.json", manifest(f"{prefix}frames/", chosen))
        job = TransformJob(
            f"faceveil-talk-{pass_name}",
            f"{prefix}{pass_name}.json",
            f"{prefix}detections/",
            manifest=True,
        )
        outcome = run_job(
            job,
            serve(server),
            s3_client(s3_url),
            start_seconds=5,
            resume=False,
            progress=QuietProgress(),
            announce=lambda event: None,
            report=print,
        )
        assert outcome.done == len(planned)

    def looks(unknown=None):
        place = here.folder("detections/")
        return read_answered(place, enumerate(names), answered(place), unknown=unknown)

    with SceneServer(scene) as server:
        transform(plan_coarse(scene.frames), "coarse", server)
        refine = plan_refine(looks(), scene.frames)
        transform(refine, "refine", server)
        assert sum(server.bodies.values()) == 11 + 11
    unknown = UnknownFrames()
    sampled = follow(fill(looks(unknown), scene.frames))
    assert unknown.count == len(sampled.unknown_frames) == 0
    check_same(sampled, follow(scene.looks(range(scene.frames))))
