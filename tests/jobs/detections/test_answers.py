"""A job's detections come in frame order, and what is broken becomes unknown, never nothing."""

import dataclasses
import threading
from collections import Counter

import numpy as np
import pytest

from faceveil.aws import s3
from faceveil.aws.s3 import S3Location
from faceveil.aws.s3_errors import LostObjectError
from faceveil.errors import InputError
from faceveil.faces import FrameError, FrameFaces, Models
from faceveil.jobs.detections.answers import DetectionFolder, UnknownFrames, read_detections
from testkit.servers.faulty_s3 import SLOW_DOWN, TRUNCATE, FaultyS3

MODELS = Models("union", "arcface-mobilefacenet", "sha256:" + "0" * 64, 0.7)
FRAMES = [(number, f"img{number + 1:07d}.jpg") for number in range(160)]


def answer(number, models=MODELS, size=(640, 360), feature_size=8):
    """One face whose box tells the frame's number."""
    return FrameFaces(
        *size,
        models,
        boxes=np.array([[number, 0, number + 50, 60]], np.float32),
        scores=np.array([0.9], np.float32),
        landmarks=np.zeros((1, 5, 2), np.float32),
        features=np.full((1, feature_size), feature_size**-0.5, np.float32),
    ).to_json()


class Memory:
    """Answers in memory, and how many are read and not yet handed out."""

    def __init__(self, answers):
        self.answers = answers
        self.reads = 0
        self._lock = threading.Lock()

    def read(self, name):
        with self._lock:
            self.reads += 1
        if name not in self.answers:
            raise LostObjectError(f"{name}: there is no such object")
        return self.answers[name]


def answers(**changed):
    contents = {f"{name}.out": answer(number) for number, name in FRAMES}
    for position, content in changed.items():
        contents[f"{FRAMES[int(position[1:])][1]}.out"] = content
    return {name: content for name, content in contents.items() if content is not None}


def numbers_in_boxes(read):
    return [int(faces.boxes[0, 0]) if len(faces) else None for _, faces in read]


BROKEN = {
    "_3": None,
    "_40": b"",
    "_41": b" \n",
    "_77": answer(77)[:200],
    "_78": b"<html>503</html>",
    "_120": b'{"version": 2, "faces": []}',
    "_159": FrameFaces(0, 0, error=FrameError("unreadable", "the JPEG is cut off")).to_json(),
}


def check_broken(read, unknown):
    assert [number for number, _ in read] == [number for number, _ in FRAMES]
    lost = {int(position[1:]) for position in BROKEN}
    assert numbers_in_boxes(read) == [n if n not in lost else None for n, _ in FRAMES]
    assert {number for number, faces in read if faces.error} == lost
    assert unknown.by_code == Counter(missing=1, empty=2, malformed=3, unreadable=1)
    assert unknown.count == 7
    assert [line.partition(":")[0] for line in unknown.examples] == [
        FRAMES[n][1] for n in sorted(lost)[:5]
    ]


def test_broken_answers_are_unknown_frames_in_a_folder(tmp_path):
    for name, content in answers(**BROKEN).items():
        (tmp_path / name).write_bytes(content)
    unknown = UnknownFrames()
    check_broken(list(read_detections(DetectionFolder(tmp_path), FRAMES, unknown=unknown)), unknown)


def test_broken_answers_are_unknown_frames_in_s3(s3_url, bucket, monkeypatch):
    monkeypatch.setattr(s3, "_PAUSE_SECONDS", 0.001)
    place = S3Location.open(f"s3://{bucket}/jobs/1/detections", s3_url)
    for name, content in answers(**BROKEN).items():
        place.write(name, content)
    faults = {"7": SLOW_DOWN, "8": TRUNCATE}

    def rule(request):
        digit = request.key.removesuffix(".jpg.out")[-1]
        return faults.get(digit) if request.index == 0 else None

    with FaultyS3(s3_url, rule) as faulty:
        shaky = S3Location.open(f"s3://{bucket}/jobs/1/detections/", faulty.url)
        unknown = UnknownFrames()
        check_broken(list(read_detections(shaky, FRAMES, unknown=unknown)), unknown)
        assert faulty.requests["GET"] > len(FRAMES) + 20


def test_a_store_that_cannot_be_read_is_an_error_not_unknown_frames(s3_url, tmp_path):
    nowhere = S3Location.open("s3://no-such-bucket-here/detections/", s3_url)
    with pytest.raises(InputError, match="no-such-bucket-here"):
        list(read_detections(nowhere, FRAMES[:3]))
    (tmp_path / f"{FRAMES[0][1]}.out").mkdir()
    with pytest.raises(InputError, match="cannot be read"):
        list(read_detections(DetectionFolder(tmp_path), FRAMES[:3]))


def test_no_detections_at_all_are_an_error():
    with pytest.raises(InputError, match="none of the 160 frames has detections"):
        list(read_detections(Memory({}), FRAMES))
    assert list(read_detections(Memory({}), [])) == []


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (answer(1, dataclasses.replace(MODELS, detector="mtcnn")), "mtcnn"),
        (answer(1, dataclasses.replace(MODELS, digest="sha256:" + "1" * 64)), "same networks"),
        (answer(1, dataclasses.replace(MODELS, accept_score=0.5)), "same networks"),
        (answer(1, dataclasses.replace(MODELS, engine="openvino-bf16")), "set FACEVEIL_ENGINE"),
        (answer(1, size=(1280, 720)), "1280 x 720"),
        (answer(1, feature_size=9), "features of 9 numbers"),
    ],
)
def test_answers_that_do_not_belong_together_are_refused(other, message):
    with pytest.raises(InputError, match=message) as raised:
        list(read_detections(Memory(answers(_100=other)), FRAMES))
    assert FRAMES[100][1] in str(raised.value)


def test_answers_of_other_frames_are_refused():
    with pytest.raises(InputError, match="not the detections of these frames"):
        list(read_detections(Memory(answers()), FRAMES, size=(1920, 1080)))


def test_only_a_part_is_read_ahead():
    store = Memory(answers())
    read = read_detections(store, FRAMES, readers=2)
    next(read)
    assert store.reads <= 2 * 2 * 16 + 16
    assert store.reads < len(FRAMES)
    read.close()


def test_frames_are_listed_while_they_are_read():
    listed = []

    def listing():
        for frame in FRAMES:
            listed.append(frame)
            yield frame

    read = read_detections(Memory(answers()), listing(), readers=2)
    next(read)
    assert len(listed) < len(FRAMES)
    assert len(list(read)) == len(FRAMES) - 1
