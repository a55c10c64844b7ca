"""Collections and searches: requests as documented, pages, throttling, and nothing left behind."""

import logging
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Picture

from faceveil.aws.clients import S3Uri, rekognition_client
from faceveil.errors import InputError, OutputError
from faceveil.progress import QuietProgress
from faceveil.rekognition.collection import reference_collection
from faceveil.rekognition.search import Channel, FaceSearch
from faceveil.rekognition.sightings import read_sightings
from testkit.made_search import MadeRekognition, look
from testkit.servers.rekognition_service import OVER_QUOTA, THROTTLED, Fault

SIZE = 640, 360
BOX = (100, 80, 180, 190)


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "anchor.png"
    Picture.fromarray(np.full((120, 100, 3), 120, np.uint8)).save(path)
    return path


@pytest.fixture
def two_people(photo):
    return {"anchor": [photo, photo], "Åse / guest": [photo]}


def search(made, **options):
    client = rekognition_client(made.url)
    return FaceSearch(client, "run-1", S3Uri("videos", "a talk.mp4"), "run-1", 80.0, **options)


def pages(made, **options):
    made.collections["run-1"] = ["person-0"]
    return list(search(made, **options).run(QuietProgress()))


def many(count):
    return [look(40 * number, number % 3, BOX, SIZE) for number in range(count)]


def test_photos_are_indexed_one_face_each_under_a_number(two_people, pauses):
    with MadeRekognition([], SIZE) as made:
        client = rekognition_client(made.url)
        with reference_collection(client, "run-1", two_people) as version:
            assert made.collections == {"run-1": ["person-0", "person-0", "person-1"]}
        assert version == "7.0"
        assert made.collections == {}
    _, request = made.requests[1]
    assert (request["MaxFaces"], request["QualityFilter"]) == (1, "AUTO")
    assert "anchor" not in str({k: v for k, v in request.items() if k != "Image"})


def test_the_collection_goes_whatever_happens(two_people, pauses):
    for failure in (RuntimeError, KeyboardInterrupt):
        with MadeRekognition([], SIZE) as made:
            client = rekognition_client(made.url)
            with (
                pytest.raises(failure),
                reference_collection(client, "run-1", two_people),
            ):
                raise failure
            assert made.collections == {}


def test_a_photo_without_a_usable_face_is_named(two_people, photo, pauses):
    with MadeRekognition([], SIZE) as made:
        made.indexed = False
        made.unindexed = [{"Reasons": ["LOW_SHARPNESS", "EXTREME_POSE"]}]
        client = rekognition_client(made.url)
        with (
            pytest.raises(InputError, match=r"anchor.png .*EXTREME_POSE, LOW_SHARPNESS"),
            reference_collection(client, "run-1", two_people),
        ):
            pass
        assert made.collections == {}


@pytest.mark.parametrize(("height", "several"), [(0.4, True), (0.05, False)])
def test_a_photo_of_several_people(two_people, pauses, caplog, height, several):
    box = {"Left": 0.7, "Top": 0.2, "Width": 0.3, "Height": height}
    other = {"Reasons": ["EXCEEDS_MAX_FACES"], "FaceDetail": {"BoundingBox": box}}
    with MadeRekognition([], SIZE) as made:
        made.unindexed = [other]
        client = rekognition_client(made.url)
        if several:
            with (
                pytest.raises(InputError, match="2 faces, two of them of like size"),
                reference_collection(client, "run-1", two_people),
            ):
                pass
        else:
            with reference_collection(client, "run-1", two_people):
                pass
            assert "1 smaller faces were left out (EXCEEDS_MAX_FACES)" in caplog.text
        assert made.collections == {}


def test_a_photo_that_is_none(tmp_path, pauses):
    (tmp_path / "anchor.jpg").write_bytes(b"no picture")
    with MadeRekognition([], SIZE) as made:
        client = rekognition_client(made.url)
        with (
            pytest.raises(InputError, match=r"reference photo cannot be used: .*anchor.jpg"),
            reference_collection(client, "run-1", {"anchor": [Path(tmp_path / "anchor.jpg")]}),
        ):
            pass
        assert made.collections == {}


def test_a_collection_that_stays_is_an_error_that_says_how_to_delete_it(two_people, pauses, caplog):
    denied = [Fault(400, "AccessDeniedException")]
    with MadeRekognition([], SIZE, first={"DeleteCollection": denied}) as made:
        client = rekognition_client(made.url)
        with (
            pytest.raises(OutputError, match="aws rekognition delete-collection --collection-id"),
            reference_collection(client, "run-1", two_people),
        ):
            pass
    with MadeRekognition([], SIZE, first={"DeleteCollection": list(denied)}) as made:
        client = rekognition_client(made.url)
        with (
            caplog.at_level(logging.ERROR),
            pytest.raises(ZeroDivisionError),
            reference_collection(client, "run-1", two_people),
        ):
            raise ZeroDivisionError
    assert "holds biometric data and could not be deleted" in caplog.text


def test_no_collection_no_search(two_people, pauses):
    quota = {"CreateCollection": [Fault(400, "ServiceQuotaExceededException")]}
    with MadeRekognition([], SIZE, first=quota) as made:
        client = rekognition_client(made.url)
        with (
            pytest.raises(OutputError, match="collection run-1: a quota"),
            reference_collection(client, "run-1", two_people),
        ):
            pass
        assert made.names() == []


def test_a_search_is_started_waited_for_and_read_page_by_page(pauses):
    with MadeRekognition(many(2500), SIZE, busy=3) as made:
        answers = pages(made)
    assert [len(page["Persons"]) for page in answers] == [1000, 1000, 500]
    looks = read_sightings(answers, 1)
    assert looks.milliseconds.tolist() == [40 * number for number in range(2500)]
    assert looks.size == SIZE
    _, started = made.requests[0]
    assert started == {
        "Video": {"S3Object": {"Bucket": "videos", "Name": "a talk.mp4"}},
        "CollectionId": "run-1",
        "FaceMatchThreshold": 80.0,
        "ClientRequestToken": "run-1",
        "JobTag": "run-1",
    }
    assert len(pauses) == 3
    assert pauses == sorted(pauses)


def test_it_waits_longer_and_longer_up_to_half_a_minute(pauses):
    with MadeRekognition([], SIZE, busy=20) as made:
        pages(made)
    assert pauses[0] == 2
    assert pauses[-1] == max(pauses) == 30


def test_a_topic_can_be_told(pauses):
    topic = "arn:aws:sns:eu-west-1:123456789012:AmazonRekognitionDone"
    role = "arn:aws:iam::123456789012:role/rekognition-to-sns"
    with MadeRekognition([], SIZE) as made:
        pages(made, channel=Channel(topic, role))
    channel = made.requests[0][1]["NotificationChannel"]
    assert channel == {"SNSTopicArn": topic, "RoleArn": role}


def test_a_request_sent_again_starts_one_search(pauses):
    """Its answer was lost: the token tells that it is the same."""
    with MadeRekognition(many(3), SIZE) as made:
        pages(made)
        made.busy = 0
        pages(made)
    assert list(made.jobs) == ["run-1"]


def test_throttled_requests_are_repeated(pauses):
    """Over real HTTP, so that botocore's own retries run."""
    first = {
        "StartFaceSearch": [THROTTLED],
        "GetFaceSearch": [OVER_QUOTA, Fault(500, "InternalServerError")],
    }
    with MadeRekognition(many(3), SIZE, first=first) as made:
        answers = pages(made)
    assert sum(len(page["Persons"]) for page in answers) == 3
    assert made.asked["StartFaceSearch"] == 2
    assert len(made.jobs) == 1


def test_a_failed_search_says_why(pauses):
    made = MadeRekognition([], SIZE, status="FAILED", message="Unsupported codec/format")
    with made, pytest.raises(InputError, match=r"s3://videos/a talk.mp4: .*Unsupported codec"):
        pages(made)


@pytest.mark.parametrize(
    ("code", "advice"),
    [
        ("InvalidS3ObjectException", "same region"),
        ("VideoTooLargeException", "10 GB"),
        ("LimitExceededException", "too many videos"),
        ("AccessDeniedException", "rekognition:StartFaceSearch"),
        ("InvalidParameterException", "H.264"),
    ],
)
def test_refused_searches_say_what_to_do(pauses, monkeypatch, code, advice):
    monkeypatch.setattr("faceveil.aws.clients.REKOGNITION_ATTEMPTS", 2)
    first = {"StartFaceSearch": [Fault(400, code)] * 2}
    with MadeRekognition([], SIZE, first=first) as made, pytest.raises(InputError, match=advice):
        pages(made)


def test_a_search_that_does_not_end(pauses, monkeypatch):
    monkeypatch.setattr("faceveil.rekognition.search.LONGEST_SECONDS", -1)
    with (
        MadeRekognition([], SIZE, busy=5) as made,
        pytest.raises(OutputError, match="did not end search job0"),
    ):
        pages(made)


def test_an_answer_of_the_real_service_is_read(moto_url, pauses):
    """moto answers every search with one recorded answer, of another video and collection: its
    shape is the real one, and its stranger is noticed."""
    client = rekognition_client(moto_url)
    video = S3Uri("videos", "talk.mp4")
    answers = list(FaceSearch(client, "run-1", video, "run-1", 80.0).run(QuietProgress()))
    with pytest.raises(InputError, match="'Dave_Bloggs' that was not searched for"):
        read_sightings(answers, 1)
    for match in answers[0]["Persons"]:
        match["FaceMatches"] = []
    looks = read_sightings(answers, 1)
    assert looks.size == (1280, 720)
    assert len(looks) == 1
    np.testing.assert_allclose(looks.boxes[0], [0.3187, -0.005, 0.7409, 0.9302], atol=1e-4)
