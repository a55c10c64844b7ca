"""Following many frames at once gives exactly what following them one by one gives."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faceveil.faces import FrameFaces
from faceveil.sequence.follow import build as build_module
from faceveil.sequence.follow.build import SequenceBuilder
from faceveil.sequence.match import MotionDistance
from faceveil.sequence.options import THESIS, SequenceOptions
from testkit.synthetic_people import FEATURE_SIZE, Face, frame_faces


class Alone:
    """A pace that never tries more than one frame."""

    def stop(self, block, first):
        return first + 1


class AtOnce:
    """A pace that tries so many frames every time, and writes down how many were settled."""

    def __init__(self, frames):
        self.frames = frames
        self.settled = []
        self.alone = False

    def stop(self, block, first):
        if self.alone:
            self.alone = False
            return first + 1
        return min(first + self.frames, len(block))

    def learn(self, settled, tried):
        self.settled.append(settled)
        self.alone = settled < tried


def follow(frames, cuts, options, pace, distance=None, waiting=build_module.MOST_FRAMES):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(build_module, "MOST_FRAMES", waiting)
        builder = SequenceBuilder(options, distance)
        builder._pace = pace
        for number, faces in enumerate(frames):
            builder.push(number, faces, number in cuts)
        return builder.finish()


def assert_equal(one, other):
    assert len(one.sequences) == len(other.sequences)
    for a, b in zip(one.sequences, other.sequences, strict=True):
        for column in a.__slots__:
            np.testing.assert_array_equal(getattr(a, column), getattr(b, column), column)
    for column in one.detections.__slots__:
        np.testing.assert_array_equal(
            getattr(one.detections, column), getattr(other.detections, column), column
        )
    np.testing.assert_array_equal(one.shot_starts, other.shot_starts)


def with_noise(faces, random):
    """Features as a recogniser gives them: alike from frame to frame, never the same."""
    noisy = faces.features + 0.1 * random.standard_normal(faces.features.shape)
    noisy[~faces.features.any(axis=1)] = 0
    norm = np.maximum(np.linalg.norm(noisy, axis=1, keepdims=True), 1e-9)
    return FrameFaces(
        faces.width,
        faces.height,
        faces.models,
        faces.boxes,
        faces.scores,
        faces.landmarks,
        (noisy / norm).astype(np.float32),
    )


def crowd(count, seed, people=5, missed=0.1, low=0.15):
    """People who cross, are hidden, come late and leave early."""
    random = np.random.default_rng(seed)
    speed = random.uniform(-5, 5, (people, 2))
    place = random.uniform(100, 600, (people, 2))
    come, go = random.uniform(0, 0.3, people) * count, random.uniform(0.6, 1, people) * count
    frames = []
    for t in range(count):
        faces = []
        for k in range(people):
            place[k] += speed[k] + random.normal(0, 1.5, 2)
            speed[k] = np.where((place[k] < 50) | (place[k] > 650), -speed[k], speed[k])
            if come[k] <= t < go[k] and random.random() > missed:
                score = 0.4 if random.random() < low else 0.9
                faces.append(Face(*place[k], 60 + 5 * k, k if score > 0.6 else None, score))
        if random.random() < 0.05 and faces:  # a second box of somebody's face
            faces.append(Face(faces[0].x + 4, faces[0].y, faces[0].size, faces[0].person))
        frames.append(with_noise(frame_faces(faces), random))
    return frames


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("options", [None, THESIS, SequenceOptions(max_gap=3, low_scores=False)])
def test_a_crowd_is_followed_alike(seed, options):
    frames = crowd(400, seed)
    one_by_one = follow(frames, {150, 151, 300}, options, Alone())
    for waiting, at_once in ((4096, 4096), (170, 50), (90, 1000)):
        pace = AtOnce(at_once)
        assert_equal(one_by_one, follow(frames, {150, 151, 300}, options, pace, waiting=waiting))
    default = build_module.SequenceBuilder(options)._pace
    assert_equal(one_by_one, follow(frames, {150, 151, 300}, options, default))


def test_nearly_all_frames_of_an_ordinary_scene_are_guessed_right():
    frames = crowd(1000, seed=3, people=3, missed=0.01, low=0.02)
    pace = AtOnce(1000)
    assert_equal(follow(frames, {500}, None, Alone()), follow(frames, {500}, None, pace))
    assert sum(pace.settled) > 0.95 * sum(len(faces) > 0 for faces in frames)


def test_a_long_memory_of_features_changes_nothing():
    distance = MotionDistance(feature_memory=0.97)
    frames = crowd(600, seed=4, people=3, missed=0.0, low=0.05)
    one_by_one = follow(frames, (), None, Alone(), distance)
    assert_equal(one_by_one, follow(frames, (), None, AtOnce(600), distance))


def test_features_that_contradict_each_other_change_nothing():
    """What is remembered then never fades evenly, so that pieces cannot begin from nothing."""
    random = np.random.default_rng(5)
    frames = []
    for _ in range(500):
        faces = frame_faces([Face(300, 300, person=1), Face(420, 300, person=2)])
        faces.features[:] = random.standard_normal((2, FEATURE_SIZE))
        faces.features[:] /= np.linalg.norm(faces.features, axis=1, keepdims=True)
        frames.append(faces)
    distance = MotionDistance(min_similarity=-1.0, feature_memory=0.9)
    one_by_one = follow(frames, (), None, Alone(), distance)
    assert_equal(one_by_one, follow(frames, (), None, AtOnce(500), distance))


faces_of_a_frame = st.lists(
    st.builds(
        Face,
        x=st.floats(0, 400, width=32),
        y=st.floats(0, 300, width=32),
        size=st.sampled_from([20.0, 40.0, 60.0]),
        person=st.one_of(st.none(), st.integers(1, 4)),
        score=st.sampled_from([0.1, 0.3, 0.7, 0.9]),
    ),
    max_size=5,
)


@settings(max_examples=80, deadline=None)
@given(
    st.lists(faces_of_a_frame, max_size=14),
    st.sets(st.integers(0, 13)),
    st.sampled_from([None, THESIS, SequenceOptions(max_gap=2)]),
    st.integers(2, 14),
)
def test_any_frames_are_followed_alike(video, cuts, options, at_once):
    frames = [frame_faces(faces) for faces in video]
    one_by_one = follow(frames, cuts, options, Alone())
    assert_equal(one_by_one, follow(frames, cuts, options, AtOnce(at_once)))
    assert_equal(one_by_one, follow(frames, cuts, options, AtOnce(14), waiting=5))
