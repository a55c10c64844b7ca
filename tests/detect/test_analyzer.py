"""The whole of it on real pictures: a frame in, faces and features out."""

from concurrent.futures import ThreadPoolExecutor

import av
import numpy as np
import pytest

from faceveil.boxes import overlaps
from faceveil.detect.analyzer import FaceAnalyzer
from faceveil.detect.build import AnalyzerOptions, build_analyzer
from faceveil.detect.detector import Detected
from faceveil.errors import InputError, UsageError
from faceveil.faces import FrameFaces, Models
from faceveil.weights.engine_choice import Choice
from faceveil.weights.engines import ONNXRUNTIME, OPENVINO, available_engines

OBAMA2, BIDEN, COLLINS, OBAMA = range(4)


def video_frames(path, numbers):
    """RGB pictures of the frames with these numbers."""
    with av.open(str(path)) as container:
        for number, frame in enumerate(container.decode(video=0)):
            if number in numbers:
                yield frame.to_ndarray(format="rgb24")
            if number >= max(numbers):
                return


@pytest.fixture(scope="module")
def seen(analyzer, people):
    return analyzer(people[0])


def test_every_known_face_is_accepted_once(seen, people):
    boxes = seen.boxes[seen.accepted]
    assert ((overlaps(people[1], boxes) > 0.4).sum(axis=1) == 1).all()
    assert len(boxes) == 4


def test_two_photos_of_one_person_are_alike_and_others_are_not(seen, people):
    nearest = overlaps(people[1], seen.boxes).argmax(axis=1)
    likeness = seen.features[nearest] @ seen.features[nearest].T
    assert likeness[OBAMA2, OBAMA] > 0.4
    likeness[OBAMA2, OBAMA] = likeness[OBAMA, OBAMA2] = 0
    assert (likeness[~np.eye(4, dtype=bool)] < 0.4).all()


def test_the_answer_is_complete_and_survives_json(seen, analyzer, people):
    assert (seen.width, seen.height) == (1040, 540)
    assert seen.thumbnail.shape == (27, 48, 3)
    assert seen.models == analyzer.models
    again = FrameFaces.from_json(seen.to_json())
    np.testing.assert_array_equal(again.boxes, seen.boxes)
    np.testing.assert_array_equal(again.features, seen.features)


def test_only_accepted_faces_have_a_feature(people):
    """CenterFace gives these faces 0.6 to 0.95: a threshold between tells the two kinds apart."""
    scores = build_analyzer(AnalyzerOptions(detector="centerface"))(people[0]).scores
    between = float((scores[1] + scores[2]) / 2)
    strict = build_analyzer(AnalyzerOptions(detector="centerface", centerface_threshold=between))
    seen = strict(people[0])
    assert seen.accepted.tolist()[:4] == [True, True, False, False]
    np.testing.assert_allclose(np.linalg.norm(seen.features[:2], axis=1), 1, atol=1e-5)
    assert not seen.features[2:].any()


def test_frames_analysed_together_are_as_alone(analyzer, people):
    picture = people[0]
    blank = np.zeros((100, 100, 3), np.uint8)
    half = np.ascontiguousarray(picture[:, :480])
    alone = [analyzer(image) for image in (picture, blank, half)]
    for one, other in zip(alone, analyzer.analyse([picture, blank, half]), strict=True):
        np.testing.assert_array_equal(one.boxes, other.boxes)
        np.testing.assert_allclose(one.features, other.features, atol=1e-5)
    assert analyzer.analyse([]) == []


def test_two_threads_see_what_one_sees(analyzer, people):
    pictures = [np.ascontiguousarray(np.roll(people[0], 7 * k, axis=1)) for k in range(4)]
    expected = [analyzer(picture) for picture in pictures]
    with ThreadPoolExecutor(2) as pool:
        for one, other in zip(expected, pool.map(analyzer, pictures), strict=True):
            np.testing.assert_array_equal(one.boxes, other.boxes)
            np.testing.assert_array_equal(one.scores, other.scores)
            np.testing.assert_allclose(one.features, other.features, atol=1e-6)


@pytest.mark.parametrize("size", [(1, 1), (1, 900), (900, 2), (30, 30)])
def test_a_picture_without_room_for_a_face_has_none(analyzer, size):
    seen = analyzer(np.full((*size, 3), 90, np.uint8))
    assert len(seen) == 0
    assert seen.features.shape == (0, 192)
    assert seen.thumbnail.shape == (27, 48, 3)


def test_an_empty_picture_is_refused(analyzer):
    with pytest.raises(InputError, match="at least one pixel"):
        analyzer(np.zeros((0, 10, 3), np.uint8))


class HalfOutside:
    """A detector of one's own: a face over the edge, and one that is not in the picture at all."""

    name, accept_score = "mine", 0.5

    def detect(self, image):
        boxes = np.array([[-30, -10, 40, 60], [-90, 10, -20, 80]], np.float32)
        return Detected(boxes, np.array([0.9, 0.8], np.float32), np.zeros((2, 5, 2), np.float32))


def test_boxes_lie_within_the_picture(recognizer):
    seen = FaceAnalyzer(HalfOutside(), recognizer)(np.zeros((50, 50, 3), np.uint8))
    assert seen.boxes.tolist() == [[0, 0, 40, 50]]
    assert seen.models.detector == "mine"


def test_the_digest_follows_what_changes_results(analyzer):
    def digest(**options):
        return build_analyzer(AnalyzerOptions(**options)).models.digest

    assert digest() == analyzer.models.digest
    assert digest(threads=2) == digest()
    different = [
        digest(),
        digest(detector="mtcnn"),
        digest(detector="centerface"),
        digest(min_face_size=60),
        digest(thresholds=(0.6, 0.7, 0.8)),
        digest(centerface_threshold=0.4),
        digest(centerface_scale=0.5),
    ]
    assert len(set(different)) == len(different)


def test_the_models_name_the_engine_and_another_precision_has_another_digest(analyzer):
    """Detections in float32 and in bfloat16 are never mixed in one job."""
    assert analyzer.models.engine == ONNXRUNTIME
    assert Models.from_dict(analyzer.models.to_dict()) == analyzer.models
    if OPENVINO not in available_engines():
        pytest.skip("needs the extra `openvino` and a processor that multiplies bfloat16 by itself")
    other = build_analyzer(AnalyzerOptions(engine=OPENVINO)).models
    assert other.engine == OPENVINO
    assert other.digest != analyzer.models.digest


def test_networks_on_several_engines_are_named_one_by_one(monkeypatch, tmp_path):
    if OPENVINO not in available_engines():
        pytest.skip("needs the extra `openvino` and a processor that multiplies bfloat16 by itself")
    monkeypatch.delenv("FACEVEIL_ENGINE")
    fast = {"centerface": OPENVINO}
    monkeypatch.setattr(
        "faceveil.weights.engine_choice.choose_engine",
        lambda located, runtime: Choice(fast.get(located.network.name, ONNXRUNTIME), {}),
    )
    models = build_analyzer().models
    assert models.engine == (
        "mtcnn onnxruntime, centerface openvino-bf16, arcface-mobilefacenet onnxruntime"
    )


@pytest.mark.parametrize(
    "options",
    [
        {"min_face_size": 0},
        {"min_face_size": float("nan")},
        {"thresholds": (0.6, 0.7)},
        {"thresholds": (0.6, 1.7, 0.7)},
        {"thresholds": (0.6, 0.7, 0.1)},
        {"centerface_threshold": 1.5},
        {"centerface_scale": -1},
        {"threads": 0},
    ],
)
def test_options_without_sense_are_refused(options):
    with pytest.raises(UsageError):
        AnalyzerOptions(**options)


@pytest.mark.parametrize("options", [{"detector": "nobody"}, {"recognizer": "nobody"}])
def test_unknown_networks_are_refused_by_name(options):
    with pytest.raises(UsageError, match="nobody"):
        build_analyzer(AnalyzerOptions(**options))


@pytest.mark.slow
def test_a_clip_without_a_face_has_no_accepted_one(analyzer, shared_data):
    frames = video_frames(shared_data / "pyfeat/no_face.mp4", range(3, 95, 7))
    assert sum(analyzer(frame).accepted.sum() for frame in frames) == 0


@pytest.mark.slow
def test_both_men_on_stage_are_found_in_every_frame(analyzer, shared_data):
    """Frames 0 to 19: Lacamoire at the piano, left, and Miranda; boxes set by eye at frame 0."""
    by_eye = np.array([[56, 184, 81, 219], [524, 50, 559, 97]], np.float32)
    clip = shared_data / "hamilton/short_hamilton_clip.mp4"
    for frame in video_frames(clip, range(0, 20, 4)):
        seen = analyzer(frame)
        boxes = seen.boxes[seen.accepted]
        centres = (boxes[:, :2] + boxes[:, 2:]) / 2
        for box in by_eye:
            near = np.hypot(*(centres - (box[:2] + box[2:]) / 2).T)
            assert near.min() < 15


@pytest.mark.slow
def test_people_walking_towards_the_camera_are_all_found(analyzer, shared_data):
    clip = shared_data / "intel/face-demographics-walking-and-pause.gif"
    for frame in video_frames(clip, range(15, 45, 10)):
        seen = analyzer(frame)
        assert seen.accepted.sum() == 3
