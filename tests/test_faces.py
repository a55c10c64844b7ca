"""The detections JSON: what /invocations answers must come back exactly, or be refused clearly."""

import dataclasses

import hypothesis.extra.numpy as arrays
import jsonschema
import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faceveil.errors import InputError
from faceveil.faces import FaceSequence, FrameError, FrameFaces, Models
from faceveil.schemas import load_schema

MODELS = Models("mtcnn", "arcface-mobilefacenet", "sha256:" + "0" * 64, 0.7)


def faces(count=2, size=4, seed=0):
    random = np.random.default_rng(seed)
    features = random.standard_normal((count, size)).astype(np.float32)
    return FrameFaces(
        width=640,
        height=360,
        models=MODELS,
        boxes=random.uniform(0, 300, (count, 4)).astype(np.float32),
        scores=random.uniform(0.2, 1, count).astype(np.float32),
        landmarks=random.uniform(0, 300, (count, 5, 2)).astype(np.float32),
        features=features,
        thumbnail=random.integers(0, 255, (27, 48, 3), np.uint8),
    )


@given(count=st.integers(0, 6), size=st.integers(1, 16), seed=st.integers(0, 2**31))
@settings(max_examples=50, deadline=None)
def test_json_gives_back_exactly_what_was_written(count, size, seed):
    before = faces(count, size, seed)
    before = dataclasses.replace(before, hidden=("the EXIF thumbnail",))
    after = FrameFaces.from_json(before.to_json())
    assert after.hidden == before.hidden
    assert FrameFaces.from_json(dataclasses.replace(before, hidden=()).to_json()).hidden == ()
    assert FrameFaces.from_json(dataclasses.replace(before, hidden=None).to_json()).hidden is None
    for column in ("boxes", "scores", "landmarks", "thumbnail"):
        np.testing.assert_array_equal(getattr(after, column), getattr(before, column))
    if count:
        np.testing.assert_array_equal(after.features, before.features)
    assert (after.width, after.height, after.models) == (640, 360, MODELS)


def test_written_json_follows_the_schema():
    schema = load_schema("detections")
    jsonschema.validate(orjson.loads(faces().to_json()), schema)
    broken = FrameFaces(0, 0, error=FrameError("unreadable", "the JPEG is cut off"))
    jsonschema.validate(orjson.loads(broken.to_json()), schema)


def test_a_face_without_feature_has_none_in_json():
    some = faces(3)
    some.features[1] = 0
    document = orjson.loads(some.to_json())
    assert [face["feat"] is None for face in document["faces"]] == [False, True, False]
    assert not FrameFaces.from_json(some.to_json()).features[1].any()


def test_feature_decimals_bound_the_error():
    some = faces(2, 192)
    rounded = FrameFaces.from_json(some.to_json(feature_decimals=4))
    assert 0 < np.abs(rounded.features - some.features).max() <= 0.51e-4


def test_an_unreadable_frame_comes_back_as_an_error():
    error = FrameError("unreadable", "the JPEG is cut off")
    after = FrameFaces.from_json(FrameFaces(0, 0, error=error).to_json())
    assert after.error == error
    assert len(after) == 0


ONE_FACE = '{"bbox":[1,2,3,4],"score":1,"landmarks":[[1,2],[1,2],[1,2],[1,2],[1,2]],"feat":[1,0]}'


def one_face(**changed):
    """The JSON of a frame with one face, some of its values replaced by other JSON."""
    face = orjson.loads(ONE_FACE) | {key: orjson.Fragment(text) for key, text in changed.items()}
    document = {"version": 1, "width": 9, "height": 9, "models": MODELS.to_dict(), "faces": [face]}
    return orjson.dumps(document)


def test_whole_numbers_are_numbers():
    after = FrameFaces.from_json(one_face())
    assert after.boxes.tolist() == [[1, 2, 3, 4]]
    assert after.features.tolist() == [[1, 0]]


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"[]",
        b"null",
        b"{}",
        b'{"version": 2, "faces": []}',
        b'{"version": 1, "width": 1, "height": 1, "models": null, "faces": []}',
        faces().to_json().replace(b'"score"', b'"sc"'),
        faces().to_json()[:-20],
        b'{"version":1,"width":9,"height":9,"models":{"detector":"a","recognizer":"b","digest":"c",'
        b'"accept_score":0.5},"faces":[{"bbox":[1,2,3],"score":1,"landmarks":[],"feat":null}]}',
        one_face(bbox="[1,2,3]"),
        one_face(bbox='[1,2,3,"4"]'),
        one_face(bbox="[1,2,3,1e300]"),
        one_face(bbox="[[1,2,3,4]]"),
        one_face(score="null"),
        one_face(landmarks="[[1,2],[1,2],[1,2],[1,2]]"),
        one_face(landmarks="[[1,2],[1,2],[1,2],[1,2],[1,2,3]]"),
        one_face(feat="[0.5]").replace(b'"faces":[', b'"faces":[' + ONE_FACE.encode() + b","),
    ],
)
def test_json_from_elsewhere_is_refused(text):
    with pytest.raises(InputError, match="detections"):
        FrameFaces.from_json(text)


def test_landmarks_that_are_a_view_are_written():
    some = faces(2)
    view = np.asfortranarray(some.landmarks)
    after = FrameFaces.from_json(dataclasses.replace(some, landmarks=view).to_json())
    np.testing.assert_array_equal(after.landmarks, some.landmarks)


def test_accepted_follows_the_models_threshold():
    some = faces(3)
    some.scores[:] = (0.69, 0.7, 0.9)
    assert some.accepted.tolist() == [False, True, True]


FRAMES = arrays.arrays(np.int32, st.integers(1, 20), elements=st.integers(0, 60), unique=True)


@given(FRAMES, FRAMES)
def test_sequences_overlap_exactly_when_they_share_a_frame(one, other):
    one, other = np.sort(one), np.sort(other)
    assert sequence(one).overlaps(sequence(other)) == bool(set(one) & set(other))


@given(FRAMES, st.integers(-1, 61))
def test_box_at_answers_only_on_frames_of_the_sequence(frames, frame):
    frames = np.sort(frames)
    box = sequence(frames).box_at(frame)
    assert (box is not None) == (frame in frames)
    if box is not None:
        assert box[0] == frame


def sequence(frames):
    boxes = np.stack([frames, frames, frames + 9, frames + 9], axis=1).astype(np.float32)
    count = len(frames)
    return FaceSequence(frames, boxes, np.ones(count, np.float32), np.zeros(count, np.uint8))
