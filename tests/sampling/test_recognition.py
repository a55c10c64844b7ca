"""A face is recognised in few frames, but always where a feature decides who it is."""

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from faceveil.detect.analyzer import Unrecognised
from faceveil.faces import FrameFaces, Models
from faceveil.sampling.recognition import (
    LONGEST_ABSENCE,
    LONGEST_INTERVAL,
    DetectsFirst,
    recognise_seldom,
    recognise_trusted,
)

MODELS = Models("fake", "fake", "sha256:0", 0.5)
PEOPLE = 8
LOOKS = np.random.default_rng(0).integers(0, 256, (PEOPLE, 112, 112, 3), np.uint8)
GREY = np.full((27, 48, 3), 100, np.uint8)


class Analyzer:
    """Recognises the people of LOOKS, each by a feature of their own.

    A picture is an Unrecognised here.
    """

    def __init__(self):
        self.batches = []

    def detect(self, image):
        return image

    def recognise(self, crops):
        numbers = [
            int(np.abs(LOOKS[:, 0, 0].astype(int) - crop[0, 0]).sum(1).argmin()) for crop in crops
        ]
        self.batches.append(numbers)
        return np.eye(PEOPLE, dtype=np.float32)[numbers]


def frame(*faces, score=0.95, thumbnail=GREY):
    """Faces as (person, x, size), side by side in a row."""
    boxes = np.array([(x, 100, x + size, 100 + size) for _, x, size in faces], np.float32)
    count = len(faces)
    found = FrameFaces(
        1920,
        1080,
        MODELS,
        boxes=boxes.reshape(-1, 4),
        scores=np.full(count, score, np.float32),
        landmarks=np.zeros((count, 5, 2), np.float32),
        features=np.zeros((count, PEOPLE), np.float32),
        thumbnail=thumbnail,
    )
    crops = LOOKS[[person for person, _, _ in faces]].reshape(-1, 112, 112, 3)
    return Unrecognised(found, np.arange(count), crops)


def recognised(frames):
    """The numbers of the frames in which each face has a feature, and the faces of all frames."""
    out = list(recognise_seldom(enumerate(frames), Analyzer()))
    assert [number for number, _ in out] == list(range(len(frames)))
    return [number for number, faces in out if faces.features.any()], [faces for _, faces in out]


def test_a_face_that_stays_is_recognised_every_few_frames():
    """Features stay as dense as the samples that a sequence keeps of them."""
    seen, _ = recognised([frame((0, 100 + n, 60)) for n in range(200)])
    gaps = np.diff(seen)
    assert seen[0] == 0
    assert set(gaps[: 32 // 4 - 1]) == {4}
    assert gaps.max() == LONGEST_INTERVAL
    assert len(seen) < 30


def test_another_person_in_the_same_place_is_recognised_at_once():
    """A cut that was missed must not give one person the name of another."""
    seen, _ = recognised([frame((0 if n < 41 else 1, 100, 60)) for n in range(60)])
    assert 41 in seen


def test_after_a_cut_all_faces_are_recognised():
    """A sequence that begins after a cut begins with a feature, also of the same person."""
    white = np.full_like(GREY, 200)
    seen, _ = recognised(
        [frame((0, 100, 60), thumbnail=GREY if n < 41 else white) for n in range(60)]
    )
    assert 41 in seen


def test_where_two_people_cross_they_are_recognised_before_in_and_after_it():
    """Place alone does not tell which is which, and each may still be followed for a while."""
    apart = [frame((0, 100, 60), (1, 400, 60)) for _ in range(30)]
    close = [frame((0, 100, 60), (1, 125, 60)) for _ in range(10)]
    _, faces = recognised(apart + close + apart)
    has_feature = np.array([one.features.any(axis=1) for one in faces])
    assert not has_feature[25].any()
    assert has_feature[29, 0]
    assert has_feature[30:41].all()
    assert has_feature[: 40 + LONGEST_ABSENCE, 0][30:].all()
    assert not has_feature[40 + LONGEST_ABSENCE :, 0].all()


def test_small_faces_are_never_recognised():
    """Their features are not trusted anywhere."""
    seen, _ = recognised([frame((0, 100, 20)) for _ in range(50)])
    assert seen == []
    assert not recognise_trusted(Analyzer(), frame((0, 100, 20), (1, 300, 60))).features[0].any()


def test_faces_that_are_not_accepted_are_not_recognised():
    """A low score extends a sequence; it says nothing about who that is."""
    low = frame((0, 100, 60), score=0.3)
    low = replace(low, rows=low.rows[:0], crops=low.crops[:0])
    seen, _ = recognised([low] * 5)
    assert seen == []


def test_between_two_features_that_contradict_each_other_all_faces_are_recognised():
    """A person who turns slowly into another, as in a dissolve, is noticed in the right frame."""
    steps = np.linspace(0, 1, 33)
    mixed = [(LOOKS[0] * (1 - share) + LOOKS[1] * share).astype(np.uint8)[None] for share in steps]
    frames = [frame((0, 100, 60)) for _ in range(140)]
    frames += [replace(frame((0, 100, 60)), crops=crop) for crop in mixed]
    frames += [frame((1, 100, 60)) for _ in range(LONGEST_INTERVAL + 1)]
    seen, faces = recognised(frames)
    who = [int(faces[number].features[0].argmax()) for number in seen]
    change = who.index(1)
    assert seen[change] - seen[change - 1] == 1


def test_an_unclear_face_is_recognised_again_as_soon_as_it_is_clear():
    """Only clear faces count as evidence of who somebody is."""
    frames = [frame((0, 100, 60), score=0.6), *(frame((0, 100, 60)) for _ in range(3))]
    seen, _ = recognised(frames)
    assert seen == [0, 1]


people = st.lists(
    st.tuples(st.integers(0, PEOPLE - 1), st.integers(0, 18), st.integers(24, 60)),
    max_size=4,
    unique_by=(lambda face: face[0], lambda face: face[1]),
)


@given(st.lists(people, max_size=40))
@settings(deadline=None, max_examples=60)
def test_a_person_that_was_not_there_before_is_recognised(video):
    """Every feature is right, and no person appears unrecognised."""
    frames = [frame(*((who, 100 * place, size) for who, place, size in faces)) for faces in video]
    _, out = recognised(frames)
    before = set()
    for faces, found in zip(video, out, strict=True):
        for row, (who, _, _) in enumerate(faces):
            has_feature = found.features[row].any()
            assert not has_feature or found.features[row].argmax() == who
            assert has_feature or (who in before)
        before |= {who for who, _, _ in faces}


def test_every_face_is_recognised_where_the_analyzer_cannot_detect_apart():
    assert isinstance(Analyzer(), DetectsFirst)
    assert not isinstance(lambda image: None, DetectsFirst)
