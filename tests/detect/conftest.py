"""Fixtures of the detection tests: real networks, and real portraits whose face box is known."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image as Picture

from faceveil.detect.arcface import ArcFace
from faceveil.detect.build import AnalyzerOptions, build_analyzer
from faceveil.detect.centerface import CenterFace
from faceveil.detect.mtcnn import MTCNNNetworks
from faceveil.weights.session import open_session
from faceveil.weights.store import locate
from testkit.portraits import PORTRAITS, portrait_path


@pytest.fixture(scope="session")
def mtcnn_networks():
    files = locate("mtcnn", "detector").files
    return MTCNNNetworks(*(open_session(files[name]) for name in ("pnet", "rnet", "onet")))


@pytest.fixture(scope="session")
def centerface_session():
    return open_session(locate("centerface", "detector").files["model"])


@pytest.fixture(scope="session")
def centerface(centerface_session):
    return CenterFace(centerface_session)


@pytest.fixture(scope="session")
def recognizer():
    located = locate("arcface-mobilefacenet", "recognizer")
    return ArcFace("arcface-mobilefacenet", open_session(located.files["model"]))


@pytest.fixture(scope="session")
def analyzer():
    return build_analyzer(AnalyzerOptions())


@pytest.fixture(scope="session")
def people():
    """A picture 1040x540 with four known faces of falling size, and their boxes [4, 4]."""
    canvas = np.full((540, 1040, 3), 96, np.uint8)
    boxes = []
    left = 10
    for name, face_height in (("obama2", 150), ("biden", 110), ("astronaut", 80), ("obama", 55)):
        portrait = PORTRAITS[name]
        photo = np.asarray(Picture.open(Path(portrait_path(name))).convert("RGB"))
        x1, y1, x2, y2 = portrait.face
        scale = face_height / (y2 - y1)
        photo = cv2.resize(photo, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        room = photo[: 540 - 20, : 1040 - left]
        canvas[20 : 20 + room.shape[0], left : left + room.shape[1]] = room
        boxes.append(np.array([x1, y1, x2, y2]) * scale + [left, 20, left, 20])
        left += room.shape[1] + 10
    return canvas, np.array(boxes, np.float32)
