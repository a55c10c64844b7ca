"""Each family of files is decoded as its authors do it, here written out anchor by anchor."""

import math

import cv2
import numpy as np
import pytest

from faceveil.detect.arcface import ArcFace
from faceveil.detect.detr import DETR
from faceveil.detect.facenet import FaceNet, prewhitened
from faceveil.detect.family_detectors import classes_of_kind
from faceveil.detect.one_stage import usual_landmarks
from faceveil.detect.retinaface import RetinaFace, RetinaFaceMaps
from faceveil.detect.yolo import YOLO, YOLOEndToEnd
from faceveil.detect.yunet import YuNet
from faceveil.errors import WeightsError
from faceveil.weights.session import open_session
from testkit import made_networks

WIDTH, HEIGHT = 320, 256


@pytest.fixture(scope="module")
def picture():
    """Blocks of random colours, so that every cell answers something else."""
    small = np.random.default_rng(3).integers(0, 256, (HEIGHT // 8, WIDTH // 8, 3), np.uint8)
    return cv2.resize(small, (WIDTH, HEIGHT), interpolation=cv2.INTER_NEAREST)


@pytest.fixture
def session(tmp_path):
    def open_bytes(data):
        path = tmp_path / "network.onnx"
        path.write_bytes(data)
        return open_session(path)

    return open_bytes


def cells(stride):
    return [(row, column) for row in range(HEIGHT // stride) for column in range(WIDTH // stride)]


def nchw(picture, mean=(0, 0, 0), scale=1.0, bgr=False):
    values = picture[..., ::-1] if bgr else picture
    return (
        ((values.astype(np.float32) - np.array(mean)) * scale)
        .transpose(2, 0, 1)[None]
        .astype(np.float32)
    )


def check(detector, picture, expected, atol=0.02):
    """The faces of one view are the expected (score, box, landmarks), in any order."""
    found = detector._detect_view(picture)
    wanted = [face for face in expected if face[0] >= 0.2]
    assert len(found) == len(wanted) > 10
    order, others = np.argsort(found.scores, kind="stable"), sorted(wanted, key=lambda f: f[0])
    np.testing.assert_allclose(found.scores[order], [face[0] for face in others], atol=1e-5)
    for row in range(0, len(wanted), 7):
        score, box, landmarks = wanted[row]
        gaps = np.abs(found.boxes - box).max(axis=1) + np.abs(found.scores - score)
        nearest = gaps.argmin()
        np.testing.assert_allclose(found.boxes[nearest], box, atol=atol, rtol=1e-4)
        np.testing.assert_allclose(found.landmarks[nearest], landmarks, atol=atol, rtol=1e-4)


def test_retinaface(session, picture):
    """biubug6's decode() and decode_landm(), with variances 0.1 and 0.2."""
    network = session(made_networks.retinaface())
    fed = nchw(picture, mean=(104, 117, 123), bgr=True)
    loc, conf, marks = (part[0] for part in network.run({"picture": fed}))
    expected, row = [], 0
    for stride, sizes in ((8, (16, 32)), (16, (64, 128)), (32, (256, 512))):
        for line, column in cells(stride):
            for size in sizes:
                centre = np.array([column + 0.5, line + 0.5]) * stride
                middle = centre + loc[row, :2] * 0.1 * size
                side = size * np.exp(loc[row, 2:] * 0.2)
                box = [*(middle - side / 2), *(middle + side / 2)]
                points = centre + marks[row].reshape(5, 2) * 0.1 * size
                expected.append((conf[row, 1], np.array(box), points))
                row += 1
    check(RetinaFace("made", network), picture, expected)


def test_retinaface_maps(session, picture):
    """serengil's bbox_pred() and landmark_pred(), whose boxes name their last pixels."""
    network = session(made_networks.retinaface_maps())
    maps = network.run({"picture": picture.astype(np.float32)[None]})
    expected = []
    for level, (stride, anchors) in enumerate(
        ((32, ((-248, 263), (-120, 135))), (16, ((-56, 71), (-24, 39))), (8, ((-8, 23), (0, 15))))
    ):
        scores, boxes, points = (part[0] for part in maps[3 * level : 3 * level + 3])
        for line, column in cells(stride):
            for anchor, (first, last) in enumerate(anchors):
                size = last - first + 1.0
                centre = np.array([column, line]) * stride + first + 0.5 * (size - 1)
                step = boxes[line, column, 4 * anchor : 4 * anchor + 4]
                middle, side = centre + step[:2] * size, size * np.exp(step[2:])
                box = [*(middle - 0.5 * (side - 1)), *(middle + 0.5 * (side - 1) + 1)]
                marks = points[line, column, 10 * anchor : 10 * anchor + 10].reshape(5, 2)
                expected.append((scores[line, column, 2 + anchor], box, marks * size + centre))
    check(RetinaFaceMaps("made", network), picture, expected)


def test_yunet(session, picture):
    network = session(made_networks.yunet())
    values = dict(
        zip(network.outputs, network.run({"picture": nchw(picture, bgr=True)}), strict=True)
    )
    expected = []
    for stride in (8, 16, 32):
        cls, obj, bbox, kps = (values[f"{k}_{stride}"][0] for k in ("cls", "obj", "bbox", "kps"))
        for row, (line, column) in enumerate(cells(stride)):
            cell = np.array([column, line])
            middle, side = (cell + bbox[row, :2]) * stride, np.exp(bbox[row, 2:]) * stride
            box = [*(middle - side / 2), *(middle + side / 2)]
            score = math.sqrt(cls[row, 0] * obj[row, 0])
            expected.append((score, box, (kps[row].reshape(5, 2) + cell) * stride))
    check(YuNet("made", network), picture, expected)


def test_yunet_as_opencv_runs_it(session, picture, tmp_path):
    """OpenCV's own FaceDetectorYN over the same file finds the same faces."""
    path = tmp_path / "yunet.onnx"
    path.write_bytes(made_networks.yunet((HEIGHT, WIDTH)))
    theirs = cv2.FaceDetectorYN.create(str(path), "", (WIDTH, HEIGHT), 0.4, 0.3, 5000)
    _, faces = theirs.detect(picture[..., ::-1])
    found = YuNet("made", open_session(path))._detect_view(picture)
    assert len(faces) > 5
    for face in faces:
        box = [face[0], face[1], face[0] + face[2], face[1] + face[3]]
        gaps = np.abs(found.boxes - box).max(axis=1)
        nearest = gaps.argmin()
        assert gaps[nearest] < 0.05
        np.testing.assert_allclose(found.landmarks[nearest].ravel(), face[4:14], atol=0.05)
        assert found.scores[nearest] == pytest.approx(face[14], abs=1e-4)


@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize(("classes", "landmarks"), [(1, 0), (3, 0), (1, 15), (1, 10)])
def test_yolo(session, picture, transposed, classes, landmarks):
    network = session(made_networks.yolo(FREE, classes, landmarks, transposed))
    (table,) = network.run({"picture": nchw(picture, scale=1 / 255)})
    expected = []
    for row in table[0] if transposed else table[0].T:
        box = np.array([*(row[:2] - row[2:4] / 2), *(row[:2] + row[2:4] / 2)], np.float32)
        if landmarks:
            points = row[4 + classes :].reshape(5, landmarks // 5)[:, :2]
        else:
            points = usual_landmarks(box[None])[0]
        expected.append((row[4 : 4 + classes].max(), box, points))
    check(YOLO("made", network, class_count=classes), picture, expected)


def test_yolo_returns_the_classes_asked_for(session, picture):
    network = session(made_networks.yolo(FREE, 3))
    (table,) = network.run({"picture": nchw(picture, scale=1 / 255)})
    found = YOLO("made", network, classes=(2,), class_count=3)._detect_view(picture)
    scores = table[0, 6]
    np.testing.assert_allclose(np.sort(found.scores), np.sort(scores[scores >= 0.2]), atol=1e-5)


FREE = made_networks.FREE
FORMS = [("n7", YOLOEndToEnd), ("n6", YOLOEndToEnd), ("detr", DETR)]


@pytest.mark.parametrize(("form", "detector"), FORMS)
@pytest.mark.parametrize("size", [FREE, (384, 384)])
def test_objects_end_to_end(session, form, detector, size):
    """In a picture larger than the input of the network, across its tiles and at its edge."""
    made = detector("made", session(made_networks.yellow_detector(form, size)), 20)
    picture = np.full((500, 700, 3), 90, np.uint8)
    picture[430:480, 600:690] = made_networks.YELLOW
    found = made.detect(picture)
    assert len(found) == 1
    assert found.scores[0] == pytest.approx(0.9)
    np.testing.assert_allclose(found.boxes[0], [600, 430, 690, 480], atol=1.5)
    assert len(made.detect(np.full((500, 700, 3), 90, np.uint8))) == 0


def test_classes_of_other_kinds_do_not_count(session):
    network = session(made_networks.yellow_detector("n7"))
    picture = np.full((256, 256, 3), 90, np.uint8)
    picture[60:90, 60:120] = made_networks.YELLOW
    assert len(YOLOEndToEnd("made", network, classes=(0,)).detect(picture)) == 1
    assert len(YOLOEndToEnd("made", network, classes=(1,)).detect(picture)) == 0


def test_the_classes_of_a_kind_are_told_by_their_names():
    assert classes_of_kind("f", ("person", "face"), "face") == (1,)
    assert classes_of_kind("f", ("License Plate",), "plate") == (0,)
    assert classes_of_kind("f", (), "plate") == ()
    assert classes_of_kind("f", ("object",), "face") == ()
    with pytest.raises(WeightsError, match="License Plate, none of which is of the kind face"):
        classes_of_kind("f", ("License Plate",), "face")
    with pytest.raises(WeightsError, match="car, truck"):
        classes_of_kind("f", ("car", "truck"), "plate")


@pytest.mark.parametrize(
    ("detector", "data"),
    [
        (RetinaFace, made_networks.retinaface()),
        (YuNet, made_networks.yunet()),
        (RetinaFaceMaps, made_networks.retinaface_maps()),
    ],
)
@pytest.mark.parametrize("size", [(1, 1), (1, 900), (700, 2), (33, 31)])
def test_tiny_and_thin_pictures(session, detector, data, size):
    found = detector("made", session(data)).detect(np.zeros((*size, 3), np.uint8))
    assert found.boxes.shape[1:] == (4,)
    assert found.landmarks.shape[1:] == (5, 2)


def test_a_network_that_returns_nan_is_refused_when_it_does(session):
    """The trial cannot know every picture, and a face among such numbers would be missed."""

    class Broken:
        inputs = {"picture": (1, 3, "H", "W")}  # noqa: RUF012
        outputs = {"output": ("n", 7)}  # noqa: RUF012

        def run(self, feeds, outputs=()):
            return [np.full((1, 7), np.nan, np.float32)]

    with pytest.raises(WeightsError, match="broken: returned numbers that are not finite"):
        YOLOEndToEnd("broken", Broken()).detect(np.zeros((64, 64, 3), np.uint8))


@pytest.mark.parametrize("channels_last", [False, True])
def test_facenet_feeds_prewhitened_bgr(session, channels_last):
    network = session(made_networks.recognizer(160, channels_last))
    crops = np.random.default_rng(5).integers(0, 256, (19, 160, 160, 3), np.uint8)
    found = FaceNet("made", network, 8).features(crops)
    for crop, feature in zip(crops, found, strict=True):
        face = crop[..., ::-1].astype(np.float64)
        white = ((face - face.mean()) / face.std()).astype(np.float32)[None]
        fed = white if channels_last else white.transpose(0, 3, 1, 2)
        (raw,) = network.run({"picture": fed})
        np.testing.assert_allclose(feature, raw[0] / np.linalg.norm(raw[0]), atol=2e-4)


def test_prewhitening_a_flat_face_gives_zeros():
    np.testing.assert_array_equal(prewhitened(np.full((2, 4, 4, 3), 7, np.uint8)), 0)


def test_adaface_is_fed_bgr_and_its_feature_is_the_longer_output(session):
    network = session(made_networks.recognizer(lengths=True))
    crops = np.random.default_rng(5).integers(0, 256, (3, 112, 112, 3), np.uint8)
    found = ArcFace("made", network, scale=1 / 127.5, colour_order="BGR").features(crops)
    for crop, feature in zip(crops, found, strict=True):
        _, raw = network.run({"picture": nchw(crop, (127.5,) * 3, 1 / 127.5, bgr=True)})
        np.testing.assert_allclose(feature, raw[0] / np.linalg.norm(raw[0]), atol=1e-4)
