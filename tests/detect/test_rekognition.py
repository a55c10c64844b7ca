"""DetectFaces as a detector, against Rekognition's documented answers over real HTTP."""

import base64
import os
from concurrent.futures import ThreadPoolExecutor

import boto3
import cv2
import numpy as np
import pytest
from botocore.retries.standard import ExponentialBackoff

from faceveil.aws.clients import rekognition_client
from faceveil.boxes import overlaps
from faceveil.cli.main import main
from faceveil.detect.analyzer import FaceAnalyzer
from faceveil.detect.build import AnalyzerOptions, build_analyzer
from faceveil.detect.no_recognizer import NoRecognizer
from faceveil.detect.rekognition import MOST_BYTES, RekognitionDetector, jpeg
from faceveil.errors import InputError
from testkit.clips import make_clip, write_video
from testkit.portraits import portrait_path
from testkit.servers.rekognition_service import (
    OVER_QUOTA,
    THROTTLED,
    Fault,
    RekognitionService,
    face_detail,
)


@pytest.fixture(autouse=True)
def made_up_credentials(monkeypatch):
    """Credentials of nobody, and no waiting between repeated requests: only that is left out."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "faceveil-test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "faceveil-test-secret")
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    monkeypatch.setattr(ExponentialBackoff, "delay_amount", lambda *_: 0.01)


def detector(service):
    return RekognitionDetector(rekognition_client(service.url))


def picture_of(request):
    """The picture that was sent, BGR."""
    sent = np.frombuffer(base64.b64decode(request["Image"]["Bytes"]), np.uint8)
    assert len(sent) <= MOST_BYTES
    return cv2.imdecode(sent, cv2.IMREAD_COLOR)


def answering(*details):
    return RekognitionService(DetectFaces=lambda _: {"FaceDetails": list(details)})


def blank(width=640, height=360):
    return np.full((height, width, 3), 90, np.uint8)


def test_relative_becomes_pixels_and_landmarks_come_in_our_order():
    points = [(130, 90), (170, 92), (150, 110), (135, 130), (165, 131)]
    face = face_detail((110, 60, 190, 160), 640, 360, points, confidence=97.5)
    with answering(face) as service:
        found = detector(service).detect(blank())
    np.testing.assert_allclose(found.boxes, [[110, 60, 190, 160]], atol=1e-3)
    np.testing.assert_allclose(found.landmarks[0], points, atol=1e-3)
    np.testing.assert_allclose(found.scores, [0.975])


def test_the_picture_arrives_as_it_is():
    picture = make_clip(320, 180, 4).frame(2)
    with answering() as service:
        detector(service).detect(picture)
    sent = picture_of(service.requests[0][1])
    assert np.abs(sent[..., ::-1].astype(int) - picture).mean() < 3


def test_our_recogniser_describes_faces_of_rekognition(analyzer, recognizer, people):
    """With Rekognition's landmarks, features are those of our own landmarks: photos can be used."""
    seen = analyzer(people[0])
    seen = seen.select(np.flatnonzero(seen.accepted)[:4])
    details = [
        face_detail(box, seen.width, seen.height, landmarks)
        for box, landmarks in zip(seen.boxes, seen.landmarks, strict=True)
    ]
    with answering(*details) as service:
        found = FaceAnalyzer(detector(service), recognizer)(people[0])
    assert found.accepted.all()
    match = overlaps(seen.boxes, found.boxes).argmax(axis=1)
    assert ((found.features[match] * seen.features).sum(axis=1) > 0.99).all()


def test_a_face_beyond_the_edge_is_cut_there():
    """Rekognition's boxes may leave the picture: the documented example has Left -0.095."""
    beyond = face_detail((-61, 49, 39, 299), 640, 360, confidence=87.8)
    with answering(beyond) as service:
        found = FaceAnalyzer(detector(service), NoRecognizer())(blank())
    np.testing.assert_allclose(found.boxes, [[0, 49, 39, 299]], atol=1e-3)
    assert found.accepted.all()
    assert found.features.shape == (1, 0)


def test_a_picture_without_faces():
    with answering() as service:
        found = detector(service).detect(blank())
    assert found.boxes.shape == (0, 4)
    assert found.landmarks.shape == (0, 5, 2)


def test_large_pictures_are_sent_within_5_mb_and_small_ones_padded():
    noise = np.random.default_rng(0).integers(0, 256, (2400, 3200, 3), np.uint8)
    assert len(jpeg(noise)) <= MOST_BYTES
    with answering(face_detail((10, 10, 30, 30), 80, 80)) as service:
        found = detector(service).detect(blank(60, 50))
    assert picture_of(service.requests[0][1]).shape[:2] == (80, 80)
    np.testing.assert_allclose(found.boxes, [[10, 10, 30, 30]], atol=1e-3)


def test_a_crowd_of_more_than_100_is_looked_at_in_quarters(caplog):
    """A face is a white square; as Rekognition does, the service answers the 100 largest only."""
    picture = np.zeros((720, 1280, 3), np.uint8)
    sides = {}
    for number in range(160):
        x, y = 78 * (number % 16) + 10, 70 * (number // 16) + 8
        sides[x, y] = 30 + number % 20
        picture[y : y + sides[x, y], x : x + sides[x, y]] = 255

    def largest(request):
        sent = picture_of(request)
        height, width = sent.shape[:2]
        white = (sent[..., 0] > 127).astype(np.uint8)
        stats = cv2.connectedComponentsWithStats(white)[2][1:]
        stats = stats[np.argsort(-stats[:, cv2.CC_STAT_AREA])][:100]
        boxes = [(x, y, x + w, y + h) for x, y, w, h, _ in stats]
        return {"FaceDetails": [face_detail(box, width, height) for box in boxes]}

    with RekognitionService(DetectFaces=largest) as service:
        found = detector(service).detect(picture)
    true = np.array([[x, y, x + side, y + side] for (x, y), side in sides.items()], np.float32)
    assert (overlaps(true, found.boxes).max(axis=1) > 0.8).all()
    assert "answered 100 faces" in caplog.text
    assert len(service.requests) == 5


def test_a_crowd_without_end_is_an_error():
    details = [face_detail((5 * i, 5, 5 * i + 4, 9), 640, 360) for i in range(100)]
    with answering(*details) as service, pytest.raises(InputError, match="100 faces or more"):
        detector(service).detect(blank())


@pytest.mark.parametrize("fault", [THROTTLED, OVER_QUOTA, Fault(500, "InternalServerError")])
def test_busy_and_failing_requests_are_repeated(fault):
    face = face_detail((110, 60, 190, 160), 640, 360)
    with answering(face) as service:
        service.first["DetectFaces"] = [fault, fault]
        assert len(detector(service).detect(blank())) == 1
    assert service.asked["DetectFaces"] == 3


def test_who_stays_busy_is_told_what_to_do(monkeypatch):
    monkeypatch.setattr("faceveil.aws.clients.REKOGNITION_ATTEMPTS", 2)
    with (
        RekognitionService(DetectFaces=lambda _: THROTTLED) as service,
        pytest.raises(InputError, match=r"picture of 640 x 360 pixels: .*too busy.*Service Quotas"),
    ):
        detector(service).detect(blank())
    assert service.asked["DetectFaces"] == 2


@pytest.mark.parametrize(
    ("code", "advice"),
    [
        ("InvalidImageFormatException", "cannot read the picture"),
        ("ImageTooLargeException", "too large"),
        ("AccessDeniedException", "may not call rekognition:DetectFaces"),
        ("UnrecognizedClientException", "Renew them"),
        ("ExpiredTokenException", "Renew them"),
        ("SomethingNewException", "refused"),
    ],
)
def test_refusals_say_what_to_do(code, advice):
    with (
        RekognitionService(DetectFaces=lambda _: Fault(400, code)) as service,
        pytest.raises(InputError, match=advice),
    ):
        detector(service).detect(blank())


def test_without_credentials(monkeypatch):
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with answering() as service, pytest.raises(InputError, match="no credentials"):
        detector(service).detect(blank())


def test_where_there_is_no_rekognition():
    client = rekognition_client("http://127.0.0.1:9")
    with pytest.raises(InputError, match=r"cannot be reached.*AWS_REGION"):
        RekognitionDetector(client).detect(blank())


def test_several_threads_share_a_detector():
    with answering(face_detail((110, 60, 190, 160), 640, 360)) as service:
        shared = detector(service)
        with ThreadPoolExecutor(4) as pool:
            found = list(pool.map(shared.detect, [blank()] * 12))
    assert [len(faces) for faces in found] == [1] * 12


def test_the_command_veils_by_rekognition_and_a_point_keeps(tmp_path, monkeypatch):
    """Every face of the truth is answered for each frame; one person is kept by a click."""
    clip = make_clip(320, 180, 16)
    write_video(clip, tmp_path / "clip.mp4", audio=False)
    truth = clip.truth
    pictures = [cv2.resize(frame, (32, 18)).astype(int) for frame in clip]

    def faces(request):
        sent = cv2.resize(picture_of(request)[..., ::-1], (32, 18)).astype(int)
        number = int(np.argmin([np.abs(sent - picture).mean() for picture in pictures]))
        boxes = truth.boxes[truth.frames == number]
        return {"FaceDetails": [face_detail(box, 320, 180) for box in boxes]}

    x1, y1, x2, y2 = truth.boxes[truth.frames == 2][0]
    with RekognitionService(DetectFaces=faces) as service:
        monkeypatch.setenv("AWS_ENDPOINT_URL_REKOGNITION", service.url)
        files = [str(tmp_path / "clip.mp4"), str(tmp_path / "analysis.json")]
        networks = ["--detector", "rekognition", "--recognizer", "none", "--tracking", "off"]
        point = ["--keep-at", f"2:{(x1 + x2) / 2},{(y1 + y2) / 2}"]
        code = main(["analyse", *files, *networks, *point, "--quiet"])
    assert code == 0
    assert len(service.requests) == 16
    text = (tmp_path / "analysis.json").read_text()
    assert '"detector":"rekognition","recognizer":"none"' in text
    assert '"veil":true' in text
    assert '"veil":false' in text


def test_options_name_it():
    built = build_analyzer(AnalyzerOptions(detector="rekognition", recognizer="none"))
    assert (built.models.detector, built.models.recognizer) == ("rekognition", "none")
    other = build_analyzer(AnalyzerOptions(detector="rekognition"))
    assert other.models.digest != built.models.digest


def test_photos_need_a_recogniser(tmp_path, capsys):
    clip, photo = tmp_path / "clip.mp4", portrait_path("obama")
    write_video(make_clip(160, 90, 4), clip, audio=False)
    command = ["analyse", clip, tmp_path / "a.json", "--keep", photo, "--recognizer", "none"]
    assert main([*map(str, command), "--detector", "rekognition"]) == 2
    assert "needs a recogniser" in capsys.readouterr().err
